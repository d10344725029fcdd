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
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use mio::unix::pipe::{self, Receiver};
use mio::{Interest, Registry, Token};
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use signal_hook::SigId;
use signal_hook::consts::SIGCHLD;
use signal_hook::low_level::{pipe::register, unregister};

use crate::engine::{HookEnd, HookId};
use crate::monitor::Hook;
use crate::verdict::printable;

/// How much of a hook's output is kept, in bytes. The rest is read and forgotten.
const KEPT: usize = 1024;

/// How much of its first line is told, in characters.
const SAID_MAX: usize = 200;

/// Reads of one hook's output at one look: as much as a pipe holds.
const READS_PER_LOOK: usize = 4;

/// How long a look is followed by no other: one that never stops talking is not listened to all the time.
const LOOK_PAUSE: Duration = Duration::from_millis(10);

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
        if self.deaths.is_none() {
            self.deaths = Some(Deaths::new(registry, token)?);
            close_on_exec();
        }
        let (sender, mut output) = pipe::new()?;
        // The hook's end waits for the reader, as its program expects; the other one does not.
        sender.set_nonblocking(false)?;
        let second = sender.as_fd().try_clone_to_owned()?;
        registry.register(&mut output, token, Interest::READABLE)?;
        let child = command(hook, env).stdout(OwnedFd::from(sender)).stderr(second).spawn()?;
        self.running.push(Running { id, child, output: Some(output), heard: Vec::new() });
        self.looked.get_or_insert_with(|| super::clock::now().instant);
        Ok(())
    }

    /// Kills a hook and what it has started. That it has ended is still told.
    #[cold]
    pub(super) fn kill(&mut self, id: HookId) {
        if let Some(running) = self.running.iter_mut().find(|running| running.id == id) {
            running.kill();
        }
    }

    /// When to look after them again.
    #[inline]
    pub(super) fn next_look(&self) -> Option<Instant> {
        let looked = self.looked.filter(|_| !self.running.is_empty())?;
        Some(looked + if self.stirred { LOOK_PAUSE } else { LOOK_AGAIN })
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
        ended
    }

    /// Kills and reaps all of them.
    #[cold]
    pub(super) fn end_all(&mut self) {
        for mut running in self.running.drain(..) {
            running.kill();
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
    fn end(&mut self) -> Option<HookEnd> {
        let end = match self.child.try_wait() {
            Ok(status) => how(status?),
            // Somebody else in this program has waited for it.
            Err(_) => HookEnd::Exited(-1),
        };
        self.kill();
        Some(end)
    }

    /// Kills its process group, whose number is not given again as long as there is anybody in it.
    fn kill(&mut self) {
        if let Ok(id) = i32::try_from(self.child.id()) {
            let _ = killpg(Pid::from_raw(id), Signal::SIGKILL);
        }
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
