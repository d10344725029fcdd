//! The error of parsing a word.

use std::fmt;

/// A word that is not a [`State`](crate::State), [`Event`](crate::Event) or [`Reason`](crate::Reason).
///
/// ```
/// use pingstate::{ParseError, State};
///
/// let error: ParseError = "Up".parse::<State>().unwrap_err();
/// assert_eq!(error.to_string(), "unknown state");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParseError(pub(crate) &'static str);

impl fmt::Display for ParseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("unknown ")?;
        f.write_str(self.0)
    }
}

impl std::error::Error for ParseError {}
