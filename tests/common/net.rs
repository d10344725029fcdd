//! Network namespaces: a test runs itself again in a new namespace, where it may change routes and firewalls.

use std::process::Command;

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
