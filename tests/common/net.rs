//! Network namespaces: a test runs itself again in one of its own, where it may do as it likes.

use std::process::Command;

const INSIDE: &str = "PINGSTATE_TEST_IN_A_NETWORK_OF_ITS_OWN";

/// Runs the test of this name again in a network of its own. True inside of it; false outside, once
/// that has passed or cannot be done here.
pub fn alone(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let ways: [&[&str]; 2] = [&["-n"], &["-r", "-n"]];
    let works = |way: &&[&str]| {
        let args = [*way, &["ip", "link", "set", "lo", "up"]].concat();
        Command::new("unshare").args(args).output().is_ok_and(|output| output.status.success())
    };
    let Some(way) = ways.into_iter().find(works) else {
        super::missing("netns");
        return false;
    };
    let this = std::env::current_exe().expect("this program");
    let status = Command::new("unshare")
        .args(way)
        .arg(this)
        .args(["--exact", test, "--nocapture"])
        .env(INSIDE, "1")
        .status();
    assert!(status.expect("runs").success(), "{test} in a network of its own");
    false
}

/// Runs `ip` or `nft` and the like with these words; says whether it worked.
pub fn run(command: &str) -> bool {
    let mut words = command.split(' ');
    let output = Command::new(words.next().expect("a program")).args(words).output();
    output.is_ok_and(|output| output.status.success())
}

/// The same, when it must.
pub fn must(command: &str) {
    assert!(run(command), "{command}");
}
