//! What is wrong with the description of a probe.

use std::fmt;

macro_rules! errors {
    ($($(#[$doc:meta])* $name:ident = $field:literal,)+) => {
        /// What is wrong with the description of a probe: one thing, in words fit to be shown.
        ///
        /// # Examples
        /// ```
        /// use pingstate::{Error, probe};
        ///
        /// let error = probe("tcp", "localhost", 22).check("status:200").build().unwrap_err();
        /// assert!(matches!(error, Error::Check(_)));
        /// assert_eq!(error.to_string(), "check: status belongs to http, not tcp");
        /// ```
        #[derive(Clone, Debug, PartialEq, Eq)]
        #[non_exhaustive]
        pub enum Error { $($(#[$doc])* $name(String),)+ }

        impl Error {
            /// What it is about, as the command calls it: `--check` is about `check`.
            #[must_use]
            pub fn field(&self) -> &'static str {
                match self { $(Error::$name(_) => $field,)+ }
            }

            /// What is wrong with it.
            #[must_use]
            pub fn message(&self) -> &str {
                match self { $(Error::$name(message))|+ => message }
            }
        }
    };
}

errors! {
    /// Not a host name or IP address.
    Address = "address",
    /// The certificates to trust.
    CaFile = "ca-file",
    /// The check, or one of the other protocol.
    Check = "check",
    /// A header field, or too many of them.
    Header = "header",
    /// The limit of the body.
    MaxBody = "max-body",
    /// The method.
    Method = "method",
    /// The name.
    Name = "name",
    /// The path.
    Path = "path",
    /// The port.
    Port = "port",
    /// The protocol, or one that this build does not speak.
    Protocol = "protocol",
    /// The timeout.
    Timeout = "timeout",
    /// The URL.
    Url = "url",
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.field())?;
        f.write_str(": ")?;
        f.write_str(self.message())
    }
}

impl std::error::Error for Error {}
