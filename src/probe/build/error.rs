//! What is wrong with the description of a probe.

use std::fmt;

/// What is wrong with the description of a probe: one thing, on one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    field: &'static str,
    message: String,
}

impl Error {
    pub(crate) fn new(field: &'static str, message: impl Into<String>) -> Self {
        Error { field, message: message.into() }
    }

    /// What it is about: `address`, `ca-file`, `check`, `header`, `max-body`, `method`, `name`,
    /// `path`, `port`, `protocol`, `timeout` or `url`. All but the last are flags of the command.
    #[must_use]
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// What is wrong with it.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.field)?;
        f.write_str(": ")?;
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}
