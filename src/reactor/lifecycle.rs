//! Start, reload and stop: signals and service manager notifications.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use std::{io, process};

use super::notify::Notify;
use super::signals::{SIGCHLD, SIGHUP, SIGINT, SIGTERM, Signals};
use super::state_file::STOP_TIMEOUT;
use super::{CHILD_OUTPUT, Reactor, SIGNALS, clock};
use crate::probe::build::PeriodicRequest;
#[cfg(feature = "cli")]
use crate::text::token::Token;

/// Between SIGTERM and SIGKILL for hooks.
const STOP_GRACE: Duration = Duration::from_secs(2);

impl Reactor {
    pub(crate) fn listen_to_signals(&mut self) -> io::Result<()> {
        for signal in [SIGINT, SIGTERM] {
            self.handle_signal(signal, &self.stops.clone())?;
        }
        Ok(())
    }

    pub(crate) fn listen_to_hangup(&mut self) -> io::Result<()> {
        self.handle_signal(SIGHUP, &self.reload_requested.clone())
    }

    pub(crate) fn reap_orphans(&mut self) -> io::Result<()> {
        // The kernel reparents orphans to PID 1.
        self.children.reaps_orphans = process::id() == 1;
        if self.children.reaps_orphans { self.listen_to_exits() } else { Ok(()) }
    }

    pub(super) fn listen_to_exits(&mut self) -> io::Result<()> {
        if self.children.checked.is_none() {
            self.handle_signal(SIGCHLD, &self.children.has_exits.clone())?;
            self.children.checked = Some(clock::now().instant);
        }
        Ok(())
    }

    fn handle_signal(&mut self, signal: i32, flag: &Arc<AtomicBool>) -> io::Result<()> {
        let signals = match self.signals.take() {
            Some(signals) => signals,
            None => Signals::new(self.poll.registry(), SIGNALS)?,
        };
        self.signals.insert(signals).handle(signal, flag)
    }

    pub(crate) fn notify_manager(&mut self) {
        let Some((notify, watchdog)) = Notify::from_env() else { return };
        self.notify = Some(notify);
        self.update(|engine, now| engine.attach_service_manager(watchdog, now));
    }

    pub(crate) fn start_requests(&mut self, push: Option<PeriodicRequest>, alive: Option<PeriodicRequest>) {
        self.update(|engine, now| engine.attach_requests(push, alive, now));
    }

    pub(crate) fn record_history(&mut self, days: u8) {
        self.update(|engine, now| engine.record_history(days, now));
    }

    pub(crate) fn stop_flag(&self) -> Arc<AtomicBool> {
        self.stops.clone()
    }

    pub(crate) fn is_stop_requested(&self) -> bool {
        self.stops.load(Ordering::SeqCst)
    }

    /// Stops the engine and all children: SIGTERM to hooks, then SIGKILL after [`STOP_GRACE`]. No turn may follow.
    pub(crate) fn stop(&mut self) {
        self.update(|engine, _| engine.stop());
        self.children.terminate();
        self.update(|engine, now| engine.finish_state(now));
        let start = clock::now().instant;
        let until = start + STOP_GRACE;
        while let Some(check) = self.children.next_check() {
            let now = clock::now();
            if now.instant >= until {
                break;
            }
            let wait = check.min(until).saturating_duration_since(now.instant);
            // The children are checked even if the wait was interrupted.
            let _ = self.poll.poll(&mut self.events, Some(wait));
            self.children.has_events |= self.events.iter().any(|event| event.token() == CHILD_OUTPUT);
            self.check_children();
        }
        self.children.end_all();
        self.process_outputs(clock::now());
        self.finish_state(start + STOP_TIMEOUT);
    }

    /// Waits until the state file is written, but not longer than until this time.
    #[cold]
    fn finish_state(&mut self, until: Instant) {
        loop {
            let now = clock::now();
            self.handle_last_thread_results(now);
            self.process_outputs(now);
            if !self.engine.is_writing_state() {
                return;
            }
            if now.instant >= until {
                self.notices.push("state file: not written at stop: the write takes too long".to_owned());
                return;
            }
            let _ = self.poll.poll(&mut self.events, Some(until - now.instant));
        }
    }

    #[cfg(feature = "cli")]
    pub(crate) fn always_list(&mut self) {
        self.engine.always_list();
    }

    #[cfg(feature = "cli")]
    pub(crate) fn set_token(&mut self, token: Option<Token>, protects_reads: bool) {
        self.engine.set_token(token, protects_reads);
    }

    pub(crate) fn reload_failed(&mut self, reason: &str) {
        self.update(|engine, now| engine.note_refused_reload(reason, now));
    }

    /// Whether SIGHUP has arrived since the last call. If so, the service manager is notified that a reload
    /// has started, and with the next turn that it has ended.
    pub(crate) fn take_reload_request(&mut self) -> bool {
        let is_requested = self.reload_requested.swap(false, Ordering::SeqCst);
        if is_requested {
            self.reloads = true;
            // The timestamp associates the next READY=1 with this reload (sd_notify(3)).
            let text = format!("RELOADING=1\nMONOTONIC_USEC={}", clock::monotonic_us());
            self.update(|engine, _| engine.notify(&text));
        }
        is_requested
    }
}
