//! The state machine alone: a program checks when it likes and tells it what came of it.

mod target;

use pingstate::{Event, PingFsm, probe};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = target::greeting("hello")?;

    let probe = probe("tcp", "127.0.0.1", port).build()?;
    let mut fsm = PingFsm::new().name("hello");
    for round in 1..=3 {
        let state = fsm.fire_result(&probe.check());
        println!("round {round}: {state}");
        // Do other work …
    }

    // Any other source of news will do as well.
    let state = fsm.fire(Event::Fail, None, "somebody pulled the plug");
    println!("unplugged: {state}");
    print!("{}", fsm.snapshot().to_json());
    Ok(())
}
