//! Start, reload and stop: signals and service manager notifications.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::notify::Notify;
use super::signals::{SIGHUP, SIGINT, SIGTERM, Signals};
use super::{CHILDREN, HANGUP, Reactor, SIGNALS, clock};

/// The time between SIGTERM and SIGKILL for hooks when the loop stops.
const STOP_GRACE: Duration = Duration::from_secs(2);

impl Reactor {
    /// Installs handlers for SIGINT and SIGTERM, which set the flag of [`Reactor::stop_flag`].
    pub(crate) fn listen_to_signals(&mut self) -> io::Result<()> {
        self.signals = Some(Signals::new(&[SIGINT, SIGTERM], &self.stops, self.poll.registry(), SIGNALS)?);
        Ok(())
    }

    pub(crate) fn listen_to_hangup(&mut self) -> io::Result<()> {
        self.hangup = Some(Signals::new(&[SIGHUP], &self.hung_up, self.poll.registry(), HANGUP)?);
        Ok(())
    }

    /// Reaps orphaned processes if this process is PID 1.
    pub(crate) fn reap_orphans(&mut self) -> io::Result<()> {
        self.children.reap_orphans(self.poll.registry(), CHILDREN)
    }

    /// Starts notifications to the service manager that the environment names, if any.
    pub(crate) fn notify_manager(&mut self) {
        let Some((notify, watchdog)) = Notify::from_env() else { return };
        self.notify = Some(notify);
        let now = clock::now();
        self.engine.attach_service_manager(watchdog, now);
        self.carry_out(now);
    }

    /// The flag that ends the loop. Wake the loop after setting it.
    pub(crate) fn stop_flag(&self) -> Arc<AtomicBool> {
        self.stops.clone()
    }

    pub(crate) fn is_stop_requested(&self) -> bool {
        self.stops.load(Ordering::SeqCst)
    }

    /// Whether a signal has arrived that must end the current turn.
    pub(super) fn has_signal(&self) -> bool {
        self.is_stop_requested() || self.hung_up.load(Ordering::SeqCst)
    }

    /// Stops the engine and all hooks: SIGTERM, then SIGKILL after [`STOP_GRACE`]. No turn may follow.
    pub(crate) fn stop(&mut self) {
        self.engine.stop();
        self.carry_out(clock::now());
        self.children.terminate();
        let until = clock::now().instant + STOP_GRACE;
        while let Some(check) = self.children.next_check() {
            let now = clock::now();
            if now.instant >= until {
                break;
            }
            let wait = check.min(until).saturating_duration_since(now.instant);
            // The children are checked even if the wait was interrupted.
            let _ = self.poll.poll(&mut self.events, Some(wait));
            self.children.has_events |= self.events.iter().any(|event| event.token() == CHILDREN);
            self.check_children();
        }
        self.children.end_all();
        self.carry_out(clock::now());
    }

    /// Passes the hooks that have ended to the engine.
    pub(super) fn check_children(&mut self) {
        let now = clock::now();
        for (id, end, line) in self.children.check(&mut self.buffer, now.instant) {
            self.engine.handle_hook_ended(id, &end, &line, now);
        }
    }

    pub(crate) fn reload_failed(&mut self, reason: &str) {
        let now = clock::now();
        self.engine.note_refused_reload(reason, now);
        self.carry_out(now);
    }

    /// Whether SIGHUP has arrived since the last call. If so, the service manager is notified that a reload
    /// has started, and with the next turn that it has ended.
    pub(crate) fn take_reload_request(&mut self) -> bool {
        let is_requested = self.hung_up.swap(false, Ordering::SeqCst);
        if is_requested {
            self.reloads = true;
            // The timestamp associates the next READY=1 with this reload (sd_notify(3)).
            self.engine.notify(&format!("RELOADING=1\nMONOTONIC_USEC={}", clock::monotonic_us()));
            self.carry_out(clock::now());
        }
        is_requested
    }
}
