//! DNS messages in a TCP stream: each follows its length in two bytes (RFC 1035 section 4.2.2).

/// The message with its length before it. A query has less than 64 KiB.
pub(crate) fn framed(message: &[u8]) -> Vec<u8> {
    [&(message.len() as u16).to_be_bytes()[..], message].concat()
}

/// The part of the stream that has been received of the current message, at most 64 KiB.
#[derive(Default)]
pub(crate) struct MessageStream(Vec<u8>);

impl MessageStream {
    /// Takes the bytes of the current message from the start of `bytes`, and returns it once it is complete.
    pub(crate) fn next(&mut self, bytes: &mut &[u8]) -> Option<&[u8]> {
        if self.0.len() >= 2 && self.0.len() == self.expected() {
            self.0.clear();
        }
        while self.0.len() < self.expected() {
            let (piece, rest) =
                bytes.split_at_checked(self.expected() - self.0.len()).unwrap_or((bytes, &[]));
            if piece.is_empty() {
                return None;
            }
            self.0.extend_from_slice(piece);
            *bytes = rest;
        }
        self.0.get(2..)
    }

    /// The length of the message with its prefix, or of the prefix alone.
    fn expected(&self) -> usize {
        match *self.0 {
            [high, low, ..] => 2 + usize::from(u16::from_be_bytes([high, low])),
            _ => 2,
        }
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_found_in_every_segmentation() {
        let messages: [&[u8]; 5] = [b"one", b"", b"", &[7; 300], b"x"];
        let stream = messages.map(framed).concat();
        for size in 1..=stream.len() {
            let (mut reader, mut found) = (MessageStream::default(), Vec::new());
            for mut piece in stream.chunks(size) {
                while let Some(message) = reader.next(&mut piece) {
                    found.push(message.to_vec());
                }
                assert!(piece.is_empty() && reader.len() <= 302);
            }
            assert_eq!(found, messages, "{size}");
        }
        let longest = vec![1; u16::MAX.into()];
        assert_eq!(MessageStream::default().next(&mut &*framed(&longest)), Some(&*longest));
    }
}
