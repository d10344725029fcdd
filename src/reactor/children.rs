//! Child processes of hooks: start, read output, kill with all descendants in the process group, reap.
//!
//! Each hook leads its own process group. Output of any hook, and SIGCHLD, make the loop check all hooks, of
//! which there are few.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mio::unix::pipe::{self, Receiver};
use mio::{Interest, Registry, Token};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
#[cfg(target_os = "linux")]
use nix::{
    errno::Errno,
    sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid},
};

use crate::engine::{HookEnd, HookId};
use crate::monitor::Hook;
use crate::text::printable;

/// Bytes kept of a hook's output. The rest is read and discarded.
const OUTPUT_MAX: usize = 1024;

const LINE_MAX: usize = 200;

/// Reads of one hook's output per check: the capacity of a pipe.
const READS_PER_CHECK: usize = 4;

/// The shortest time between two checks: limits the CPU time for a hook that writes without end.
const CHECK_INTERVAL_MIN: Duration = Duration::from_millis(10);

#[cfg(target_os = "linux")]
const REAPED_PER_CHECK: usize = 64;

/// The longest time between two checks while hooks run: the parent process may have blocked SIGCHLD.
const CHECK_INTERVAL_MAX: Duration = Duration::from_secs(1);

/// Not inherited by hooks: service manager and socket activation.
const PRIVATE: [&str; 7] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PIDFDID",
];

#[derive(Default)]
pub(super) struct Children {
    running: Vec<Running>,
    pub(super) has_exits: Arc<AtomicBool>,
    pub(super) has_events: bool,
    /// When the hooks were last checked. Set once SIGCHLD is handled.
    pub(super) checked: Option<Instant>,
    has_started: bool,
    pub(super) reaps_orphans: bool,
}

struct Running {
    id: HookId,
    child: Child,
    /// Standard output and error, until the end of the stream.
    output: Option<Receiver>,
    received: Vec<u8>,
}

impl Children {
    /// Its output makes events of `token`.
    #[cold]
    pub(super) fn start(
        &mut self,
        id: HookId,
        hook: &Hook,
        env: Vec<(&'static str, String)>,
        registry: &Registry,
        token: Token,
    ) -> io::Result<()> {
        if !std::mem::replace(&mut self.has_started, true) {
            close_on_exec();
        }
        let (sender, mut output) = pipe::new()?;
        // The hook's end blocks, as programs expect; the other end does not.
        sender.set_nonblocking(false)?;
        let second = sender.as_fd().try_clone_to_owned()?;
        registry.register(&mut output, token, Interest::READABLE)?;
        let child = command(hook, env).stdout(OwnedFd::from(sender)).stderr(second).spawn()?;
        self.running.push(Running { id, child, output: Some(output), received: Vec::new() });
        Ok(())
    }

    /// Kills a hook and its process group. Its end is still reported.
    #[cold]
    pub(super) fn kill(&mut self, id: HookId) {
        if let Some(running) = self.running.iter_mut().find(|running| running.id == id) {
            running.kill(Signal::SIGKILL);
        }
    }

    #[cold]
    pub(super) fn terminate(&mut self) {
        self.running.iter_mut().for_each(|running| running.kill(Signal::SIGTERM));
    }

    #[inline]
    pub(super) fn next_check(&self) -> Option<Instant> {
        let checked = self.checked?;
        match self.has_events || self.has_exits.load(Ordering::SeqCst) {
            true if self.reaps_orphans || !self.running.is_empty() => Some(checked + CHECK_INTERVAL_MIN),
            false if !self.running.is_empty() => Some(checked + CHECK_INTERVAL_MAX),
            _ => None,
        }
    }

    #[cold]
    pub(super) fn check(&mut self, buffer: &mut [u8], now: Instant) -> Vec<(HookId, HookEnd, String)> {
        if self.next_check().is_none_or(|at| at > now) {
            return Vec::new();
        }
        self.has_exits.store(false, Ordering::SeqCst);
        self.has_events = false;
        self.checked = Some(now);
        let mut ended = Vec::new();
        self.running.retain_mut(|running| {
            // In this order: output from before the exit is read before the hook is removed.
            let end = running.end();
            self.has_events |= running.read(buffer);
            let Some(end) = end else { return true };
            ended.push((running.id, end, running.first_line()));
            false
        });
        if self.reaps_orphans {
            self.has_events |= reap_others(&self.running);
        }
        ended
    }

    #[cold]
    pub(super) fn end_all(&mut self) {
        for mut running in self.running.drain(..) {
            running.kill(Signal::SIGKILL);
            let _ = running.child.wait();
        }
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        self.end_all();
    }
}

impl Running {
    /// How it ended, if it has: then its process group is killed too.
    #[cfg(target_os = "linux")]
    fn end(&mut self) -> Option<HookEnd> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        match waitid(Id::Pid(self.pid()?), flags) {
            Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => return None,
            // Reaped elsewhere in this program; its PID may have been reused.
            Err(Errno::ECHILD) => return Some(HookEnd::Exited(-1)),
            // Includes signals that nix does not know.
            Ok(_) | Err(_) => {}
        }
        // Its PID cannot be reused before it is reaped.
        self.kill(Signal::SIGKILL);
        Some(self.child.wait().map_or(HookEnd::Exited(-1), hook_end))
    }

    /// How it ended, if it has. This system reports that only by reaping.
    #[cfg(not(target_os = "linux"))]
    fn end(&mut self) -> Option<HookEnd> {
        let end = self.child.try_wait().map_or(Some(HookEnd::Exited(-1)), |status| status.map(hook_end))?;
        self.kill(Signal::SIGKILL);
        Some(end)
    }

    fn kill(&mut self, signal: Signal) {
        if let Some(pid) = self.pid() {
            let _ = killpg(pid, signal);
        }
    }

    fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().map(Pid::from_raw)
    }

    /// Reads up to [`READS_PER_CHECK`] times; returns whether there may be more.
    fn read(&mut self, buffer: &mut [u8]) -> bool {
        let Some(output) = &mut self.output else { return false };
        for _ in 0..READS_PER_CHECK {
            match output.read(buffer) {
                Ok(0) => {
                    self.output = None;
                    return false;
                }
                Ok(len) => {
                    let room = OUTPUT_MAX - self.received.len();
                    self.received.extend_from_slice(&buffer[..len.min(room)]);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }

    fn first_line(&self) -> String {
        let text = String::from_utf8_lossy(&self.received);
        let line = text.lines().map(str::trim).find(|line| !line.is_empty());
        printable(line.unwrap_or_default(), LINE_MAX)
    }
}

fn command(hook: &Hook, env: Vec<(&'static str, String)>) -> Command {
    let mut words = hook.words.iter();
    let mut command = Command::new(words.next().map_or("", String::as_str));
    command.args(words).stdin(Stdio::null()).process_group(0);
    let private = PRIVATE.map(OsString::from);
    for name in env::vars_os().map(|(name, _)| name).filter(|name| private.contains(name)) {
        command.env_remove(name);
    }
    command.envs(env);
    command
}

/// Reaps children that are not hooks; returns whether there may be more.
#[cfg(target_os = "linux")]
fn reap_others(hooks: &[Running]) -> bool {
    for _ in 0..REAPED_PER_CHECK {
        match waitid(Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT) {
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return false,
            Ok(status) => match status.pid() {
                // A hook that has just ended: the next check takes its status.
                pid if hooks.iter().any(|hook| hook.pid() == pid) => return true,
                pid => drop(waitpid(pid, Some(WaitPidFlag::WNOHANG))),
            },
            // Ended by a signal that nix does not know.
            Err(_) => drop(waitpid(None, Some(WaitPidFlag::WNOHANG))),
        }
    }
    true
}

#[cfg(not(target_os = "linux"))]
fn reap_others(_hooks: &[Running]) -> bool {
    false
}

fn hook_end(status: ExitStatus) -> HookEnd {
    match (status.code(), status.signal()) {
        (Some(code), _) => HookEnd::Exited(code),
        (None, signal) => HookEnd::Signalled(signal.unwrap_or_default()),
    }
}

/// Sets close-on-exec on all open descriptors above 2, which includes inherited ones.
fn close_on_exec() {
    let list = if cfg!(target_os = "linux") { "/proc/self/fd" } else { "/dev/fd" };
    let listed: Vec<RawFd> = fs::read_dir(list)
        .map(|entries| {
            entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect()
        })
        .unwrap_or_else(|_| (0..1024).collect());
    for fd in listed.into_iter().filter(|fd| *fd > 2) {
        let _ = fcntl(fd, FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC));
    }
}
