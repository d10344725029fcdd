//! Makes system calls of the daemon fail, by strace's fault injection.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{Daemon, eventually};

/// strace attached to the daemon; detaches when dropped.
pub struct Fault(Child);

impl Fault {
    pub fn inject(daemon: &Daemon, what: &str) -> Option<Fault> {
        let (call, _) = what.split_once(':').expect("a call");
        Fault::attach(daemon, &["-e", &format!("trace={call}"), "-e", &format!("inject={what}")])
    }

    /// Writes the daemon's calls of these names (`kill,wait4`) to a file.
    pub fn record(daemon: &Daemon, calls: &str, file: &Path) -> Option<Fault> {
        Fault::attach(daemon, &["-e", &format!("trace={calls}"), "-o", file.to_str()?])
    }

    fn attach(daemon: &Daemon, args: &[&str]) -> Option<Fault> {
        let mut strace = Command::new("strace");
        strace
            .args(["-f", "-p", &daemon.pid().to_string()])
            .args(args)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = strace.spawn().ok()?;
        let traced = || (daemon.figure("TracerPid") > 0).then_some(());
        eventually("strace", traced);
        Some(Fault(child))
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        // strace handles SIGINT: it detaches from the daemon.
        let _ = Command::new("kill").args(["-INT", &self.0.id().to_string()]).status();
        let _ = self.0.wait();
    }
}

pub fn has_strace() -> bool {
    super::has("strace", &["-o", "/dev/null", "true"])
}
