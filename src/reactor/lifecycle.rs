//! Start, reload and stop: the signals for them, and what the service manager is told.

use std::io;

use super::notify::Notify;
use super::signals::{SIGHUP, SIGINT, SIGTERM, Signals};
use super::{HANGUP, Reactor, SIGNALS, clock};

impl Reactor {
    /// Takes SIGINT and SIGTERM from now on.
    pub(crate) fn listen_to_signals(&mut self) -> io::Result<()> {
        self.signals = Some(Signals::new(&[SIGINT, SIGTERM], self.poll.registry(), SIGNALS)?);
        Ok(())
    }

    /// Takes SIGHUP from now on.
    pub(crate) fn listen_to_hangup(&mut self) -> io::Result<()> {
        self.hangup = Some(Signals::new(&[SIGHUP], self.poll.registry(), HANGUP)?);
        Ok(())
    }

    /// Tells the service manager that the daemon serves, and from now on how it does, if the environment
    /// names one.
    pub(crate) fn notify_manager(&mut self) {
        let Some((notify, watchdog)) = Notify::from_env() else { return };
        self.notify = Some(notify);
        let now = clock::now();
        self.engine.supervise(watchdog, now);
        self.carry_out(now);
    }

    /// Ends what would outlive the loop: there will be no further turn.
    pub(crate) fn stop(&mut self) {
        self.engine.notify("STOPPING=1");
        self.carry_out(clock::now());
        self.children.end_all();
    }

    /// Whether SIGINT or SIGTERM has come.
    pub(crate) fn is_told_to_stop(&self) -> bool {
        self.signals.as_ref().is_some_and(Signals::received)
    }

    pub(crate) fn reload_failed(&mut self, reason: &str) {
        let now = clock::now();
        self.engine.note_reload(reason, now);
        self.carry_out(now);
    }

    /// Whether SIGHUP has come since the last call. What is done about it is done by the next turn, and
    /// the service manager is told so.
    pub(crate) fn is_hung_up(&mut self) -> bool {
        let is_hung_up = self.hangup.as_mut().is_some_and(Signals::take);
        if is_hung_up {
            self.reloads = true;
            // With the time of the monotonic clock, the manager knows that the next READY=1 is about this
            // reload (sd_notify(3)).
            self.engine.notify(&format!("RELOADING=1\nMONOTONIC_USEC={}", clock::monotonic_us()));
            self.carry_out(clock::now());
        }
        is_hung_up
    }
}
