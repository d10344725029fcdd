//! The event loop: every socket, signal, process and clock of the daemon, and no protocol.
//!
//! The only floor that touches the operating system. It polls, hands what happened to the engine and
//! does what the engine asks for. Events are edges: a flag per socket remembers that the system may
//! hold more than was read.

mod backoff;
mod children;
mod clock;
mod files;
mod io_error;
mod lifecycle;
mod listener;
mod notify;
mod process_stats;
mod signals;
mod socket;
mod traffic;
mod waker;
mod workers;

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Poll, Token};

use crate::clock::Now;
use crate::engine::ids::ById;
use crate::engine::{CheckResult, ConnId, Engine, HookEnd, Output};
use crate::monitor::TargetUpdate;
use backoff::BackoffSet;
use children::Children;
pub(crate) use clock::{now, random};
use files::Files;
use listener::Listener;
use notify::Notify;
use signals::Signals;
use socket::Socket;
pub(crate) use waker::Waker;
use workers::Workers;

/// Bytes read at once. Every stream is read through this one buffer.
const BUFFER: usize = 16 * 1024;

/// Reads of one connection in one turn, so that one that never ends delays nobody.
const READS_PER_TURN: usize = 4;

/// Events taken from the system at once.
const EVENTS: usize = 256;

const LISTENER: Token = Token(0);
const SIGNALS: Token = Token(1);
const BELL: Token = Token(2);
const CHILDREN: Token = Token(3);
const HANGUP: Token = Token(4);

/// How long until a service manager that takes nothing is told again.
const NOTIFY_AGAIN: Duration = Duration::from_millis(100);

/// How long the loop waits at most while it handles signals: one whose handler could not wake it, and that
/// came just before the wait, is noticed after this time.
const SIGNAL_CHECK: Duration = Duration::from_secs(5);

/// The loop and everything it owns.
pub(crate) struct Reactor {
    poll: Poll,
    events: Events,
    engine: Engine,
    sockets: ById<Socket>,
    listener: Option<Listener>,
    signals: Option<Signals>,
    hangup: Option<Signals>,
    /// The loop is to end.
    stops: Arc<AtomicBool>,
    /// SIGHUP has arrived.
    hung_up: Arc<AtomicBool>,
    /// SIGHUP was reported since the last turn.
    reloads: bool,
    files: Files,
    /// Connections to read from without being told by the system.
    ready_without_event: BTreeSet<ConnId>,
    backoff: BackoffSet,
    /// Connections whose sockets poll does not know yet.
    unregistered: Vec<ConnId>,
    /// Connections to write to.
    writes: Vec<ConnId>,
    verdicts: Vec<CheckResult>,
    /// Lines for people.
    notices: Vec<String>,
    /// The system had more events than were taken in the last turn, perhaps.
    crowded: bool,
    waker: Option<Waker>,
    workers: Workers,
    children: Children,
    notify: Option<Notify>,
    buffer: Vec<u8>,
}

impl Reactor {
    pub(crate) fn new(engine: Engine, hosts: PathBuf, resolv_conf: PathBuf) -> io::Result<Self> {
        Ok(Reactor {
            poll: Poll::new()?,
            events: Events::with_capacity(EVENTS),
            engine,
            sockets: ById::new(),
            listener: None,
            signals: None,
            hangup: None,
            stops: Arc::default(),
            hung_up: Arc::default(),
            reloads: false,
            files: Files::new(hosts, resolv_conf),
            ready_without_event: BTreeSet::new(),
            backoff: BackoffSet::default(),
            unregistered: Vec::new(),
            writes: Vec::new(),
            verdicts: Vec::new(),
            notices: Vec::new(),
            crowded: false,
            waker: None,
            workers: Workers::default(),
            children: Children::default(),
            notify: None,
            buffer: vec![0; BUFFER],
        })
    }

    /// Listens for API clients. Port 0 is any free port; the address that it came to is returned.
    pub(crate) fn listen(&mut self, address: SocketAddr) -> io::Result<SocketAddr> {
        let listener = Listener::open(address, self.poll.registry(), LISTENER)?;
        let address = listener.address()?;
        self.listener = Some(listener);
        Ok(address)
    }

    /// Something that ends a turn of the loop from another thread.
    pub(crate) fn waker(&mut self) -> io::Result<Waker> {
        if let Some(waker) = &self.waker {
            return Ok(waker.clone());
        }
        let waker = Waker::new(self.poll.registry(), BELL)?;
        self.waker = Some(waker.clone());
        Ok(waker)
    }

    /// Starts a check of a target now, unless one is under way.
    pub(crate) fn check_now(&mut self, target: usize) {
        let now = clock::now();
        self.engine.check_now(target, now);
        self.carry_out(now);
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Watches these targets from now on; if that can not be, says why, and all stays as it is.
    pub(crate) fn replace(&mut self, successors: Vec<TargetUpdate>) -> Result<(), String> {
        let now = clock::now();
        self.engine.replace(successors, now)?;
        self.carry_out(now);
        Ok(())
    }

    /// The checks that have ended since the last call.
    pub(crate) fn take_verdicts(&mut self) -> Vec<CheckResult> {
        std::mem::take(&mut self.verdicts)
    }

    /// The lines for people that have come since the last call.
    pub(crate) fn take_notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }

    /// Waits until something happens or is due, for `at_most` so long, and does what is to be done.
    pub(crate) fn turn(&mut self, at_most: Option<Duration>) -> io::Result<()> {
        if std::mem::take(&mut self.reloads) {
            self.engine.notify("READY=1");
            self.carry_out(clock::now());
        }
        let until = at_most.and_then(|at_most| clock::now().instant.checked_add(at_most));
        let mut timeout = self.poll_timeout(until);
        while let Err(error) = self.poll.poll(&mut self.events, timeout) {
            if error.kind() != ErrorKind::Interrupted {
                return Err(error);
            }
            if self.has_signal() {
                break;
            }
            // As by being stopped and continued: what has happened meanwhile is news all the same.
            timeout = self.poll_timeout(until);
        }
        if self.is_told_to_stop() {
            self.engine.start_no_hooks();
        }
        let now = clock::now();
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        let unfinished = std::mem::take(&mut self.ready_without_event);
        for event in &events {
            self.handle_event(event, now);
        }
        self.crowded = events.iter().count() >= EVENTS;
        self.events = events;
        for id in unfinished {
            self.read(id, now);
        }
        for id in self.backoff.take(now.instant) {
            self.read(id, now);
            self.writes.push(id);
        }
        for (job, result) in self.workers.take_done() {
            self.engine.handle_worked(job, result, now);
        }
        self.look_after_children();
        if let Some(notify) = &mut self.notify {
            notify.flush();
        }
        self.carry_out(now);
        self.accept(now);
        // That there is room again is news like any other: deadlines come after it.
        self.write_all(now);
        self.engine.handle_timeout(clock::now());
        self.carry_out(now);
        self.write_all(now);
        self.carry_out(now);
        Ok(())
    }

    /// Sends what waits, as far as the system takes it.
    fn write_all(&mut self, now: Now) {
        let mut writes = std::mem::take(&mut self.writes);
        writes.drain(..).for_each(|id| self.write(id, now));
        // Their memory serves again.
        writes.append(&mut self.writes);
        self.writes = writes;
    }

    /// When the next turn has something to do even if nothing happens.
    pub(crate) fn next_turn(&self) -> Option<Instant> {
        let unfinished =
            self.crowded || self.reloads || !self.ready_without_event.is_empty() || !self.writes.is_empty();
        if unfinished || self.listener.as_ref().is_some_and(|listener| listener.waiting) {
            return Some(clock::now().instant);
        }
        let notify = self.notify.as_ref().filter(|notify| notify.is_behind());
        let notify = notify.map(|_| clock::now().instant + NOTIFY_AGAIN);
        let due = [self.engine.poll_timeout(), self.backoff.until(), self.children.next_look(), notify];
        due.into_iter().flatten().min()
    }

    /// How long the loop may sleep, at most until then.
    fn poll_timeout(&self, until: Option<Instant>) -> Option<Duration> {
        let now = clock::now().instant;
        let check = self.signals.as_ref().or(self.hangup.as_ref()).map(|_| now + SIGNAL_CHECK);
        let wake = self.next_turn().into_iter().chain(until).chain(check).min()?;
        Some(wake.saturating_duration_since(now))
    }

    fn handle_event(&mut self, event: &Event, now: Now) {
        match event.token() {
            LISTENER => {
                if let Some(listener) = &mut self.listener {
                    listener.waiting = true;
                }
            }
            BELL => {}
            CHILDREN => self.children.stirred = true,
            SIGNALS => {
                if let Some(signals) = &mut self.signals {
                    signals.handle_event();
                }
            }
            HANGUP => {
                if let Some(hangup) = &mut self.hangup {
                    hangup.handle_event();
                }
            }
            Token(id) => self.handle_readiness(ConnId(id), event, now),
        }
    }

    /// Does what the engine asks for.
    fn carry_out(&mut self, now: Now) {
        self.process_outputs(now);
        while self.register_opened(now) {
            self.process_outputs(now);
        }
    }

    fn process_outputs(&mut self, now: Now) {
        while let Some(output) = self.engine.poll_output() {
            match output {
                Output::Open { id, transport, to } => self.open(id, transport, to, now),
                Output::Write(id) => self.writes.push(id),
                Output::Read(id) => {
                    if self.sockets.get(id).is_some_and(|socket| socket.unread) {
                        self.ready_without_event.insert(id);
                    }
                }
                Output::Shutdown(id) => {
                    if let Some(socket) = self.sockets.get(id) {
                        socket.shutdown();
                    }
                }
                Output::FinalWrite(id, bytes) => {
                    if let Some(socket) = self.sockets.get_mut(id) {
                        let _ = socket.send(&bytes);
                    }
                }
                Output::Close(id) => {
                    if let Some(socket) = self.sockets.remove(id) {
                        socket.close(&mut self.buffer);
                    }
                    self.ready_without_event.remove(&id);
                    self.backoff.remove(id);
                }
                Output::Accept => {
                    if let Some(listener) = &mut self.listener {
                        listener.waiting = true;
                    }
                }
                Output::RefreshFiles => {
                    let (hosts, resolv_conf) = self.files.refresh(now.instant);
                    self.engine.handle_files(hosts, resolv_conf.as_deref(), now);
                }
                Output::ReadProcessStats => self.engine.handle_process_stats(process_stats::measure(), now),
                Output::BlockingTask(job, work) => {
                    let started = self.waker().and_then(|waker| self.workers.start(job, work, waker));
                    if let Err(error) = started {
                        self.engine.handle_worked(job, io_error::of_thread(&error), now);
                    }
                }
                Output::Spawn { id, hook, env } => {
                    let registry = self.poll.registry();
                    if let Err(error) = self.children.start(id, &hook, env, registry, CHILDREN) {
                        let why = io_error::text(&error);
                        let end = match io_error::may_pass(&error) {
                            true => HookEnd::NoRoom(why),
                            false => HookEnd::NotStarted(why),
                        };
                        self.engine.handle_hook_ended(id, &end, "", now);
                    }
                }
                Output::Kill(id) => self.children.kill(id),
                Output::Notify(text) => {
                    if let Some(notify) = &mut self.notify {
                        notify.send(text);
                    }
                }
                Output::Log(line) => self.notices.push(line),
                Output::CheckResult(verdict) => self.verdicts.push(verdict),
            }
        }
    }
}

/// The descriptor that becomes readable when something has happened.
impl AsRawFd for Reactor {
    fn as_raw_fd(&self) -> RawFd {
        self.poll.as_raw_fd()
    }
}
