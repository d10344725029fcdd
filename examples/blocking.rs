//! A probe that calls a blocking API, such as a database driver. Each check runs on a thread of its own, so
//! that a check that hangs does not block other targets.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use pingstate::{blocking, check};

/// A driver without a timeout.
struct Database {
    results: Mutex<Receiver<i32>>,
}

impl Database {
    fn query(&self, _sql: &str) -> Result<i32, String> {
        let results = self.results.lock().map_err(|_| "poisoned")?;
        results.recv().map_err(|_| "connection lost".to_owned())
    }
}

fn main() {
    let (server, results) = channel();
    let database = Database { results: Mutex::new(results) };
    let probe = blocking("db", move || match database.query("select 1") {
        Ok(1) => (true, "select 1".to_owned()),
        Ok(other) => (false, format!("expected 1, got {other}")),
        Err(error) => (false, error),
    })
    .timeout(Duration::from_millis(100));

    let report = |when: &str| {
        let result = check(&probe);
        println!("{when}: {}: {}", result.ok, result.detail);
    };
    let _ = server.send(1);
    report("healthy");
    let _ = server.send(2);
    report("confused");
    report("hanging"); // The check times out; its thread cannot be stopped.
    report("still running"); // No second thread is started while the first one hangs.
}
