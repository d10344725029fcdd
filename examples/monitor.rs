//! Periodic checks on a background thread, and the resulting state.

mod target;

use std::time::Duration;

use pingstate::{Monitor, probe};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = target::http("fine")?;

    let probe = probe("http", "localhost", port).path("/healthz").check("status:200,204").build()?;
    let monitor = Monitor::new(probe).interval(Duration::from_secs(5)).start()?;

    // The program can do other work, or request a check immediately:
    let result = monitor.check_now();
    println!("checked: {}", result.detail);

    let snapshot = monitor.snapshot();
    println!("state: {}, latency: {:?}", snapshot.state, snapshot.last_latency);
    for check in &snapshot.recent {
        println!("{} {} {}", check.event(), check.state(), check.detail);
    }
    Ok(())
}
