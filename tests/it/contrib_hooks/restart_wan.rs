//! The script that restarts an interface, with ifup and ifdown that only write what they were called with.

use std::io::Read;
use std::os::unix::process::CommandExt;

use super::*;

struct Router {
    dir: PathBuf,
    shell: Shell,
}

impl Router {
    fn new(name: &str, mut shell: Shell) -> Router {
        let dir = directory(&format!("router-{name}"));
        for name in ["ifup", "ifdown", "reboot-modem"] {
            // It sees no descriptor of the lock.
            let text = r#"cd "$(dirname "$0")" || exit
echo "$(basename "$0") $*" >>calls
[ ! -e /proc/$$/fd/9 ] || echo "descriptor 9 is open" >>calls
[ ! -e "$(basename "$0").fails" ]"#;
            program(&dir, name, text);
        }
        shell.path = format!("{}:{}", dir.display(), shell.path);
        Router { dir, shell }
    }

    fn command(&self, words: &[&str], env: &[(&str, &str)]) -> Command {
        let mut command = self.shell.command(&[&["restart-wan"], words].concat(), env);
        command.env("WAN_DIRECTORY", &self.dir);
        command
    }

    fn run(&self, env: &[(&str, &str)]) -> (i32, String) {
        run_to_end(self.command(&["wan"], env))
    }

    fn calls(&self) -> Vec<String> {
        let text = fs::read_to_string(self.dir.join("calls")).unwrap_or_default();
        let _ = fs::remove_file(self.dir.join("calls"));
        text.lines().map(str::to_owned).collect()
    }

    fn state(&self) -> PathBuf {
        self.dir.join("pingstate-restart-wan")
    }
}

const DOWN: (&str, &str) = ("PINGSTATE_TO", "down");
const RESTART: [&str; 2] = ["ifdown wan", "ifup wan"];

#[test]
fn an_interface_is_restarted_once_per_interval() {
    for shell in shells("router") {
        let router = Router::new("once", shell);
        for state in ["up", "degraded", "unknown"] {
            assert_eq!(router.run(&[("PINGSTATE_TO", state)]), (0, String::new()));
        }
        assert!(router.calls().is_empty());
        assert_eq!(router.run(&[DOWN]), (0, String::new()));
        assert_eq!(router.calls(), RESTART);
        for env in [vec![DOWN], vec![DOWN, ("PINGSTATE_REMINDER", "1")]] {
            let (status, output) = router.run(&env);
            assert!(status == 0 && output.starts_with("restart-wan: wan was restarted "), "{output}");
        }
        assert!(router.calls().is_empty());
        let uptime = fs::read_to_string("/proc/uptime").expect("linux");
        let uptime: u64 = uptime.split('.').next().and_then(|text| text.parse().ok()).expect("a number");
        // Another interval, and files of before a boot, of another program, or empty.
        for (text, wait_s) in [
            (uptime.saturating_sub(100).to_string(), "61"),
            ((uptime + 1000).to_string(), "1800"),
            ("$(touch x)".to_owned(), "1800"),
            ("99999999999999999999".to_owned(), "1800"),
            (String::new(), "1800"),
        ] {
            fs::write(router.state(), format!("{text}\n")).expect("written");
            assert_eq!(router.run(&[DOWN, ("WAN_WAIT_S", wait_s)]), (0, String::new()), "{text}");
            assert_eq!(router.calls(), RESTART, "{text}");
            assert_eq!(router.run(&[DOWN]).0, 0);
            assert!(router.calls().is_empty(), "{text}");
        }
        // Another interface has an interval of its own.
        assert_eq!(run_to_end(router.command(&["wan6"], &[DOWN])), (0, String::new()));
        assert_eq!(router.calls(), ["ifdown wan6", "ifup wan6"]);
    }
}

#[test]
fn simultaneous_changes_restart_the_interface_once() {
    for shell in shells("router-both") {
        let router = Router::new("both", shell);
        let mut children: Vec<_> = (0..8)
            .map(|_| router.command(&["wan"], &[DOWN]).stdout(Stdio::null()).spawn().expect("starts"))
            .collect();
        for child in &mut children {
            assert!(child.wait().expect("waits").success());
        }
        assert_eq!(router.calls(), RESTART);
        // While another process has the lock, nothing happens, whatever the file says.
        fs::write(router.state(), "").expect("written");
        let mut holder = Command::new("flock");
        holder.arg(router.state()).args(["sh", "-c", "echo locked; read -r _"]);
        let mut holder = holder.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("util-linux");
        let mut locked = [0; 7];
        holder.stdout.take().expect("piped").read_exact(&mut locked).expect("locked");
        assert_eq!(router.run(&[DOWN]), (0, String::new()));
        assert!(router.calls().is_empty());
        drop(holder.stdin.take());
        holder.wait().expect("waits");
        assert_eq!(router.run(&[DOWN]), (0, String::new()));
        assert_eq!(router.calls(), RESTART);
    }
}

#[test]
fn a_test_message_restarts_nothing() {
    for shell in shells("router-test") {
        let router = Router::new("test", shell);
        let expected = "restart-wan: would run ifdown and ifup of wan if this were not a test\n";
        assert_eq!(router.run(&[DOWN, ("PINGSTATE_TEST", "1")]), (0, expected.to_owned()));
        assert!(router.calls().is_empty() && !router.state().exists());
    }
}

#[test]
fn failures_are_reported_and_count_as_a_restart() {
    for shell in shells("router-fails") {
        let router = Router::new("fails", shell);
        let modem = router.dir.join("reboot-modem").display().to_string();
        assert_eq!(router.run(&[DOWN, ("WAN_COMMAND", &modem)]), (0, String::new()));
        assert_eq!(router.calls(), ["reboot-modem "]);
        for (fails, env, message) in [
            ("reboot-modem", vec![DOWN, ("WAN_COMMAND", &*modem)], format!("{modem} failed with status 1")),
            ("ifup", vec![DOWN], "ifup wan failed with status 1".to_owned()),
        ] {
            fs::remove_file(router.state()).expect("removed");
            fs::write(router.dir.join(format!("{fails}.fails")), "").expect("written");
            assert_eq!(router.run(&env), (1, format!("restart-wan: {message}\n")));
            assert!(!router.calls().is_empty());
            assert_eq!(router.run(&env).0, 0);
            assert!(router.calls().is_empty());
            fs::remove_file(router.dir.join(format!("{fails}.fails"))).expect("removed");
        }
        // After a failed ifdown, ifup is called all the same.
        fs::remove_file(router.state()).expect("removed");
        fs::write(router.dir.join("ifdown.fails"), "").expect("written");
        assert_eq!(router.run(&[DOWN]).0, 0);
        assert_eq!(router.calls(), RESTART);
    }
}

#[test]
fn wrong_settings_restart_nothing() {
    for shell in shells("router-wrong") {
        let router = Router::new("wrong", shell);
        for words in [&[][..], &[""], &["-a"], &["wan; reboot"], &["../wan"]] {
            let (status, output) = run_to_end(router.command(words, &[DOWN]));
            assert!(status == 1 && output.contains("must be an interface"), "{output}");
        }
        for wait_s in ["x", "0", "59", "99999999999999999999", "-5", "1e9"] {
            let (status, output) = router.run(&[DOWN, ("WAN_WAIT_S", wait_s)]);
            assert!(status == 1 && output.contains("WAN_WAIT_S must be"), "{output}");
        }
        let (status, output) = router.run(&[DOWN, ("WAN_COMMAND", "/nowhere/reboot")]);
        assert_eq!((status, &*output), (1, "restart-wan: /nowhere/reboot is not installed\n"));
        let mut command = router.command(&["wan"], &[DOWN]);
        command.env("WAN_DIRECTORY", "/nowhere");
        let (status, output) = run_to_end(command);
        assert!(status == 1 && output.contains("cannot write /nowhere/"), "{output}");
        std::os::unix::fs::symlink(router.dir.join("elsewhere"), router.state()).expect("linked");
        let (status, output) = router.run(&[DOWN]);
        assert!(status == 1 && output.contains("is a symbolic link"), "{output}");
        assert!(router.calls().is_empty());
    }
}

/// The daemon sends SIGTERM to running hooks and their children when it stops.
#[test]
fn the_interface_is_up_after_a_stop_of_the_daemon() {
    for shell in shells("router-stop") {
        let router = Router::new("stop", shell);
        let text = r#"cd "$(dirname "$0")" || exit
echo "ifdown $*" >>calls
exec sleep 100"#;
        program(&router.dir, "ifdown", text);
        let mut command = router.command(&["wan"], &[DOWN]);
        let mut child =
            command.process_group(0).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
        eventually("ifdown runs", || router.dir.join("calls").exists().then_some(()));
        let group = format!("-{}", child.id());
        assert!(Command::new("kill").args(["-TERM", "--", &group]).status().expect("kill runs").success());
        assert_eq!(child.wait().expect("waits").code(), Some(1));
        assert_eq!(router.calls(), RESTART);
    }
}
