//! Hooks as processes: started, read from, killed with what they started, and reaped.
//!
//! Each is the leader of a process group of its own. Its output and its end are news of one kind: they
//! make the loop look after all of them, of which there are few.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::io::{self, ErrorKind, Read};
use std::os::fd::{AsFd, OwnedFd, RawFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{self, Child, Command, ExitStatus, Stdio};
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
use signal_hook::SigId;
use signal_hook::consts::SIGCHLD;
use signal_hook::low_level::{pipe::register, unregister};

use crate::engine::{HookEnd, HookId};
use crate::monitor::Hook;
use crate::result::printable;

/// How much of a hook's output is kept, in bytes. The rest is read and forgotten.
const KEPT: usize = 1024;

/// How much of its first line is told, in characters.
const SAID_MAX: usize = 200;

/// Reads of one hook's output at one look: as much as a pipe holds.
const READS_PER_LOOK: usize = 4;

/// How long a look is followed by no other: one that never stops talking is not listened to all the time.
const LOOK_PAUSE: Duration = Duration::from_millis(10);

/// Orphans reaped at one look.
#[cfg(target_os = "linux")]
const REAPED_PER_LOOK: usize = 64;

/// How long at most until the next look while there are hooks: where the signal of their end is blocked,
/// as by whoever started the daemon, it does not come.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// What is the daemon's own in its environment: the ways to its service manager, and sockets handed to it.
const PRIVATE: [&str; 7] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_PID",
    "WATCHDOG_USEC",
    "LISTEN_PID",
    "LISTEN_FDS",
    "LISTEN_FDNAMES",
    "LISTEN_PIDFDID",
];

/// A hook that has ended, and the first line that it said.
pub(super) type Ended = (HookId, HookEnd, String);

/// The hooks at work.
#[derive(Default)]
pub(super) struct Children {
    running: Vec<Running>,
    deaths: Option<Deaths>,
    /// There may be news.
    pub(super) stirred: bool,
    looked: Option<Instant>,
    /// A hook was started.
    has_started: bool,
    reaps_orphans: bool,
}

struct Running {
    id: HookId,
    child: Child,
    /// Both of its outputs, until they end.
    output: Option<Receiver>,
    heard: Vec<u8>,
}

/// Where the system says that a child has ended.
struct Deaths {
    pipe: Receiver,
    handler: SigId,
}

impl Children {
    /// Starts a hook. What there is to know of it comes as readiness of `token`.
    #[cold]
    pub(super) fn start(
        &mut self,
        id: HookId,
        hook: &Hook,
        env: Vec<(&'static str, String)>,
        registry: &Registry,
        token: Token,
    ) -> io::Result<()> {
        self.watch_deaths(registry, token)?;
        if !std::mem::replace(&mut self.has_started, true) {
            close_on_exec();
        }
        let (sender, mut output) = pipe::new()?;
        // The hook's end waits for the reader, as its program expects; the other one does not.
        sender.set_nonblocking(false)?;
        let second = sender.as_fd().try_clone_to_owned()?;
        registry.register(&mut output, token, Interest::READABLE)?;
        let child = command(hook, env).stdout(OwnedFd::from(sender)).stderr(second).spawn()?;
        self.running.push(Running { id, child, output: Some(output), heard: Vec::new() });
        Ok(())
    }

    /// Reaps the children that are no hooks too, if this process is PID 1: the system makes orphans its
    /// children.
    #[cold]
    pub(super) fn reap_orphans(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        self.reaps_orphans = process::id() == 1;
        if self.reaps_orphans { self.watch_deaths(registry, token) } else { Ok(()) }
    }

    fn watch_deaths(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        if self.deaths.is_none() {
            self.deaths = Some(Deaths::new(registry, token)?);
            self.looked = Some(super::clock::now().instant);
        }
        Ok(())
    }

    /// Kills a hook and what it has started. That it has ended is still told.
    #[cold]
    pub(super) fn kill(&mut self, id: HookId) {
        if let Some(running) = self.running.iter_mut().find(|running| running.id == id) {
            running.kill(Signal::SIGKILL);
        }
    }

    /// Asks all hooks, and what they have started, to end.
    #[cold]
    pub(super) fn terminate(&mut self) {
        self.running.iter_mut().for_each(|running| running.kill(Signal::SIGTERM));
    }

    /// When to look after them again.
    #[inline]
    pub(super) fn next_look(&self) -> Option<Instant> {
        let looked = self.looked?;
        match self.stirred {
            true if self.reaps_orphans || !self.running.is_empty() => Some(looked + LOOK_PAUSE),
            false if !self.running.is_empty() => Some(looked + LOOK_AGAIN),
            _ => None,
        }
    }

    /// Reads what they say; returns those that have ended.
    #[cold]
    pub(super) fn look(&mut self, buffer: &mut [u8], now: Instant) -> Vec<Ended> {
        if self.next_look().is_none_or(|at| at > now) {
            return Vec::new();
        }
        self.stirred = self.deaths.as_ref().is_some_and(|deaths| deaths.drain(buffer));
        self.looked = Some(now);
        let mut ended = Vec::new();
        self.running.retain_mut(|running| {
            // What it said before it ended is there when its end is.
            let end = running.end();
            self.stirred |= running.read(buffer);
            let Some(end) = end else { return true };
            ended.push((running.id, end, running.said()));
            false
        });
        if self.reaps_orphans {
            self.stirred |= reap_others(&self.running);
        }
        ended
    }

    /// Kills and reaps all of them.
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
    /// How it ended, if it has: then what it has left behind ends too.
    #[cfg(target_os = "linux")]
    fn end(&mut self) -> Option<HookEnd> {
        let flags = WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT;
        match waitid(Id::Pid(self.pid()?), flags) {
            Ok(WaitStatus::StillAlive) | Err(Errno::EINTR) => return None,
            // It was reaped elsewhere in this program, and its number may be another's by now.
            Err(Errno::ECHILD) => return Some(HookEnd::Exited(-1)),
            // Also a signal that has no name here.
            Ok(_) | Err(_) => {}
        }
        // Until it is reaped, its number belongs to it and to its process group.
        self.kill(Signal::SIGKILL);
        Some(self.child.wait().map_or(HookEnd::Exited(-1), how))
    }

    /// How it ended, if it has. The system has no way to learn that without reaping it.
    #[cfg(not(target_os = "linux"))]
    fn end(&mut self) -> Option<HookEnd> {
        let end = self.child.try_wait().map_or(Some(HookEnd::Exited(-1)), |status| status.map(how))?;
        self.kill(Signal::SIGKILL);
        Some(end)
    }

    /// Sends a signal to its process group.
    fn kill(&mut self, signal: Signal) {
        if let Some(pid) = self.pid() {
            let _ = killpg(pid, signal);
        }
    }

    fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().map(Pid::from_raw)
    }

    /// Reads what there is, as far as one look lasts; says whether there may be more.
    fn read(&mut self, buffer: &mut [u8]) -> bool {
        let Some(output) = &mut self.output else { return false };
        for _ in 0..READS_PER_LOOK {
            match output.read(buffer) {
                Ok(0) => {
                    self.output = None;
                    return false;
                }
                Ok(len) => {
                    let room = KEPT - self.heard.len();
                    self.heard.extend_from_slice(&buffer[..len.min(room)]);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => return false,
            }
        }
        true
    }

    /// The first line that is not empty.
    fn said(&self) -> String {
        let text = String::from_utf8_lossy(&self.heard);
        let line = text.lines().map(str::trim).find(|line| !line.is_empty());
        printable(line.unwrap_or_default(), SAID_MAX)
    }
}

impl Deaths {
    fn new(registry: &Registry, token: Token) -> io::Result<Deaths> {
        let (sender, mut pipe) = pipe::new()?;
        registry.register(&mut pipe, token, Interest::READABLE)?;
        Ok(Deaths { pipe, handler: register(SIGCHLD, sender)? })
    }

    /// Takes in that children have ended; says whether there may be more of it.
    fn drain(&self, buffer: &mut [u8]) -> bool {
        matches!((&self.pipe).read(buffer), Ok(len) if len == buffer.len())
    }
}

/// The handler holds the pipe's other end.
impl Drop for Deaths {
    fn drop(&mut self) {
        unregister(self.handler);
    }
}

fn command(hook: &Hook, env: Vec<(&'static str, String)>) -> Command {
    let mut words = hook.words().iter();
    let mut command = Command::new(words.next().map_or("", String::as_str));
    command.args(words).stdin(Stdio::null()).process_group(0);
    let private = PRIVATE.map(OsString::from);
    for name in env::vars_os().map(|(name, _)| name).filter(|name| private.contains(name)) {
        command.env_remove(name);
    }
    command.envs(env);
    command
}

/// Reaps children that have ended and are no hooks; says whether there may be more.
#[cfg(target_os = "linux")]
fn reap_others(hooks: &[Running]) -> bool {
    for _ in 0..REAPED_PER_LOOK {
        match waitid(Id::All, WaitPidFlag::WEXITED | WaitPidFlag::WNOHANG | WaitPidFlag::WNOWAIT) {
            Ok(WaitStatus::StillAlive) | Err(Errno::ECHILD) => return false,
            Ok(status) => match status.pid() {
                // A hook that has just ended: its status is for the next look.
                pid if hooks.iter().any(|hook| hook.pid() == pid) => return true,
                pid => drop(waitpid(pid, Some(WaitPidFlag::WNOHANG))),
            },
            // One that was ended by a signal that has no name here.
            Err(_) => drop(waitpid(None, Some(WaitPidFlag::WNOHANG))),
        }
    }
    true
}

#[cfg(not(target_os = "linux"))]
fn reap_others(_hooks: &[Running]) -> bool {
    false
}

fn how(status: ExitStatus) -> HookEnd {
    match (status.code(), status.signal()) {
        (Some(code), _) => HookEnd::Exited(code),
        (None, signal) => HookEnd::Signalled(signal.unwrap_or_default()),
    }
}

/// Makes every descriptor but the first three close on exec: also those that this process was started
/// with. All that it opens itself is opened that way.
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
