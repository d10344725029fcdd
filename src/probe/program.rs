//! Programs that checks run.

use std::fmt;
use std::sync::Arc;

/// A program and its arguments, for [`Output::Exec`](crate::Output::Exec). It runs without a shell.
///
/// ```
/// use pingstate::Program;
///
/// let load = Program::new(["/usr/lib/nagios/plugins/check_load", "-w", "4", "-c", "8"]);
/// assert_eq!(format!("{load:?}"), "Program(/usr/lib/nagios/plugins/check_load)");
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct Program {
    words: Arc<[String]>,
    /// That of a hook; `None` for a check.
    env: Option<Arc<Env>>,
}

pub(crate) type Env = [(&'static str, String)];

impl Program {
    /// The first word is the program, the others are its arguments. A name without a slash is searched in `PATH`.
    #[must_use]
    pub fn new(words: impl IntoIterator<Item = impl Into<String>>) -> Self {
        Program { words: words.into_iter().map(Into::into).collect(), env: None }
    }

    /// Runs like a hook, with these variables and the service's credentials.
    pub(crate) fn hook(words: &[String], env: Vec<(&'static str, String)>) -> Self {
        Program { words: words.into(), env: Some(env.into()) }
    }

    pub(crate) fn env(&self) -> Option<&Env> {
        self.env.as_deref()
    }

    pub(crate) fn words(&self) -> &[String] {
        &self.words
    }

    /// The program without its arguments, which may contain secrets.
    pub(crate) fn name(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }
}

/// Omits the arguments.
impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Program({})", self.name())
    }
}

/// How a program has ended.
///
/// ```
/// use pingstate::{Exit, ProbeResult, Reason};
///
/// fn result(exit: Exit, output: &str) -> ProbeResult {
///     match exit {
///         Exit::Status(0) => ProbeResult::up(Default::default(), output),
///         Exit::Status(status) => ProbeResult::down(Reason::Exec, &format!("exit status {status}: {output}")),
///         Exit::Signal(signal) => ProbeResult::down(Reason::Exec, &format!("killed by signal {signal}")),
///     }
/// }
///
/// assert_eq!(result(Exit::Signal(9), "").detail, "killed by signal 9");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// With this exit status.
    Status(i32),
    /// By this signal.
    Signal(i32),
}
