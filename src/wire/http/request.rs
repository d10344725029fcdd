//! The requests that API clients send, read.

/// The longest request head that is read, in bytes.
pub(crate) const HEAD_MAX: usize = 8 * 1024;

/// A method the API knows, or does not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Head,
    Other,
}

/// A request head, as far as the API cares.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) method: Method,
    /// The path as sent, without query or fragment; of an absolute-form target, its path.
    pub(crate) path: String,
    /// HTTP/1.1 rather than 1.0.
    pub(crate) http11: bool,
    /// The host asked for (RFC 9112 section 3.2: an absolute-form target's authority wins over the
    /// `Host` field), as sent, with its port if any.
    pub(crate) host: Option<String>,
    /// Whether the client wants the connection kept after the answer.
    pub(crate) keep_alive: bool,
}

/// What the bytes received so far amount to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Read {
    /// Not a whole head yet.
    Partial,
    /// A request, and how many bytes of the input it took.
    Request(Request, usize),
    /// Not a request that can be answered: the status to refuse it with (400, 413, 431, 505), after
    /// which the connection closes.
    Refused(u16),
}

/// Reads one request head from the start of `inbox`.
pub(crate) fn read(inbox: &[u8]) -> Read {
    let _ = inbox;
    todo!()
}
