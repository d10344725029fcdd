//! Hooks: commands that notify.

use std::fmt;
use std::time::Duration;

use crate::probe::build::ProbeBuilder;

/// A command that notifies of a change of state: see [`Notifications::hook`](crate::Notifications::hook).
///
/// It is started without a shell. If it fails, the first line of its output is reported (see
/// [`ServerBuilder::on_warning`](crate::ServerBuilder::on_warning)). It ends when its process ends: processes
/// left in its process group are killed.
///
/// ```
/// use pingstate::Hook;
///
/// let hook = Hook::new(["logger", "-t", "pingstate", "something changed"]);
/// let slow = Hook::new(["/usr/local/bin/notify", "--all"]).timeout(Hook::TIMEOUT * 4);
/// # assert_eq!(format!("{slow:?}"), "Hook(/usr/local/bin/notify)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Hook {
    pub(crate) words: Vec<String>,
    pub(crate) timeout: Duration,
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
        Hook { words: words.into_iter().map(Into::into).collect(), timeout: Self::TIMEOUT }
    }

    /// The time after which it is killed: more than 0, at most [`Hook::TIMEOUT_MAX`]. Default: [`Hook::TIMEOUT`].
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }
}

/// Omits the arguments, which may contain secrets.
impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hook({})", self.words.first().map_or("", String::as_str))
    }
}
