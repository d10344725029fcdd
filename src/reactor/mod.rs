//! The event loop: sockets, signals, child processes, files and clocks; no protocol code.
//!
//! It is the only layer that makes system calls. It polls for events, passes them to the engine and
//! executes the engine's outputs. Events are edge-triggered: each socket has a flag for data that may be
//! left unread.
#![allow(clippy::disallowed_types)] // The other layers have no sockets.

mod addresses;
mod children;
mod clock;
mod files;
mod icmp;
mod io_error;
mod lifecycle;
mod listener;
mod local;
mod notify;
mod process_stats;
mod processes;
mod signals;
mod socket;
mod state_file;
mod threads;
mod traffic;

use std::collections::BTreeSet;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::{AsRawFd, RawFd};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::TcpListener;
use mio::{Events, Poll, Token};

use crate::clock::Now;
use crate::engine::ids::ById;
use crate::engine::limits::CLOCK_STALL;
use crate::engine::{CheckResult, ConnId, Engine, Output};
use crate::monitor::{TargetId, TargetUpdate};
use crate::probe::build::Error;
use addresses::Addresses;
pub(crate) use children::first_line;
use children::{ChildId, Children};
pub(crate) use clock::{now, random_numbers};
use files::Files;
#[cfg(feature = "cli")]
pub(crate) use icmp::{PERMISSION, has_permission};
#[cfg(feature = "cli")]
pub(crate) use local::check_permission;
use notify::Notify;
pub(crate) use process_stats::free_descriptors;
use signals::Signals;
use socket::Socket;
use state_file::StateFile;
#[cfg(feature = "cli")]
pub(crate) use state_file::check_state_path;
use threads::ThreadResults;

const BUFFER: usize = 16 * 1024;

/// Reads per connection and turn, so that one connection cannot delay the others.
const READS_PER_TURN: usize = 4;

const EVENTS: usize = 256;

/// Polls for the events of a scheduling delay: see the documentation of the engine.
const POLLS_AFTER_STALL: usize = 64;

const LISTENER: Token = Token(0);
const SIGNALS: Token = Token(1);
const WAKER: Token = Token(2);
const CHILD_OUTPUT: Token = Token(3);

const NOTIFY_RETRY: Duration = Duration::from_millis(100);

/// The longest wait while signals are handled: it bounds the delay of a signal that arrived just before
/// the wait and whose handler could not write to the pipe.
const SIGNAL_CHECK: Duration = Duration::from_secs(5);

/// Ends the wait of the loop from another thread.
pub(crate) type Waker = Arc<mio::Waker>;

pub(crate) struct Reactor {
    poll: Poll,
    events: Events,
    engine: Engine,
    sockets: ById<Socket>,
    listener: Option<TcpListener>,
    /// Clients may be waiting (events are edge-triggered).
    may_accept: bool,
    signals: Option<Signals>,
    stops: Arc<AtomicBool>,
    reload_requested: Arc<AtomicBool>,
    /// A reload was requested since the last turn.
    reloads: bool,
    files: Files,
    addresses: Addresses,
    ready_without_event: BTreeSet<ConnId>,
    /// Connections to read from and write to at `waits_until`.
    waiting: BTreeSet<ConnId>,
    waits_until: Option<Instant>,
    unregistered: Vec<ConnId>,
    writes: Vec<ConnId>,
    results: Vec<CheckResult>,
    notices: Vec<String>,
    has_more_events: bool,
    waker: Option<Waker>,
    thread_results: ThreadResults,
    children: Children,
    state_file: Option<StateFile>,
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
            may_accept: false,
            signals: None,
            stops: Arc::default(),
            reload_requested: Arc::default(),
            reloads: false,
            files: Files::new(hosts, resolv_conf),
            addresses: Addresses::default(),
            ready_without_event: BTreeSet::new(),
            waiting: BTreeSet::new(),
            waits_until: None,
            unregistered: Vec::new(),
            writes: Vec::new(),
            results: Vec::new(),
            notices: Vec::new(),
            has_more_events: false,
            waker: None,
            thread_results: ThreadResults::default(),
            children: Children::default(),
            state_file: None,
            notify: None,
            buffer: vec![0; BUFFER],
        })
    }

    pub(crate) fn listen(&mut self, address: SocketAddr) -> io::Result<SocketAddr> {
        let listener = listener::listen(address, self.poll.registry(), LISTENER)?;
        let address = listener.local_addr()?;
        self.listener = Some(listener);
        Ok(address)
    }

    pub(crate) fn waker(&mut self) -> io::Result<Waker> {
        if let Some(waker) = &self.waker {
            return Ok(waker.clone());
        }
        let waker = Arc::new(mio::Waker::new(self.poll.registry(), WAKER)?);
        self.waker = Some(waker.clone());
        Ok(waker)
    }

    /// Starts a check of a target unless one is in flight.
    pub(crate) fn check_now(&mut self, target: TargetId) {
        self.update(|engine, now| engine.check_now(target, now));
    }

    pub(crate) fn pause(&mut self, target: TargetId, span: Option<Duration>) {
        self.update(|engine, now| engine.pause(target, span, now));
    }

    pub(crate) fn resume(&mut self, target: TargetId) {
        self.update(|engine, now| engine.resume(target, now));
    }

    fn update<T>(&mut self, act: impl FnOnce(&mut Engine, Now) -> T) -> T {
        let now = clock::now();
        let result = act(&mut self.engine, now);
        self.process_outputs(now);
        result
    }

    pub(crate) fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Replaces the targets. On an error, which is returned, nothing changes.
    pub(crate) fn replace(&mut self, updates: Vec<TargetUpdate>) -> Result<(), Error> {
        self.update(|engine, now| engine.replace(updates, now))
    }

    pub(crate) fn take_results(&mut self) -> Vec<CheckResult> {
        std::mem::take(&mut self.results)
    }

    pub(crate) fn take_notices(&mut self) -> Vec<String> {
        std::mem::take(&mut self.notices)
    }

    /// Waits for an event or a deadline, at most for `at_most`, and processes it.
    pub(crate) fn turn(&mut self, at_most: Option<Duration>) -> io::Result<()> {
        if std::mem::take(&mut self.reloads) {
            self.update(|engine, _| engine.notify("READY=1"));
        }
        let until = at_most.and_then(|at_most| clock::now().instant.checked_add(at_most));
        let mut due = self.next_turn();
        let mut timeout = self.poll_timeout(due, until);
        while let Err(error) = self.poll.poll(&mut self.events, timeout) {
            if error.kind() != ErrorKind::Interrupted {
                return Err(error);
            }
            if self.is_stop_requested() || self.reload_requested.load(Ordering::SeqCst) {
                break;
            }
            // For example by SIGSTOP and SIGCONT: events may have arrived meanwhile.
            due = self.next_turn();
            timeout = self.poll_timeout(due, until);
        }
        if self.is_stop_requested() {
            self.engine.start_no_hooks();
        }
        let mut now = clock::now();
        self.process_inputs(now);
        let end = clock::now();
        let expected = due.map_or(now.instant, |due| due.min(now.instant));
        if end.instant.saturating_duration_since(expected) >= CLOCK_STALL {
            // Events of a scheduling delay come before the deadlines that passed in it.
            now = end;
            for _ in 0..POLLS_AFTER_STALL {
                match self.poll.poll(&mut self.events, Some(Duration::ZERO)) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    polled => polled?,
                }
                self.process_inputs(now);
                if !self.has_more_events {
                    break;
                }
            }
        }
        self.engine.handle_timeout(end);
        self.process_outputs(now);
        self.write_all(now);
        self.process_outputs(now);
        Ok(())
    }

    /// Processes everything but deadlines.
    fn process_inputs(&mut self, now: Now) {
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        let unfinished = std::mem::take(&mut self.ready_without_event);
        for event in &events {
            self.handle_event(event, now);
        }
        self.has_more_events = events.iter().count() >= EVENTS;
        self.events = events;
        for id in unfinished {
            self.read(id, now);
        }
        if self.waits_until.take_if(|until| *until <= now.instant).is_some() {
            for id in std::mem::take(&mut self.waiting) {
                self.read(id, now);
                self.writes.push(id);
            }
        }
        self.handle_thread_results(now);
        self.check_children();
        if let Some(notify) = &mut self.notify {
            notify.flush();
        }
        self.process_outputs(now);
        self.accept(now);
        // Writes come before deadlines: a completed write can meet its deadline.
        self.write_all(now);
    }

    fn write_all(&mut self, now: Now) {
        let mut writes = std::mem::take(&mut self.writes);
        writes.drain(..).for_each(|id| self.write(id, now));
        // Keep the allocation.
        writes.append(&mut self.writes);
        self.writes = writes;
    }

    /// When the next turn is due even without events.
    pub(crate) fn next_turn(&self) -> Option<Instant> {
        let unfinished = self.has_more_events
            || self.reloads
            || !self.ready_without_event.is_empty()
            || !self.writes.is_empty()
            || (self.may_accept && self.listener.is_some());
        if unfinished {
            return Some(clock::now().instant);
        }
        let notify = self.notify.as_ref().filter(|notify| !notify.unsent.is_empty());
        let notify = notify.map(|_| clock::now().instant + NOTIFY_RETRY);
        let due = [self.engine.poll_timeout(), self.waits_until, self.children.next_check(), notify];
        due.into_iter().flatten().min()
    }

    fn poll_timeout(&self, due: Option<Instant>, until: Option<Instant>) -> Option<Duration> {
        let now = clock::now().instant;
        let check = self.signals.as_ref().map(|_| now + SIGNAL_CHECK);
        let wake = due.into_iter().chain(until).chain(check).min()?;
        Some(wake.saturating_duration_since(now))
    }

    fn handle_event(&mut self, event: &Event, now: Now) {
        match event.token() {
            LISTENER => self.may_accept = true,
            WAKER => {}
            CHILD_OUTPUT => self.children.has_events = true,
            SIGNALS => {
                if let Some(signals) = &mut self.signals {
                    signals.drain();
                }
            }
            Token(id) => self.handle_readiness(ConnId(id), event, now),
        }
    }

    fn process_outputs(&mut self, now: Now) {
        loop {
            while let Some(output) = self.engine.poll_output() {
                self.process_output(output, now);
            }
            if !self.register_opened(now) {
                return;
            }
        }
    }

    fn process_output(&mut self, output: Output, now: Now) {
        match output {
            Output::Open { id, transport, to, network } => self.open(id, transport, to, network, now),
            // The time of a ping is measured from here.
            Output::Write(id) if self.sockets.get(id).is_some_and(Socket::is_icmp) => self.write(id, now),
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
                self.waiting.remove(&id);
            }
            Output::Accept => self.may_accept = true,
            Output::RefreshFiles => {
                let (hosts, resolv_conf) = self.files.refresh(now.instant);
                self.engine.handle_files(hosts, resolv_conf.as_deref(), now);
            }
            Output::CheckAddresses => self.check_addresses(now),
            Output::ReadProcessStats => {
                self.engine.handle_process_stats(process_stats::read_process_stats(), now)
            }
            Output::BlockingTask(job, task) => self.start_task(job, task, now),
            Output::Exec { id, program, target } => self.start_program(id, &program, &target, now),
            Output::KillProgram(id) => self.children.kill(ChildId::Check(id)),
            Output::Spawn { id, hook, env } => self.start_hook(id, &hook, env, now),
            Output::Kill(id) => self.children.kill(ChildId::Hook(id)),
            Output::WriteState(piece) => self.write_state(piece, now),
            Output::Notify(text) => {
                if let Some(notify) = &mut self.notify {
                    notify.send(text);
                }
            }
            Output::Log(line) => self.notices.push(line),
            Output::CheckResult(result) => self.results.push(result),
        }
    }
}

/// The epoll descriptor, readable when there are events.
impl AsRawFd for Reactor {
    fn as_raw_fd(&self) -> RawFd {
        self.poll.as_raw_fd()
    }
}
