//! Several targets in one server on one thread, with a callback after every check.

mod target;

use std::time::Duration;

use pingstate::{Monitor, Policy, ProbeBuilder, Server, Snapshot, State, blocking, probe};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (web, mail) = (target::http("fine")?, target::greeting("220 mail\r\n")?);

    let web = ProbeBuilder::from_url(&format!("http://localhost:{web}/")).name("web").build()?;
    let mail = probe("tcp", "localhost", mail).check("banner_contains:220").name("mail").build()?;
    let disk = blocking("disk", || (std::fs::metadata("/").is_ok(), "mounted"));
    let frequent = |monitor: Monitor| monitor.interval(Duration::from_millis(30));
    let mut server = Server::builder([
        frequent(Monitor::new(web)),
        frequent(Monitor::new(mail)).policy(Policy::Thresholds { fall: 5, rise: 2 }),
        frequent(Monitor::new(disk)),
    ])
    .on_check(|event| {
        if event.changed.is_some() {
            println!("{} is {}: {}", event.name, event.state, event.result.detail);
        }
    })
    .bind(([127, 0, 0, 1], 0))?;

    // Until every target has been checked; `server.run()` would run until it is stopped.
    let is_unknown = |target: Snapshot| target.state == State::Unknown;
    while server.targets().any(|id| server.snapshot(id).is_some_and(is_unknown)) {
        server.turn(None)?;
    }
    println!("all checked");
    Ok(())
}
