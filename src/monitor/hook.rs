//! What is to be done when a target changes its state.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Monitor;
use crate::probe::build::{TIMEOUT_MAX, Webhook};

/// How long a hook may take unless told otherwise.
pub const HOOK_TIMEOUT: Duration = Duration::from_secs(30);

/// A command to run when a target changes its state: see [`Monitor::on_change`](crate::Monitor::on_change).
///
/// It is started without a shell. What it prints is read, of which the first line is shown if it fails
/// (see [`ServerBuilder::on_warning`](crate::ServerBuilder::on_warning)). It is over when its process ends:
/// what it leaves running in its process group is killed.
///
/// ```
/// use pingstate::{HOOK_TIMEOUT, Hook};
/// use std::time::Duration;
///
/// let hook = Hook::new(["logger", "-t", "pingstate", "something changed"]);
/// let patient = Hook::new(["/usr/local/bin/notify", "--all"]).timeout(HOOK_TIMEOUT * 4).first(true);
/// assert_eq!(HOOK_TIMEOUT, Duration::from_secs(30));
/// # assert_eq!(format!("{patient:?}"), "Hook(/usr/local/bin/notify)");
/// ```
#[derive(Clone)]
pub struct Hook {
    words: Vec<String>,
    timeout: Duration,
    first: bool,
}

impl Hook {
    /// Runs the program that the first word names with the others as its arguments. A program without a
    /// slash is looked for in `PATH`.
    #[must_use]
    pub fn new(words: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Hook { words: words.into_iter().map(Into::into).collect(), timeout: HOOK_TIMEOUT, first: false }
    }

    /// How long it may take until it is killed: [`HOOK_TIMEOUT`] unless told otherwise, at most
    /// [`TIMEOUT_MAX`].
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout.min(TIMEOUT_MAX);
        self
    }

    /// Whether it is also run when the first check ends what was [`State::Unknown`](crate::State::Unknown):
    /// it is not, unless told otherwise.
    #[must_use]
    pub fn first(mut self, first: bool) -> Self {
        self.first = first;
        self
    }

    /// The program and its arguments.
    pub(crate) fn words(&self) -> &[String] {
        &self.words
    }

    /// How long it may take.
    pub(crate) fn limit(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn wants_first(&self) -> bool {
        self.first
    }
}

/// The arguments may hold secrets.
impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hook({})", self.words.first().map_or("", String::as_str))
    }
}

impl Monitor {
    /// Runs a command on every change of state, but the first unless asked ([`Hook::first`]). One at a
    /// time: of the changes while it runs, the last is told after it. It is told what happened by its
    /// environment: `PINGSTATE_TARGET`, `PINGSTATE_FROM`, `PINGSTATE_TO`, `PINGSTATE_DETAIL`,
    /// `PINGSTATE_ERROR`, `PINGSTATE_LATENCY_MS` (these two empty where there is none),
    /// `PINGSTATE_PROBE`, `PINGSTATE_SINCE_S`. No descriptor is handed down to it: those that the program
    /// has open by then are made to close on exec.
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

    /// Posts every change of state as JSON, but the first unless asked ([`Webhook::first`]): in order, as
    /// often as it takes with growing pauses, at most ten times.
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
