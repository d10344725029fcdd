//! Responses of targets.

use super::Source;
use super::body::{self, End};
use super::source::slicings;
use crate::wire::http::response::{Head, ResponseReader};

/// The limit of a buffered head, in bytes.
const HEAD_MAX: usize = 256 * 1024;

/// The state of a reader after all bytes of a connection.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    head: Option<Head>,
    body: Vec<u8>,
    done: bool,
    error: Option<String>,
}

/// One byte of flags, one for the limit of the body, two for the split; the rest is sent by the target.
pub fn response(data: &[u8]) {
    let mut source = Source::new(data);
    let flags = source.byte();
    let limit = *source.choose(&[1000, 0, 1, 10, 64 * 1024, usize::MAX]);
    let cut = source.number();
    read_every_way(source.rest(), flags & 1 == 1, limit, flags & 2 == 2, cut);
}

/// Reads `stream` split in several ways, which must give the same result as one another and as the straightforward
/// decoder.
pub(super) fn read_every_way(stream: &[u8], to_head: bool, limit: usize, close: bool, cut: usize) {
    let [whole, others @ ..] = slicings(stream, cut);
    let (whole, _) = read(&whole, to_head, limit, close);
    for pieces in others {
        let single = pieces.len() == stream.len();
        let (outcome, head_end) = read(&pieces, to_head, limit, close);
        assert_eq!(outcome, whole, "split differently");
        if let (true, Some(head_end)) = (single, head_end) {
            agree(&outcome, &stream[head_end..], to_head, limit, close);
        }
    }
}

/// Reads the pieces; also returns the number of bytes after which the head was complete.
fn read(pieces: &[&[u8]], to_head: bool, limit: usize, close: bool) -> (Outcome, Option<usize>) {
    let mut reader = ResponseReader::new(to_head, limit);
    let (mut error, mut fed, mut head_end, mut body) = (None, 0, None, 0);
    for piece in pieces {
        let was_done = reader.is_done();
        let outcome = reader.receive(piece);
        fed += piece.len();
        assert!(error.is_none() || outcome.is_ok(), "bytes after an error are ignored");
        error = error.or(outcome.err());
        if reader.head().is_some() {
            head_end.get_or_insert(fed);
        }
        assert!(head_end.is_none() || reader.head().is_some(), "a head does not change");
        assert!(reader.body().len() >= body && reader.body().len() <= limit);
        body = reader.body().len();
        assert!(!was_done || reader.is_done());
        assert!(reader.held() <= HEAD_MAX.max(limit.min(2 * fed)), "{} bytes held", reader.held());
    }
    if close {
        let outcome = reader.close();
        assert!(error.is_none() || outcome.is_ok());
        error = error.or(outcome.err());
        assert_eq!(reader.close(), Ok(()));
    }
    let error = error.map(|error| error.0);
    assert!(error.is_none() || !reader.is_done());
    let outcome =
        Outcome { head: reader.head().cloned(), body: reader.body().to_vec(), done: reader.is_done(), error };
    (outcome, head_end)
}

/// Compares with the straightforward decoder of the body.
fn agree(outcome: &Outcome, rest: &[u8], to_head: bool, limit: usize, close: bool) {
    let head = outcome.head.as_ref().expect("a complete head");
    assert!((200..=999).contains(&head.status), "{}", head.status);
    let body = body::read(head, to_head, rest, limit);
    let end = match body.end {
        End::Open { closes: true } if close => End::Done,
        End::Open { .. } if close => End::Broken,
        end => end,
    };
    assert_eq!(outcome.body, body.kept);
    assert_eq!(
        (outcome.done, outcome.error.is_some()),
        (end == End::Done, end == End::Broken),
        "{outcome:?}"
    );
}
