//! A check of the complete HTTP response with a function, for conditions that a check specification cannot
//! express.

mod target;

use pingstate::{HttpResponse, probe};

fn is_healthy(response: &HttpResponse) -> (bool, String) {
    let ready = response.status == 200 && response.text().contains("\"ready\": true");
    (ready, format!("{} in {} bytes", if ready { "ready" } else { "not ready" }, response.body.len()))
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for port in [target::http("{\"ready\": true}")?, target::http("{\"ready\": false}")?] {
        let probe = probe("http", "localhost", port).path("/status").check_response(is_healthy).build()?;
        let result = probe.check();
        println!("{}: {}", result.ok, result.detail);
    }
    Ok(())
}
