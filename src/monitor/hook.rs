//! Hooks and webhooks: the actions on state changes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Monitor;
use crate::probe::build::{ProbeBuilder, Webhook};

/// A command to run when a target changes its state: see [`Monitor::on_change`](crate::Monitor::on_change).
///
/// It is started without a shell. If it fails, the first line of its output is reported (see
/// [`ServerBuilder::on_warning`](crate::ServerBuilder::on_warning)). It ends when its process ends: processes
/// left in its process group are killed.
///
/// ```
/// use pingstate::Hook;
///
/// let hook = Hook::new(["logger", "-t", "pingstate", "something changed"]);
/// let slow = Hook::new(["/usr/local/bin/notify", "--all"]).timeout(Hook::TIMEOUT * 4).first(true);
/// # assert_eq!(format!("{slow:?}"), "Hook(/usr/local/bin/notify)");
/// ```
#[derive(Clone)]
pub struct Hook {
    pub(crate) words: Vec<String>,
    pub(crate) timeout: Duration,
    pub(crate) first: bool,
}

impl Hook {
    /// The default timeout: 30 s.
    pub const TIMEOUT: Duration = Duration::from_secs(30);

    /// The longest timeout: one hour.
    pub const TIMEOUT_MAX: Duration = ProbeBuilder::TIMEOUT_MAX;

    /// The first word is the program, the others are its arguments. A program name without a slash is
    /// searched in `PATH`.
    #[must_use]
    pub fn new(words: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Hook { words: words.into_iter().map(Into::into).collect(), timeout: Self::TIMEOUT, first: false }
    }

    /// The time after which it is killed: more than 0, at most [`Hook::TIMEOUT_MAX`]. Default: [`Hook::TIMEOUT`].
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Whether it also runs when the first check ends [`State::Unknown`](crate::State::Unknown).
    /// Default: no.
    #[must_use]
    pub fn first(mut self, first: bool) -> Self {
        self.first = first;
        self
    }
}

/// Omits the arguments, which may contain secrets.
impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hook({})", self.words.first().map_or("", String::as_str))
    }
}

impl Monitor {
    /// Runs a command on every state change; on the first one only with [`Hook::first`]. Runs do not
    /// overlap: after a run, only the last change that happened during it is reported. The environment
    /// describes the change: `PINGSTATE_TARGET`, `PINGSTATE_FROM`, `PINGSTATE_TO`, `PINGSTATE_DETAIL`,
    /// `PINGSTATE_ERROR`, `PINGSTATE_LATENCY_MS` (these two empty if not applicable),
    /// `PINGSTATE_PROBE`, `PINGSTATE_SINCE_S`. The command inherits no descriptors: all open descriptors
    /// of the program are set to close on exec.
    ///
    /// ```
    /// use pingstate::{Hook, Monitor, blocking};
    /// use std::sync::Arc;
    ///
    /// let mail = Arc::new(Hook::new(["sh", "-c", "echo $PINGSTATE_TARGET is $PINGSTATE_TO | mail ops"]));
    /// let monitors = ["a", "b"].map(|name| Monitor::new(blocking(name, || true)).on_change(mail.clone()));
    /// # assert_eq!(monitors[1].name(), "b");
    /// ```
    #[must_use]
    pub fn on_change(mut self, hook: impl Into<Arc<Hook>>) -> Self {
        self.hook = Some(hook.into());
        self
    }

    /// Posts every state change as JSON; the first one only with [`Webhook::first`]. Deliveries are in
    /// order, with at most ten attempts each and increasing delays.
    ///
    /// ```
    /// use pingstate::{Error, Monitor, Webhook, blocking};
    ///
    /// let monitor = Monitor::new(blocking("disk", || true)).webhook(Webhook::new("http://127.0.0.1:9000/", None)?);
    /// # assert_eq!(monitor.name(), "disk");
    /// # Ok::<(), Error>(())
    /// ```
    #[must_use]
    pub fn webhook(mut self, webhook: impl Into<Arc<Webhook>>) -> Self {
        self.webhook = Some(webhook.into());
        self
    }
}
