//! A probe that calls a blocking API, such as a database driver. Each check runs on a thread of its own, so
//! that a check that hangs does not block other targets.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use pingstate::{blocking, check};

/// A driver without a timeout.
struct Database {
    answers: Mutex<Receiver<i32>>,
}

impl Database {
    fn query(&self, _sql: &str) -> Result<i32, String> {
        let answers = self.answers.lock().map_err(|_| "poisoned")?;
        answers.recv().map_err(|_| "connection lost".to_owned())
    }
}

fn main() {
    let (server, answers) = channel();
    let database = Database { answers: Mutex::new(answers) };
    let probe = blocking("db", move || match database.query("select 1") {
        Ok(1) => (true, "select 1".to_owned()),
        Ok(other) => (false, format!("expected 1, got {other}")),
        Err(error) => (false, error),
    })
    .within(Duration::from_millis(100));

    let tell = |when: &str| {
        let result = check(&probe);
        println!("{when}: {}: {}", result.ok, result.detail);
    };
    let _ = server.send(1);
    tell("healthy");
    let _ = server.send(2);
    tell("confused");
    tell("hanging"); // The check times out; its thread cannot be stopped.
    tell("still hanging"); // No second thread is started while the first one hangs.
}
