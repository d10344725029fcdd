//! Unsent bytes or datagrams of one connection.

/// A queue of bytes that starts with those already sent. Its memory is freed when all bytes are sent.
#[derive(Default)]
pub(crate) struct Outbox {
    bytes: Vec<u8>,
    sent: usize,
    /// Datagrams to be sent after `bytes`, which are one, too.
    datagrams: Vec<Vec<u8>>,
}

impl Outbox {
    /// Queues bytes. Returns whether the queue was empty before and no longer is.
    pub(crate) fn push(&mut self, bytes: Vec<u8>) -> bool {
        if self.is_empty() {
            self.bytes = bytes;
            self.sent = 0;
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

    /// Of several datagrams, the first.
    pub(crate) fn unsent(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Removes `count` bytes, which have been sent.
    pub(crate) fn advance(&mut self, count: usize) {
        self.sent = (self.sent + count).min(self.bytes.len());
        if self.sent < self.bytes.len() {
            return;
        }
        if self.datagrams.is_empty() {
            *self = Outbox::default();
        } else {
            (self.bytes, self.sent) = (self.datagrams.remove(0), 0);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.bytes.len() - self.sent + self.datagrams.iter().map(Vec::len).sum::<usize>()
    }

    /// The number of bytes in memory, sent ones included.
    pub(crate) fn held(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
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
}
