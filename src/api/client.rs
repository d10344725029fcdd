//! One API client's conversation: bytes in, one request at a time out.
//!
//! Requests that arrive together (pipelining) wait in the inbox until the one before is answered. How
//! long a client may take, what it is owed and when it is closed is the engine's business.

use crate::api::response_cache::ResponseCache;
use crate::wire::http::request::{HEAD_MAX, Read, Request, read};

/// Bytes that a client holds before it is known whether they are more than one request.
const INBOX: usize = 8 * 1024;

/// What a client wants next.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// Nothing yet: more bytes are needed, or the conversation is over.
    Wait,
    /// This request answered. If it does not keep the connection, it is the last one.
    Request(Request),
    /// The same request as that of the [`ResponseCache`] answered.
    Again,
    /// Nothing that could be answered: it is refused with this status, and the connection closed.
    Refuse(u16),
}

/// The bytes of a client that have not been made into requests.
#[derive(Debug, Default)]
pub(crate) struct Client {
    inbox: Vec<u8>,
    /// Bytes were dropped after those in the inbox.
    cut: bool,
    /// The last request has been taken, or the client has been refused.
    over: bool,
    /// The inbox is the beginning of one head.
    is_large: bool,
}

impl Client {
    pub(crate) fn new() -> Self {
        Client::default()
    }

    /// How many bytes the client may be handed: more than [`INBOX`] only if they are of one head.
    pub(crate) fn room(&self) -> usize {
        let max = if self.is_large { HEAD_MAX } else { INBOX };
        max.saturating_sub(self.inbox.len())
    }

    /// Takes bytes in, cut anywhere. Once the conversation is over they are ignored, so that the
    /// engine can read on until the peer closes. A client that is handed more than [`Client::room`]
    /// is refused after the requests that did fit.
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        if self.over || self.cut {
            return;
        }
        let fitting = bytes.get(..self.room()).unwrap_or(bytes);
        self.inbox.extend_from_slice(fitting);
        self.cut = fitting.len() < bytes.len();
    }

    /// Takes the next request off the inbox. To be asked again once its answer has been sent.
    pub(crate) fn next(&mut self, response_cache: &mut ResponseCache) -> Next {
        if self.inbox.is_empty() && !self.cut {
            return Next::Wait;
        }
        if let Some((request, taken)) = response_cache.lookup(&self.inbox) {
            self.take(taken, request.keep_alive);
            return Next::Again;
        }
        match read(&self.inbox) {
            Read::Partial if self.cut => self.refuse(431),
            Read::Partial => {
                self.is_large = self.inbox.len() >= INBOX;
                Next::Wait
            }
            Read::Refused(status) => self.refuse(status),
            Read::Request(request, taken) => {
                response_cache.note(self.inbox.get(..taken).unwrap_or(&self.inbox), &request);
                self.take(taken, request.keep_alive);
                Next::Request(request)
            }
        }
    }

    fn take(&mut self, taken: usize, keep_alive: bool) {
        self.is_large = false;
        if !keep_alive {
            self.end();
        } else if taken >= self.inbox.len() {
            // Kept connections are idle most of the time: they should not hold memory then.
            self.inbox = Vec::new();
        } else {
            self.inbox.drain(..taken);
        }
    }

    /// Whether the client is between requests: nothing of the next one has come. The empty lines that
    /// some clients send after a request do not count (RFC 9112 section 2.2).
    pub(crate) fn is_idle(&self) -> bool {
        !self.cut && self.inbox.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
    }

    /// It holds a large part of one head and wants more.
    pub(crate) fn is_large(&self) -> bool {
        self.is_large
    }

    /// The bytes held.
    pub(crate) fn held(&self) -> usize {
        self.inbox.len()
    }

    fn refuse(&mut self, status: u16) -> Next {
        self.end();
        Next::Refuse(status)
    }

    fn end(&mut self) {
        *self = Client { over: true, ..Client::default() };
    }
}

#[cfg(test)]
mod tests;
