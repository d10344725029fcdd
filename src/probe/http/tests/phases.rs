//! How long the parts of a check took, and what else was seen.

use super::*;
use crate::result::Phases;

fn phases(first_byte: u32, transfer: Option<u32>) -> Phases {
    let transfer = transfer.map(|ms| MS * ms);
    Phases { first_byte: Some(MS * first_byte), transfer, ..Phases::default() }
}

#[test]
fn an_answer_has_a_first_byte_and_a_transfer() {
    let mut script = asked(&checking("body_contains:pong"));
    for piece in ["H", "TTP/1.1 200 OK\r\n\r\n", "pi", "pong"] {
        script.receive(piece.as_bytes());
        script.wait(MS * 10);
    }
    let result = script.measured();
    assert_eq!((result.phases, result.http_status), (phases(4, Some(30)), Some(200)));
    assert_eq!((result.address, result.tls_not_after), (None, None));
}

#[test]
fn an_answer_in_one_piece_takes_no_time_to_come() {
    let mut script = asked(&checking(""));
    script.receive(b"HTTP/1.1 503 Busy\r\n\r\n");
    let result = script.measured();
    assert_eq!((result.phases, result.http_status), (phases(4, Some(0)), Some(503)));
}

#[test]
fn a_failure_ends_the_phase_that_it_is_in() {
    for (heard, expected, status) in [
        ("", phases(9, None), None),
        ("HTTP/1.1 200", phases(4, Some(5)), None),
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", phases(4, Some(5)), Some(200)),
    ] {
        for ending in [|| Input::TimedOut, reset, || Input::Closed] {
            let mut script = asked(&checking("body_contains:pong"));
            script.receive_all([heard.as_bytes()].into_iter().filter(|bytes| !bytes.is_empty()));
            script.wait(MS * 5);
            script.input(ending());
            let result = script.measured();
            assert_eq!((result.ok, result.phases, result.http_status), (false, expected, status));
        }
    }
    let mut script = Script::begin(&checking(""));
    script.failed(Failure::new(Reason::Refused, "refused"));
    assert_eq!(script.measured().phases, Phases::default());
}

#[test]
fn the_phases_of_redirects_are_added_up() {
    let mut script = asked(&checking(""));
    script.receive(b"HTTP/1.1 302 Found\r\n");
    script.wait(MS * 20);
    script.receive(b"Location: /next\r\n\r\n");
    script.wait(MS * 100);
    script.connected();
    script.wait(MS * 2);
    script.receive(b"HTTP/1.1 404 Gone\r\n\r\n");
    let result = script.measured();
    assert_eq!((result.phases, result.http_status), (phases(6, Some(20)), Some(404)));
}

#[test]
fn a_redirect_that_leads_nowhere_is_the_last_answer() {
    let mut script = asked(&checking(""));
    script.receive(b"HTTP/1.1 302 Found\r\nLocation: /next\r\n\r\n");
    script.failed(Failure::new(Reason::Refused, "refused"));
    let result = script.measured();
    assert_eq!((result.reason, result.http_status), (Some(Reason::Refused), Some(302)));
}
