//! Child processes, of hooks and of checks: start, read output, kill with all descendants in the process group, reap.
//!
//! Each child leads its own process group. Output of any child, and SIGCHLD, make the loop check all children, of
//! which there are few.

use std::env;
use std::ffi::OsString;
use std::io::{self, ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mio::unix::pipe::{self, Receiver};
use mio::{Interest, Registry, Token};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
#[cfg(target_os = "linux")]
use nix::{
    errno::Errno,
    sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid},
};

use crate::engine::{HookId, JobId};
use crate::probe::Exit;
use crate::text::printable;

/// Bytes kept of each output of a child. The rest is read and discarded.
const OUTPUT_MAX: usize = 8 * 1024;

const LINE_MAX: usize = 200;

/// Reads of one output per check: the capacity of a pipe.
const READS_PER_CHECK: usize = 4;

/// The shortest time between two checks: limits the CPU time for a child that writes without end.
const CHECK_INTERVAL_MIN: Duration = Duration::from_millis(10);

#[cfg(target_os = "linux")]
const REAPED_PER_CHECK: usize = 64;

/// The longest time between two checks while children run: the parent process may have blocked SIGCHLD.
const CHECK_INTERVAL_MAX: Duration = Duration::from_secs(1);

/// Not inherited by children: service manager and socket activation.
const PRIVATE: [&str; 7] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PIDFDID",
];

/// Credentials of the service, which are for pingstate and its hooks.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ChildId {
    Hook(HookId),
    Check(JobId),
}

/// A child that has ended.
pub(super) struct Ended {
    pub(super) id: ChildId,
    pub(super) exit: Exit,
    /// The beginning of its standard output, or, if that is empty, of its standard error.
    pub(super) output: Vec<u8>,
}

#[derive(Default)]
pub(super) struct Children {
    running: Vec<Running>,
    pub(super) has_exits: Arc<AtomicBool>,
    pub(super) has_events: bool,
    /// When the children were last checked. Set once SIGCHLD is handled.
    pub(super) checked: Option<Instant>,
    has_started: bool,
    pub(super) reaps_orphans: bool,
}

struct Running {
    id: ChildId,
    child: Child,
    outputs: [Output; 2],
}

/// A pipe from a child, until the end of the stream, and the bytes kept of it.
#[derive(Default)]
struct Output {
    pipe: Option<Receiver>,
    received: Vec<u8>,
}

impl Children {
    /// Its output makes events of `token`. The two streams of a hook are one pipe; those of a check are separate, since
    /// only the standard output of a plugin is its result.
    #[cold]
    pub(super) fn start(
        &mut self,
        id: ChildId,
        words: &[String],
        env: Vec<(&'static str, String)>,
        registry: &Registry,
        token: Token,
        has_credentials: bool,
    ) -> io::Result<()> {
        if !std::mem::replace(&mut self.has_started, true) {
            // Hooks must not inherit what pingstate itself inherited.
            close_fds::set_fds_cloexec(3, &[]);
        }
        let mut command = command(words, env);
        let (out, pipe) = output(registry, token)?;
        let (err, second) = match id {
            ChildId::Hook(_) => (out.try_clone()?, Output::default()),
            ChildId::Check(_) => output(registry, token)?,
        };
        if !has_credentials {
            command.env_remove(CREDENTIALS);
        }
        let child = command.stdout(out).stderr(err).spawn()?;
        self.running.push(Running { id, child, outputs: [pipe, second] });
        Ok(())
    }

    /// Kills a child and its process group. Its end is still reported.
    #[cold]
    pub(super) fn kill(&mut self, id: ChildId) {
        if let Some(running) = self.running.iter_mut().find(|running| running.id == id) {
            running.kill(Signal::SIGKILL);
        }
    }

    /// Asks the hooks to end; the programs of checks are killed.
    #[cold]
    pub(super) fn terminate(&mut self) {
        for running in &mut self.running {
            running.kill(match running.id {
                ChildId::Hook(_) => Signal::SIGTERM,
                ChildId::Check(_) => Signal::SIGKILL,
            });
        }
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
    pub(super) fn check(&mut self, buffer: &mut [u8], now: Instant) -> Vec<Ended> {
        if self.next_check().is_none_or(|at| at > now) {
            return Vec::new();
        }
        self.has_exits.store(false, Ordering::SeqCst);
        self.has_events = false;
        self.checked = Some(now);
        let mut ended = Vec::new();
        self.running.retain_mut(|running| {
            // In this order: output from before the exit is read before the child is removed.
            let exit = running.exit();
            for output in &mut running.outputs {
                self.has_events |= output.read(buffer);
            }
            let Some(exit) = exit else { return true };
            let [out, err] = std::mem::take(&mut running.outputs).map(|output| output.received);
            let is_empty = out.iter().all(u8::is_ascii_whitespace);
            ended.push(Ended { id: running.id, exit, output: if is_empty { err } else { out } });
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
    fn exit(&mut self) -> Option<Exit> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        match waitid(Id::Pid(self.pid()?), flags) {
            Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => return None,
            // Reaped elsewhere in this program; its PID may have been reused.
            Err(Errno::ECHILD) => return Some(Exit::Status(-1)),
            // Includes signals that nix does not know.
            Ok(_) | Err(_) => {}
        }
        // Its PID cannot be reused before it is reaped.
        self.kill(Signal::SIGKILL);
        Some(self.child.wait().map_or(Exit::Status(-1), exit_of))
    }

    /// How it ended, if it has. This system reports that only by reaping.
    #[cfg(not(target_os = "linux"))]
    fn exit(&mut self) -> Option<Exit> {
        let end = self.child.try_wait().map_or(Some(Exit::Status(-1)), |status| status.map(exit_of))?;
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
}

impl Output {
    /// Reads up to [`READS_PER_CHECK`] times; returns whether there may be more.
    fn read(&mut self, buffer: &mut [u8]) -> bool {
        let Some(pipe) = &mut self.pipe else { return false };
        for _ in 0..READS_PER_CHECK {
            match pipe.read(buffer) {
                Ok(0) => {
                    self.pipe = None;
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
}

/// The first line with text.
pub(crate) fn first_line(output: &[u8]) -> String {
    let text = String::from_utf8_lossy(output);
    let line = text.lines().map(str::trim).find(|line| !line.is_empty());
    printable(line.unwrap_or_default(), LINE_MAX)
}

/// A pipe: the end for the child, which blocks, as programs expect, and ours, which does not.
fn output(registry: &Registry, token: Token) -> io::Result<(OwnedFd, Output)> {
    let (sender, mut pipe) = pipe::new()?;
    sender.set_nonblocking(false)?;
    registry.register(&mut pipe, token, Interest::READABLE)?;
    Ok((sender.into(), Output { pipe: Some(pipe), received: Vec::new() }))
}

fn command(words: &[String], env: Vec<(&'static str, String)>) -> Command {
    let mut words = words.iter();
    let mut command = Command::new(words.next().map_or("", String::as_str));
    command.args(words).stdin(Stdio::null()).process_group(0);
    let private = PRIVATE.map(OsString::from);
    for name in env::vars_os().map(|(name, _)| name).filter(|name| private.contains(name)) {
        command.env_remove(name);
    }
    command.envs(env);
    command
}

/// Reaps children that were not started here; returns whether there may be more.
#[cfg(target_os = "linux")]
fn reap_others(running: &[Running]) -> bool {
    for _ in 0..REAPED_PER_CHECK {
        match waitid(Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT) {
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return false,
            Ok(status) => match status.pid() {
                // A child that has just ended: the next check takes its status.
                pid if running.iter().any(|child| child.pid() == pid) => return true,
                pid => drop(waitpid(pid, Some(WaitPidFlag::WNOHANG))),
            },
            // Ended by a signal that nix does not know.
            Err(_) => drop(waitpid(None, Some(WaitPidFlag::WNOHANG))),
        }
    }
    true
}

#[cfg(not(target_os = "linux"))]
fn reap_others(_running: &[Running]) -> bool {
    false
}

fn exit_of(status: ExitStatus) -> Exit {
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Status(code),
        (None, signal) => Exit::Signal(signal.unwrap_or_default()),
    }
}
