//! Endless responses: each reaches a limit, and memory stays bounded.

use super::*;
use crate::wire::http::chunked::OVERHEAD_MAX;
use crate::wire::http::head::{FIELDS_MAX, HEAD_MAX, INTERIM_MAX};

const MAX_BODY: usize = 5000;
const CHUNKED: &str = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Feeds `start` and then `more` repeatedly, in pieces of `piece` bytes, until the reader stops. Returns the
/// error and the number of bytes fed.
fn endless(start: &str, more: &str, piece: usize) -> (Option<String>, usize) {
    let mut reader = ResponseReader::new(false, MAX_BODY);
    let mut stream = start.bytes().chain(more.bytes().cycle());
    let mut fed = 0;
    while fed < 1 << 22 {
        let bytes: Vec<u8> = stream.by_ref().take(piece).collect();
        fed += piece;
        let result = reader.receive(&bytes);
        assert!(reader.held() <= HEAD_MAX.max(MAX_BODY), "{} bytes held", reader.held());
        match result {
            Err(error) => return (Some(error.0), fed),
            Ok(()) if reader.is_done() => return (None, fed),
            Ok(()) => {}
        }
    }
    panic!("{start:?} and endless {more:?}: still reading");
}

#[test]
fn endless_responses_are_errors() {
    for (start, more, error) in [
        ("", "HTTP/1.1 100 Continue\r\n\r\n", "more than 64 interim responses"),
        (
            "",
            "HTTP/1.1 102 Processing\r\nPad: xxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n\r\n",
            "more than 64 interim responses",
        ),
        ("", "\r\n", "header fields are over 256 KiB"),
        ("HTTP/1.1 200 ", "x", "header fields are over 256 KiB"),
        ("HTTP/1.1 200 OK\r\n", "A: b\r\n", "header fields are over 256 KiB"),
        ("HTTP/1.1 200 OK\r\n", "(no): field\r\n", "header fields are over 256 KiB"),
        ("HTTP/1.1 200 OK\r\n", " : \r\n", "header fields are over 256 KiB"),
        ("HTTP/1.1 200 OK\r\nA: b\r\n", " c\r\n", "header fields are over 256 KiB"),
        ("HTTP/1.1 200 OK\r\nA: ", "b", "header fields are over 256 KiB"),
        (CHUNKED, "0", "malformed chunk: its size has more than 16 digits"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
            "x",
            "chunk extensions and trailers are over 256 KiB",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1",
            " ",
            "chunk extensions and trailers are over 256 KiB",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;",
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\nx\r\n1;",
            "chunk extensions and trailers are over 256 KiB",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            "A: b\r\n",
            "chunk extensions and trailers are over 256 KiB",
        ),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            "x",
            "chunk extensions and trailers are over 256 KiB",
        ),
    ] {
        for piece in [1, 7, 1460, 70_000] {
            let (seen, fed) = endless(start, more, piece);
            assert_eq!(seen.as_deref(), Some(error), "{start:?} {more:?} {piece}");
            assert!(fed <= HEAD_MAX + HEAD_MAX / 8 + piece, "{error} after {fed} bytes");
        }
    }
}

#[test]
fn endless_bodies_end_at_the_buffer_limit() {
    for (start, more) in [
        ("HTTP/1.1 200 OK\r\n\r\n", "x"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551615\r\n\r\n", "x"),
        (CHUNKED, "1\r\nx\r\n"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", "x"),
    ] {
        for piece in [1, 7, 1460, 70_000] {
            let (error, fed) = endless(start, more, piece);
            assert_eq!(error, None);
            assert!(fed <= 200 + 6 * MAX_BODY + piece);
        }
    }
}

#[test]
fn heads_are_limited_in_size() {
    let ends = "\r\n\r\n";
    let start = "HTTP/1.1 204 OK\r\nA: ";
    for (pad, fits) in
        [(HEAD_MAX - start.len() - ends.len(), true), (HEAD_MAX - start.len() - ends.len() + 1, false)]
    {
        let head = format!("{start}{}{ends}", "x".repeat(pad));
        // Interim heads have a separate limit.
        let answer = format!("HTTP/1.1 103 Hints\r\nLink: {}\r\n\r\n{head}", "x".repeat(HEAD_MAX / 2));
        for piece in [1, 1460, 100_000] {
            let mut reader = ResponseReader::new(false, 0);
            let result: Result<(), HttpError> =
                answer.as_bytes().chunks(piece).try_for_each(|piece| reader.receive(piece));
            assert_eq!((result.is_ok(), reader.is_done()), (fits, fits));
        }
    }
}

#[test]
fn heads_are_limited_in_fields() {
    for (count, error) in [(FIELDS_MAX, None), (FIELDS_MAX + 1, Some("more than 1024 header fields"))] {
        let answer = format!("HTTP/1.1 204 OK\r\n{}\r\n", "A: b\r\n".repeat(count));
        let result = ResponseReader::new(false, 0).receive(answer.as_bytes());
        assert_eq!(result.err().map(|error| error.0).as_deref(), error);
    }
}

#[test]
fn interim_responses_are_limited() {
    let answer =
        format!("{}HTTP/1.1 204 OK\r\n\r\n", "HTTP/1.1 100 Go\r\n\r\n".repeat(usize::from(INTERIM_MAX)));
    let mut reader = ResponseReader::new(false, 0);
    assert_eq!(reader.receive(answer.as_bytes()), Ok(()));
    assert!(reader.is_done());
    let one_more = format!("HTTP/1.1 100 Go\r\n\r\n{answer}");
    let error = ResponseReader::new(false, 0).receive(one_more.as_bytes()).unwrap_err();
    assert_eq!(error.0, "more than 64 interim responses");
}

#[test]
fn the_memory_of_the_head_is_freed() {
    let mut reader = ResponseReader::new(false, MAX_BODY);
    let answer = format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\nbody", "x".repeat(60_000));
    assert_eq!(reader.receive(answer.as_bytes()), Ok(()));
    assert!(reader.held() <= 8, "{} bytes held", reader.held());
}

fn error_of_chunks(chunks: &str) -> Option<String> {
    let mut reader = ResponseReader::new(false, 1 << 20);
    let result = reader.receive(format!("{CHUNKED}{chunks}").as_bytes());
    assert_eq!(reader.is_done(), result.is_ok(), "{chunks:?}");
    result.err().map(|error| error.0)
}

#[test]
fn chunk_overhead_is_limited() {
    let extended = |len: usize| format!("1;{}\r\nx\r\n", "e".repeat(len));
    let digits = |len: usize| format!("{}1\r\nx\r\n", "0".repeat(len - 1));
    let end = "0\r\n\r\n";
    let max = OVERHEAD_MAX as usize;
    let over = Some("chunk extensions and trailers are over 256 KiB".to_owned());
    for before in ["", "1\r\nx\r\n"] {
        assert_eq!(error_of_chunks(&format!("{before}{}{end}", extended(max - "\r\n".len()))), None);
        assert_eq!(error_of_chunks(&format!("{before}{}{end}", extended(max - "\r\n".len() + 1))), over);
        assert_eq!(error_of_chunks(&format!("{before}{}{end}", digits(16))), None);
        let error = error_of_chunks(&format!("{before}{}{end}", digits(17))).unwrap();
        assert_eq!(error, "malformed chunk: its size has more than 16 digits");
    }
    let trailers = |len: usize| format!("0\r\nt:{}\r\n\r\n", "t".repeat(len - 6));
    assert_eq!(error_of_chunks(&trailers(max)), None);
    assert_eq!(error_of_chunks(&trailers(max + 1)), over);
    assert_eq!(error_of_chunks(&(extended(max - 100) + &trailers(100))), None);
    assert_eq!(error_of_chunks(&(extended(max - 100) + &trailers(101))), over);
}

#[test]
fn errors_show_an_excerpt() {
    let error_of = |answer: String| ResponseReader::new(false, 0).receive(answer.as_bytes()).unwrap_err().0;
    for len in [40, 41] {
        let line = format!("HTTP/1.1 {}", "2".repeat(len - 9));
        let ellipsis = if len > 40 { "…" } else { "" };
        assert_eq!(
            error_of(format!("{line}\r\n")),
            format!("malformed status line: {}{ellipsis}", &line[..40])
        );
        let line = "x".repeat(len);
        let error = error_of(format!("HTTP/1.1 200 OK\r\n{line}\r\n\r\n"));
        assert_eq!(error, format!("malformed header field: {}{ellipsis}", &line[..40]));
    }
    for len in [20, 21] {
        let length = "x".repeat(len);
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
        assert_eq!(error_of(answer), format!("malformed Content-Length: {:?}", &length[..20]));
    }
}
