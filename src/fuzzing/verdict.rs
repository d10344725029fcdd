//! Verdicts on what a peer sends.

use std::net::SocketAddr;

use super::Source;
use super::source::slicings;
use crate::clock::{Now, test_now};
use crate::probe::build::{BuiltProbe, ProbeBuilder};
use crate::probe::{Attempt, Input, Output, Probe};
use crate::verdict::{DETAIL_MAX, Failure, ProbeResult, Reason};

/// How an attempt ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Verdict(ProbeResult),
    /// A redirect is followed to this host and port.
    Redirect(String, u16),
}

/// One byte that chooses the probe, one that chooses how the connection ends, two for the cut, then
/// what the peer sends.
pub fn verdict(data: &[u8]) {
    let mut source = Source::new(data);
    let (url, check, limit) = *source.choose(&[
        ("http://h/a", "body_contains:ok", 1000),
        ("http://h/", "", 0),
        ("tcp://h:22", "banner_contains:ok", 0),
        ("http://h:8080/a/b?c", "status:100-299,302", 10),
        ("http://[::1]/", "body_contains:ananas", 6),
        ("tcp://h:22", "banner_contains:ananas", 0),
    ]);
    let end = source.byte();
    let cut = source.number();
    let method = if end & 8 == 8 && !check.starts_with("body") { "HEAD" } else { "GET" };
    let probe = ProbeBuilder::from_url(url).check(check).max_body(limit).method(method).build();
    let (probe, stream, now) = (probe.expect("a probe"), source.rest(), test_now());
    let [whole, others @ ..] = slicings(stream, cut);
    let whole = converse(&probe, &whole, end, now);
    for pieces in others {
        assert_eq!(converse(&probe, &pieces, end, now), whole, "cut differently");
    }
    if let End::Verdict(result) = &whole {
        sensible(result, check, stream);
    }
}

fn sensible(result: &ProbeResult, check: &str, stream: &[u8]) {
    assert_eq!(result.ok, result.reason.is_none());
    assert!(result.detail.chars().count() <= DETAIL_MAX && !result.detail.contains(char::is_control));
    if let (true, Some((_, text))) = (result.ok && check.contains("contains"), check.split_once(':')) {
        let holds = |part: &str| {
            part.is_empty() || stream.windows(part.len()).any(|window| window == part.as_bytes())
        };
        // Chunks may have been put together.
        assert!(text.split("").all(holds), "{text} is nowhere");
        assert!(holds(text) || check.starts_with("body"));
    }
}

/// Hands the pieces over until the attempt has come to its end, and then that of the connection.
fn converse(probe: &BuiltProbe, pieces: &[&[u8]], end: u8, now: Now) -> End {
    let mut attempt = probe.begin(now);
    assert!(matches!(attempt.poll_output(), Some(Output::Connect { .. })));
    let to = SocketAddr::from(([127, 0, 0, 1], 80));
    if let Some(end) = tell(&mut *attempt, Input::Connected(to), now) {
        return end;
    }
    for piece in pieces.iter().filter(|piece| !piece.is_empty()) {
        if let Some(end) = tell(&mut *attempt, Input::Received(piece), now) {
            return end;
        }
    }
    let last = match end % 3 {
        0 => Input::Closed,
        1 => Input::Failed(Failure::new(Reason::Reset, "connection reset\n")),
        _ => Input::TimedOut,
    };
    tell(&mut *attempt, last, now).expect("it ends with its connection")
}

fn tell(attempt: &mut dyn Attempt, input: Input<'_>, now: Now) -> Option<End> {
    attempt.handle_input(input, now);
    let mut end = None;
    while let Some(output) = attempt.poll_output() {
        assert!(end.is_none(), "{output:?} after the end");
        match output {
            Output::Connect { host, port } => end = Some(End::Redirect(host, port)),
            Output::Done(result) => end = Some(End::Verdict(result)),
            Output::Send(bytes) => assert!(!bytes.is_empty()),
            Output::Work(_) => panic!("no probe here works elsewhere"),
        }
    }
    end
}
