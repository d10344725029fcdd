//! Network namespaces: a test runs itself again in a new namespace, where it may change routes and firewalls.

use std::fs;
use std::process::{Child, Command};

const INSIDE: &str = "PINGSTATE_TEST_IN_NAMESPACE";

/// Runs the test of this name, which includes its module, again in a new network namespace. True inside of
/// it; false outside, after it has passed or if namespaces are not available.
pub fn run_in_namespace(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let options: [&[&str]; 2] = [&["-n"], &["-r", "-n"]];
    let is_available = |option: &&[&str]| {
        let args = [*option, &["ip", "link", "set", "lo", "up"]].concat();
        Command::new("unshare").args(args).output().is_ok_and(|output| output.status.success())
    };
    let Some(option) = options.into_iter().find(is_available) else {
        super::missing("netns");
        return false;
    };
    let test_binary = std::env::current_exe().expect("this program");
    let output = Command::new("unshare")
        .args(option)
        .arg(test_binary)
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .output()
        .expect("runs");
    let printed = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    println!("{printed}");
    // No test of this name also counts as success.
    let has_passed = output.status.success() && printed.contains("test result: ok. 1 passed");
    assert!(has_passed, "{test} in a network namespace: {}", output.status);
    false
}

/// Runs a command such as `ip` or `nft`; true if it succeeds.
pub fn run(command: &str) -> bool {
    let mut words = command.split(' ');
    let output = Command::new(words.next().expect("a program")).args(words).output();
    output.is_ok_and(|output| output.status.success())
}

/// Runs a command that must succeed.
pub fn must(command: &str) {
    assert!(run(command), "{command}");
}

/// A process in a network namespace of its own, which ends with it.
pub struct Namespace(Child);

impl Namespace {
    #[allow(clippy::new_without_default)] // It starts a process.
    pub fn new() -> Namespace {
        let child = Command::new("unshare").args(["-n", "sleep", "600"]).spawn().expect("starts");
        let namespace = Namespace(child);
        let own = fs::read_link("/proc/self/ns/net").expect("a namespace");
        let other = format!("/proc/{}/ns/net", namespace.0.id());
        super::eventually("a namespace", || fs::read_link(&other).ok().filter(|link| *link != own));
        namespace
    }

    pub fn pid(&self) -> u32 {
        self.0.id()
    }

    /// Runs a command in the namespace.
    pub fn must(&self, command: &str) {
        must(&format!("nsenter -t {} -n {command}", self.0.id()));
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
