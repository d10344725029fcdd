//! Unsent bytes or datagrams of one connection.

use std::sync::Arc;

/// A queue of bytes that starts with those already sent. Its memory is freed when all bytes are sent.
#[derive(Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    /// Sent after `bytes`; other connections may have the same.
    body: Option<Arc<Vec<u8>>>,
    /// Of both together.
    sent: usize,
    /// Datagrams to be sent after `bytes`, which are one, too.
    datagrams: Vec<Vec<u8>>,
}

impl Outbox {
    /// Queues bytes. Returns whether the queue was empty before and no longer is.
    pub(crate) fn push(&mut self, bytes: Vec<u8>) -> bool {
        if self.is_empty() {
            *self = Outbox { bytes, ..Outbox::default() };
            return !self.is_empty();
        }
        self.bytes.drain(..self.sent);
        self.sent = 0;
        self.bytes.extend_from_slice(&bytes);
        false
    }

    /// The same for a datagram. An empty one is not sent.
    pub(crate) fn push_datagram(&mut self, bytes: Vec<u8>) -> bool {
        if self.is_empty() {
            return self.push(bytes);
        }
        if !bytes.is_empty() {
            self.datagrams.push(bytes);
        }
        false
    }

    pub(crate) fn push_shared(&mut self, head: Vec<u8>, body: Arc<Vec<u8>>) {
        debug_assert!(self.is_empty());
        *self = Outbox { bytes: head, body: Some(body), ..Outbox::default() };
    }

    pub(crate) fn shares(&self, body: &Arc<Vec<u8>>) -> bool {
        self.body.as_ref().is_some_and(|own| Arc::ptr_eq(own, body))
    }

    /// The bytes to send next: of a head and a shared body the head first, of several datagrams the first.
    pub(crate) fn unsent(&self) -> &[u8] {
        match (self.sent.checked_sub(self.bytes.len()), &self.body) {
            (Some(sent), Some(body)) => &body[sent..],
            _ => &self.bytes[self.sent..],
        }
    }

    pub(crate) fn advance(&mut self, count: usize) {
        self.sent = (self.sent + count).min(self.held());
        if self.sent < self.held() {
            return;
        }
        if self.datagrams.is_empty() {
            *self = Outbox::default();
        } else {
            (self.bytes, self.sent) = (self.datagrams.remove(0), 0);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.held() - self.sent + self.datagrams.iter().map(Vec::len).sum::<usize>()
    }

    /// The number of queued bytes, sent ones included.
    pub(crate) fn held(&self) -> usize {
        self.bytes.len() + self.body.as_ref().map_or(0, |body| body.len())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) fn all_unsent(&self) -> Vec<u8> {
        let body = self.body.iter().flat_map(|body| body.iter());
        self.bytes.iter().chain(body).skip(self.sent).copied().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_leave_in_order_and_their_memory_with_them() {
        let mut outbox = Outbox::default();
        assert!(!outbox.push(Vec::new()));
        assert!(outbox.push(b"abc".to_vec()));
        assert!(!outbox.push(b"def".to_vec()));
        outbox.advance(4);
        assert_eq!((outbox.unsent(), outbox.held()), (&b"ef"[..], 6));
        assert!(!outbox.push(b"g".to_vec()));
        assert_eq!((outbox.unsent(), outbox.len()), (&b"efg"[..], 3));
        outbox.advance(3);
        assert!(outbox.is_empty());
        assert_eq!((outbox.bytes.capacity(), outbox.held()), (0, 0));
        assert!(outbox.push(b"g".to_vec()));
        outbox.advance(99);
        assert_eq!(outbox.len(), 0);
    }

    #[test]
    fn datagrams_keep_their_boundaries() {
        let mut outbox = Outbox::default();
        assert!(outbox.push_datagram(b"ab".to_vec()));
        for datagram in ["", "c", "def"] {
            assert!(!outbox.push_datagram(datagram.into()));
        }
        assert_eq!((outbox.unsent(), outbox.len()), (&b"ab"[..], 6));
        outbox.advance(2);
        assert_eq!((outbox.unsent(), outbox.len()), (&b"c"[..], 4));
        outbox.advance(1);
        assert_eq!(outbox.unsent(), b"def");
        outbox.advance(3);
        assert!(outbox.is_empty() && outbox.push_datagram(b"g".to_vec()));
    }

    #[test]
    fn a_shared_body_follows_its_head_and_is_dropped_with_its_last_byte() {
        let body = Arc::new(b"body".to_vec());
        let mut outbox = Outbox::default();
        outbox.push_shared(b"head".to_vec(), body.clone());
        assert!(outbox.shares(&body) && !outbox.shares(&Arc::new(b"body".to_vec())));
        assert_eq!((outbox.unsent(), outbox.len(), outbox.held()), (&b"head"[..], 8, 8));
        outbox.advance(4);
        assert_eq!(outbox.unsent(), b"body");
        outbox.advance(3);
        assert_eq!((outbox.unsent(), outbox.len()), (&b"y"[..], 1));
        assert_eq!(Arc::strong_count(&body), 2);
        outbox.advance(1);
        assert_eq!((outbox.is_empty(), Arc::strong_count(&body)), (true, 1));
    }
}
