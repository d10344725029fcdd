//! Durations of the phases, HTTP status and certificate in results.

use super::*;
use crate::result::Phases;

fn phases(first_byte: u32, transfer: Option<u32>) -> Phases {
    let transfer = transfer.map(|ms| MS * ms);
    Phases { first_byte: Some(MS * first_byte), transfer, ..Phases::default() }
}

#[test]
fn a_response_has_a_first_byte_and_a_transfer() {
    let mut harness = requested(&checking("body_contains:pong"));
    for piece in ["H", "TTP/1.1 200 OK\r\n\r\n", "pi", "pong"] {
        harness.receive(piece.as_bytes());
        harness.wait(MS * 10);
    }
    let result = harness.full_result();
    assert_eq!((result.phases, result.http_status), (phases(4, Some(30)), Some(200)));
    assert_eq!((result.address, result.tls_not_after), (None, None));
}

#[test]
fn a_response_in_one_segment_has_a_transfer_of_zero() {
    let mut harness = requested(&checking(""));
    harness.receive(b"HTTP/1.1 503 Busy\r\n\r\n");
    let result = harness.full_result();
    assert_eq!((result.phases, result.http_status), (phases(4, Some(0)), Some(503)));
}

#[test]
fn a_failure_ends_the_current_phase() {
    for (received, expected, status) in [
        ("", phases(9, None), None),
        ("HTTP/1.1 200", phases(4, Some(5)), None),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", phases(4, Some(5)), Some(200)),
    ] {
        for ending in [|| Input::TimedOut, reset, || Input::Closed] {
            let mut harness = requested(&checking("body_contains:pong"));
            harness.receive_all([received.as_bytes()].into_iter().filter(|bytes| !bytes.is_empty()));
            harness.wait(MS * 5);
            harness.input(ending());
            let result = harness.full_result();
            assert_eq!((result.ok, result.phases, result.http_status), (false, expected, status));
        }
    }
    let mut harness = Harness::begin(&checking(""));
    harness.failed(Failure::new(Reason::Refused, "refused"));
    assert_eq!(harness.full_result().phases, Phases::default());
}

#[test]
fn the_phases_of_redirects_are_added_up() {
    let mut harness = requested(&checking(""));
    harness.receive(b"HTTP/1.1 302 Found\r\n");
    harness.wait(MS * 20);
    harness.receive(b"Location: /next\r\n\r\n");
    harness.wait(MS * 100);
    harness.connected();
    harness.wait(MS * 2);
    harness.receive(b"HTTP/1.1 404 Gone\r\n\r\n");
    let result = harness.full_result();
    assert_eq!((result.phases, result.http_status), (phases(6, Some(20)), Some(404)));
}

#[test]
fn the_status_of_a_redirect_remains_after_a_failure() {
    let mut harness = requested(&checking(""));
    harness.receive(b"HTTP/1.1 302 Found\r\nLocation: /next\r\n\r\n");
    harness.failed(Failure::new(Reason::Refused, "refused"));
    let result = harness.full_result();
    assert_eq!((result.reason, result.http_status), (Some(Reason::Refused), Some(302)));
}
