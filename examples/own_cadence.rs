//! The state machine without a scheduler: the program runs checks itself and reports their results.

mod target;

use pingstate::{Event, PingFsm, probe};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = target::greeting("hello")?;

    let probe = probe("tcp", "127.0.0.1", port).build()?;
    let mut fsm = PingFsm::new().name("hello");
    for round in 1..=3 {
        let state = fsm.fire_result(&probe.check());
        println!("round {round}: {state}");
        // The program decides when to run the next check.
    }

    // Events can also come from other sources.
    let state = fsm.fire(Event::Fail, None, "link down");
    println!("unplugged: {state}");
    print!("{}", fsm.snapshot().to_json());
    Ok(())
}
