//! Splits the bytes of one API connection into requests.
//!
//! Pipelined requests wait in the inbox until the response to the previous one is sent. The engine owns
//! deadlines, pending responses and the closing of the connection.

use crate::wire::http::request::{HEAD_MAX, Read, Request, read};

/// Limit of the inbox, in bytes, unless it holds the start of one long head.
const INBOX: usize = 8 * 1024;

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Next {
    /// No request: more bytes are needed, or the last request has been taken.
    Wait,
    /// The next request. It is the last one if it does not keep the connection alive.
    Request(Request),
    /// An invalid request: respond with this status and close the connection.
    Refuse(u16),
}

#[derive(Debug, Default)]
pub(crate) struct Client {
    inbox: Vec<u8>,
    /// The received part of the body of the last request.
    body: Vec<u8>,
    /// Bytes after those in the inbox were dropped.
    cut: bool,
    /// The last request has been taken, or a request was refused.
    over: bool,
    /// The inbox holds the start of a single head of at least [`INBOX`] bytes.
    pub(crate) is_large: bool,
}

impl Client {
    pub(crate) fn new() -> Self {
        Client::default()
    }

    pub(crate) fn room(&self) -> usize {
        let max = if self.is_large { HEAD_MAX } else { INBOX };
        max.saturating_sub(self.inbox.len())
    }

    /// Appends received bytes. Bytes after the last request are ignored, so that the engine can read until
    /// the peer closes. Bytes beyond [`Client::room`] are dropped, and the client is refused (431) after the
    /// complete requests.
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        if self.over || self.cut {
            return;
        }
        let fitting = bytes.get(..self.room()).unwrap_or(bytes);
        self.inbox.extend_from_slice(fitting);
        self.cut = fitting.len() < bytes.len();
    }

    /// Takes the next request from the inbox. Call it again once the response has been sent.
    pub(crate) fn next(&mut self) -> Next {
        if self.inbox.is_empty() && !self.cut {
            return Next::Wait;
        }
        match read(&self.inbox) {
            Read::Partial if self.cut => self.refuse(431),
            Read::Partial => {
                self.is_large = self.inbox.len() >= INBOX;
                Next::Wait
            }
            Read::Refused(status) => self.refuse(status),
            Read::Request(request, taken) => {
                self.is_large = false;
                if !request.keep_alive {
                    let rest = self.inbox.split_off(taken.min(self.inbox.len()));
                    self.end();
                    if request.content.is_some() {
                        self.body = rest;
                    }
                } else if taken >= self.inbox.len() {
                    // Persistent connections are idle most of the time and must not hold memory meanwhile.
                    self.inbox = Vec::new();
                } else {
                    self.inbox.drain(..taken);
                }
                Next::Request(request)
            }
        }
    }

    pub(crate) fn take_body(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.body)
    }

    /// Whether no byte of a next request has arrived. Empty lines, which some clients send after a request,
    /// do not count (RFC 9112 section 2.2).
    pub(crate) fn is_idle(&self) -> bool {
        !self.cut && self.inbox.iter().all(|byte| matches!(byte, b'\r' | b'\n'))
    }

    pub(crate) fn held(&self) -> usize {
        self.inbox.len() + self.body.len()
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
