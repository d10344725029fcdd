//! A single check, without state and without threads.

mod target;

use pingstate::probe;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = target::http("fine")?;

    let result = probe("http", "localhost", port).path("/healthz").build()?.check();
    println!("{} {:?} {}", result.ok, result.latency, result.detail);
    Ok(())
}
