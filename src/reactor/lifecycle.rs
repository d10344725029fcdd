//! Start, reload and stop: the signals for them, and what the service manager is told.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::notify::Notify;
use super::signals::{SIGHUP, SIGINT, SIGTERM, Signals};
use super::{CHILDREN, HANGUP, Reactor, SIGNALS, clock};

/// How long hooks have to end after SIGTERM when the loop stops.
const STOP_GRACE: Duration = Duration::from_secs(2);

impl Reactor {
    /// Handles SIGINT and SIGTERM from now on: they set the flag of [`Reactor::stop_flag`].
    pub(crate) fn listen_to_signals(&mut self) -> io::Result<()> {
        self.signals = Some(Signals::new(&[SIGINT, SIGTERM], &self.stops, self.poll.registry(), SIGNALS)?);
        Ok(())
    }

    /// Handles SIGHUP from now on.
    pub(crate) fn listen_to_hangup(&mut self) -> io::Result<()> {
        self.hangup = Some(Signals::new(&[SIGHUP], &self.hung_up, self.poll.registry(), HANGUP)?);
        Ok(())
    }

    /// Adopts the orphans of other processes and reaps them, if this process is PID 1.
    pub(crate) fn reap_orphans(&mut self) -> io::Result<()> {
        self.children.reap_orphans(self.poll.registry(), CHILDREN)
    }

    /// Tells the service manager that the daemon serves, and from now on how it does, if the environment
    /// names one.
    pub(crate) fn notify_manager(&mut self) {
        let Some((notify, watchdog)) = Notify::from_env() else { return };
        self.notify = Some(notify);
        let now = clock::now();
        self.engine.attach_service_manager(watchdog, now);
        self.carry_out(now);
    }

    /// The flag that ends the loop. Whoever sets it wakes the loop too.
    pub(crate) fn stop_flag(&self) -> Arc<AtomicBool> {
        self.stops.clone()
    }

    pub(crate) fn is_told_to_stop(&self) -> bool {
        self.stops.load(Ordering::SeqCst)
    }

    /// Whether a signal has arrived whose effect is outside of the loop.
    pub(super) fn has_signal(&self) -> bool {
        self.is_told_to_stop() || self.hung_up.load(Ordering::SeqCst)
    }

    /// Ends what would outlive the loop: there will be no further turn. Hooks get SIGTERM and some time.
    pub(crate) fn stop(&mut self) {
        self.engine.stop();
        self.carry_out(clock::now());
        self.children.terminate();
        let until = clock::now().instant + STOP_GRACE;
        while let Some(look) = self.children.next_look() {
            let now = clock::now();
            if now.instant >= until {
                break;
            }
            let wait = look.min(until).saturating_duration_since(now.instant);
            // Interrupted or not, they are looked after.
            let _ = self.poll.poll(&mut self.events, Some(wait));
            self.children.stirred |= self.events.iter().any(|event| event.token() == CHILDREN);
            self.look_after_children();
        }
        self.children.end_all();
        self.carry_out(clock::now());
    }

    /// Tells the engine which hooks have ended.
    pub(super) fn look_after_children(&mut self) {
        let now = clock::now();
        for (id, end, said) in self.children.look(&mut self.buffer, now.instant) {
            self.engine.handle_hook_ended(id, &end, &said, now);
        }
    }

    pub(crate) fn reload_failed(&mut self, reason: &str) {
        let now = clock::now();
        self.engine.note_reload(reason, now);
        self.carry_out(now);
    }

    /// Whether SIGHUP has arrived since the last call. What is done about it is done by the next turn, and
    /// the service manager is told so.
    pub(crate) fn take_reload_request(&mut self) -> bool {
        let take_reload_request = self.hung_up.swap(false, Ordering::SeqCst);
        if take_reload_request {
            self.reloads = true;
            // With the time of the monotonic clock, the manager knows that the next READY=1 is about this
            // reload (sd_notify(3)).
            self.engine.notify(&format!("RELOADING=1\nMONOTONIC_USEC={}", clock::monotonic_us()));
            self.carry_out(clock::now());
        }
        take_reload_request
    }
}
