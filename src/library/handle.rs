//! A monitor on its own thread, and its handle.

use std::fmt;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::once::no_access;
use super::resolver_config::ResolverConfig;
use crate::engine::Schedule;
use crate::fsm::State;
use crate::monitor::{Monitor, Target};
use crate::reactor::{self, Reactor, Waker};
use crate::result::{ProbeResult, Reason};
use crate::snapshot::{Snapshot, View};

impl Monitor {
    /// Starts monitoring on a new thread; the first check starts at once.
    ///
    /// ```
    /// # use std::net::TcpListener;
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let port = listener.local_addr()?.port();
    /// use pingstate::{Monitor, probe};
    /// use std::time::Duration;
    ///
    /// let probe = probe("tcp", "127.0.0.1", port).build()?;
    /// let monitor = Monitor::new(probe).interval(Duration::from_secs(5)).start()?;
    /// // Do other work …
    /// println!("{}", monitor.state()); // unknown, and up in a moment
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// An [`Error`](crate::Error) of kind [`InvalidInput`](io::ErrorKind::InvalidInput) if a setting is invalid;
    /// otherwise the event loop or the thread could not be created.
    ///
    /// ```
    /// use pingstate::{Error, Monitor, blocking};
    /// use std::time::Duration;
    ///
    /// let error = Monitor::new(blocking("db", || true)).interval(Duration::ZERO).start().unwrap_err();
    /// let error: Error = error.downcast()?;
    /// assert_eq!(error.to_string(), "interval: 0ns is not between 1ms and 315360000s");
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn start(self) -> io::Result<MonitorHandle> {
        self.start_with(ResolverConfig::default())
    }

    /// Like [`Monitor::start`], with this configuration of name resolution.
    ///
    /// # Errors
    /// As [`Monitor::start`].
    pub fn start_with(self, resolver: ResolverConfig) -> io::Result<MonitorHandle> {
        let mut reactor = resolver.reactor(vec![self], Schedule::Repeated, no_access())?;
        let waker = reactor.waker()?;
        let (requests, received) = channel();
        let last = snapshot(&reactor);
        let thread =
            thread::Builder::new().name("pingstate".to_owned()).spawn(move || run(reactor, &received))?;
        Ok(MonitorHandle { requests, waker, thread: Some(thread), last })
    }
}

/// A running monitor. It stops when this is dropped.
///
/// The state machine stays on the monitor's thread; the handle sends it messages, without locks. Replies
/// are immediate unless a closure blocks that thread. If the monitor's own probe uses the handle on that
/// thread, there is no reply: [`MonitorHandle::snapshot`] then returns the snapshot of the start.
///
/// ```
/// # use std::net::TcpListener;
/// # let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let port = listener.local_addr()?.port();
/// use pingstate::{Event, Monitor, State, probe};
///
/// let monitor = Monitor::new(probe("tcp", "127.0.0.1", port).build()?).start()?;
/// assert!(monitor.check_now().ok);
/// let snapshot = monitor.snapshot();
/// assert_eq!((snapshot.state, snapshot.last_event), (State::Up, Some(Event::Ok)));
/// print!("{}", snapshot.to_json());
/// let last = monitor.stop();
/// assert_eq!(last.transitions, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct MonitorHandle {
    requests: Sender<Request>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
    /// Returned if the thread has ended.
    last: Snapshot,
}

enum Request {
    Snapshot(Sender<Snapshot>),
    CheckNow(Sender<ProbeResult>),
    Pause(Option<Duration>, Sender<()>),
    Resume(Sender<()>),
    Stop,
}

impl MonitorHandle {
    /// The current snapshot of the target.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.request(Request::Snapshot).unwrap_or_else(|| self.last.clone())
    }

    /// The current state of the target.
    #[must_use]
    pub fn state(&self) -> State {
        self.snapshot().state
    }

    /// Checks the target now, outside the schedule, and waits for the result. If a check is in flight,
    /// its result is returned. The result counts like any other. A paused target is not checked: the result is then a
    /// failure with [`Reason::Local`]. The call takes at most the probe's
    /// timeout, plus [`Monitor::retry_interval`] and the timeout for each of [`Monitor::retries`].
    pub fn check_now(&self) -> ProbeResult {
        let stopped =
            || ProbeResult::down(Reason::Local, "the monitor has stopped, or this is its own thread");
        self.request(Request::CheckNow).unwrap_or_else(stopped)
    }

    /// Pauses the target for this time, or with `None` until [`MonitorHandle::resume`]. It is not checked meanwhile and
    /// its state is unknown; a check in flight ends without a result. A pause replaces an earlier one. More than
    /// [`Monitor::INTERVAL_MAX`] counts as `None`.
    ///
    /// ```
    /// use pingstate::{Monitor, State, blocking};
    /// use std::time::Duration;
    ///
    /// let monitor = Monitor::new(blocking("disk", || true)).start()?;
    /// assert!(monitor.check_now().ok);
    /// monitor.pause(Duration::from_secs(3600));
    /// assert_eq!(monitor.state(), State::Unknown);
    /// assert!(monitor.snapshot().paused_until.is_some());
    /// assert_eq!(monitor.check_now().detail, "the target is paused");
    /// monitor.resume();
    /// assert!(monitor.check_now().ok);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn pause(&self, time: impl Into<Option<Duration>>) {
        let time = time.into();
        let _ = self.request(|done| Request::Pause(time, done));
    }

    /// Ends the pause of the target, whose next check starts at once.
    pub fn resume(&self) {
        let _ = self.request(Request::Resume);
    }

    /// Stops monitoring, waits until everything is closed, and returns the last snapshot.
    pub fn stop(mut self) -> Snapshot {
        let last = self.snapshot();
        self.end();
        last
    }

    /// `None` if the thread has ended, or is the current one, which would deadlock.
    fn request<T>(&self, request: impl FnOnce(Sender<T>) -> Request) -> Option<T> {
        if self.is_own_thread() {
            return None;
        }
        let (sender, reply) = channel();
        self.requests.send(request(sender)).ok()?;
        let _ = self.waker.wake();
        reply.recv().ok()
    }

    fn end(&mut self) {
        let own = self.is_own_thread();
        let Some(thread) = self.thread.take() else { return };
        let _ = self.requests.send(Request::Stop);
        let _ = self.waker.wake();
        if !own {
            let _ = thread.join();
        }
    }

    fn is_own_thread(&self) -> bool {
        self.thread.as_ref().is_some_and(|thread| thread.thread().id() == thread::current().id())
    }
}

impl Drop for MonitorHandle {
    fn drop(&mut self) {
        self.end();
    }
}

impl fmt::Debug for MonitorHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MonitorHandle").field("url", &self.last.url).finish_non_exhaustive()
    }
}

fn run(mut reactor: Reactor, requests: &Receiver<Request>) {
    let mut waiting: Vec<Sender<ProbeResult>> = Vec::new();
    while reactor.turn(None).is_ok() {
        drop(reactor.take_notices());
        // A result from before a request is not the reply to it.
        send_results(&mut reactor, &mut waiting);
        for request in requests.try_iter() {
            match request {
                Request::Snapshot(reply) => {
                    let _ = reply.send(snapshot(&reactor));
                }
                Request::CheckNow(reply) => {
                    waiting.push(reply);
                    reactor.check_now(target(&reactor).id());
                }
                Request::Pause(time, done) => {
                    send_results(&mut reactor, &mut waiting);
                    reactor.pause(target(&reactor).id(), time);
                    let _ = done.send(());
                }
                Request::Resume(done) => {
                    reactor.resume(target(&reactor).id());
                    let _ = done.send(());
                }
                Request::Stop => return,
            }
        }
        send_results(&mut reactor, &mut waiting);
        if target(&reactor).is_paused() {
            for reply in waiting.drain(..) {
                let _ = reply.send(ProbeResult::down(Reason::Local, "the target is paused"));
            }
        }
    }
}

fn send_results(reactor: &mut Reactor, waiting: &mut Vec<Sender<ProbeResult>>) {
    for check in reactor.take_results() {
        for reply in waiting.drain(..) {
            let _ = reply.send(check.result.clone());
        }
    }
}

fn target(reactor: &Reactor) -> &Target {
    &reactor.engine().targets().list()[0]
}

fn snapshot(reactor: &Reactor) -> Snapshot {
    View::of_target(target(reactor), reactor::now()).to_snapshot()
}
