//! A monitor at work on a thread of its own, and the handle to it.

use std::fmt;
use std::io;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use super::names::ResolverConfig;
use super::once::no_guard;
use crate::engine::Schedule;
use crate::fsm::State;
use crate::monitor::Monitor;
use crate::reactor::{self, Reactor, Waker};
use crate::result::{ProbeResult, Reason};
use crate::snapshot::Snapshot;

impl Monitor {
    /// Starts to watch the target on a thread of its own; the first check begins at once.
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
    /// The system's, of making an event loop or a thread.
    pub fn start(self) -> io::Result<MonitorHandle> {
        self.start_with(ResolverConfig::default())
    }

    /// The same, with names resolved in this way.
    ///
    /// # Errors
    /// As [`Monitor::start`].
    pub fn start_with(self, names: ResolverConfig) -> io::Result<MonitorHandle> {
        let mut reactor = names.reactor(vec![self], Schedule::Beat, no_guard())?;
        let waker = reactor.waker()?;
        let (orders, received) = channel();
        let last = snapshot(&reactor);
        let thread =
            thread::Builder::new().name("pingstate".to_owned()).spawn(move || watch(reactor, &received))?;
        Ok(MonitorHandle { orders, waker, thread: Some(thread), last })
    }
}

/// A monitor at work. It stops when this is dropped.
///
/// The state machine stays on the monitor's own thread; the handle asks it by message, so that there
/// is no lock. The answer comes at once, unless a closure of the program holds up that thread. Should
/// the handle be used by the monitor's own probe, on that very thread, it is not answered: then
/// [`MonitorHandle::snapshot`] is that of the start.
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
    orders: Sender<Order>,
    waker: Waker,
    thread: Option<JoinHandle<()>>,
    /// What there is to tell if the thread is gone.
    last: Snapshot,
}

enum Order {
    Snapshot(Sender<Snapshot>),
    CheckNow(Sender<ProbeResult>),
    Stop,
}

impl MonitorHandle {
    /// What is known of the target now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        self.ask(Order::Snapshot).unwrap_or_else(|| self.last.clone())
    }

    /// The target's state now.
    #[must_use]
    pub fn state(&self) -> State {
        self.snapshot().state
    }

    /// Checks the target now, outside the schedule, and waits for the result. A check that is under way
    /// already will do, one that has ended will not. The result counts like any other. It takes
    /// the probe's timeout at most, and that once more for each of [`Monitor::retries`], after
    /// [`Monitor::retry_interval`].
    pub fn check_now(&self) -> ProbeResult {
        let gone = || ProbeResult::down(Reason::Local, "the monitor has stopped, or this is its own thread");
        self.ask(Order::CheckNow).unwrap_or_else(gone)
    }

    /// Stops watching and waits until everything is closed. What was known last is returned.
    pub fn stop(mut self) -> Snapshot {
        let last = self.snapshot();
        self.end();
        last
    }

    /// `None` if the thread is gone, or is the one that asks and would wait for itself for ever.
    fn ask<T>(&self, order: impl FnOnce(Sender<T>) -> Order) -> Option<T> {
        if self.is_own_thread() {
            return None;
        }
        let (sender, answer) = channel();
        self.orders.send(order(sender)).ok()?;
        self.waker.wake();
        answer.recv().ok()
    }

    fn end(&mut self) {
        let own = self.is_own_thread();
        let Some(thread) = self.thread.take() else { return };
        let _ = self.orders.send(Order::Stop);
        self.waker.wake();
        if !own {
            let _ = thread.join();
        }
    }

    /// Whether this is called by the monitor's own probe: a handle that was given to it.
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
        f.debug_struct("MonitorHandle").field("probe", &self.last.probe).finish_non_exhaustive()
    }
}

/// The thread's life: it ends when it is told to, or when its handle is gone.
fn watch(mut reactor: Reactor, orders: &Receiver<Order>) {
    let mut waiting: Vec<Sender<ProbeResult>> = Vec::new();
    while reactor.turn(None).is_ok() {
        drop(reactor.take_notices());
        // Who asks now is not told what ended before.
        answer(&mut reactor, &mut waiting);
        for order in orders.try_iter() {
            match order {
                Order::Snapshot(reply) => {
                    let _ = reply.send(snapshot(&reactor));
                }
                Order::CheckNow(reply) => {
                    waiting.push(reply);
                    reactor.check_now(0);
                }
                Order::Stop => return,
            }
        }
        answer(&mut reactor, &mut waiting);
    }
}

/// Tells those who wait for a check what it found, if it has ended.
fn answer(reactor: &mut Reactor, waiting: &mut Vec<Sender<ProbeResult>>) {
    for verdict in reactor.take_verdicts() {
        for reply in waiting.drain(..) {
            let _ = reply.send(verdict.result.clone());
        }
    }
}

fn snapshot(reactor: &Reactor) -> Snapshot {
    let watch = reactor.engine().fleet().watch(0);
    Snapshot::of(watch.name(), watch.target(), watch.fsm(), reactor::now())
}
