//! Results of attempts for arbitrary bytes of a peer.

use std::net::SocketAddr;

use super::Source;
use super::source::slicings;
use crate::clock::{Now, test_now};
use crate::probe::build::{NetProbe, ProbeBuilder};
use crate::probe::{Attempt, Input, Output, Probe};
use crate::result::{Failure, ProbeResult, Reason};

/// The most connections of one attempt: ten redirects are followed.
const CONNECTIONS_MAX: usize = 11;

/// The hosts and ports an attempt connected to, and its result.
type End = (Vec<(String, u16)>, ProbeResult);

/// One byte chooses the probe, one how the connection ends, two where to split; the rest is sent by the peer.
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
    let mut probe = ProbeBuilder::from_url(url).check(check);
    if url.starts_with("http") {
        probe = probe.max_body(limit).method(method);
    }
    let (probe, stream, now) = (probe.build().expect("a probe"), source.rest(), test_now());
    let [whole, others @ ..] = slicings(stream, cut);
    let whole = converse(&probe, &whole, end, now);
    for pieces in others {
        assert_eq!(converse(&probe, &pieces, end, now), whole, "split differently");
    }
    sensible(&whole.1, check, stream);
}

fn sensible(result: &ProbeResult, check: &str, stream: &[u8]) {
    assert_eq!(result.ok, result.reason.is_none());
    assert!(
        result.detail.chars().count() <= ProbeResult::DETAIL_MAX && !result.detail.contains(char::is_control)
    );
    if let (true, Some((_, text))) = (result.ok && check.contains("contains"), check.split_once(':')) {
        let holds = |part: &str| {
            part.is_empty() || stream.windows(part.len()).any(|window| window == part.as_bytes())
        };
        // The text may have been split between chunks.
        assert!(text.split("").all(holds), "{text} is missing");
        assert!(holds(text) || check.starts_with("body"));
    }
}

/// Passes the pieces and then the end of the connection to the attempt until it is done. Redirect targets send the
/// same bytes.
fn converse(probe: &NetProbe, pieces: &[&[u8]], end: u8, now: Now) -> End {
    let mut attempt = probe.begin(now);
    let Some(Output::Connect { host, port, .. }) = attempt.poll_output() else {
        panic!("the first output is Connect")
    };
    let mut peers = vec![(host, port)];
    let to = SocketAddr::from(([127, 0, 0, 1], 80));
    loop {
        let last = match end % 3 {
            0 => Input::Closed,
            1 => Input::Failed(Failure::new(Reason::Reset, "connection reset\n")),
            _ => Input::TimedOut,
        };
        let received = pieces.iter().filter(|piece| !piece.is_empty()).map(|piece| Input::Received(piece));
        let mut inputs = std::iter::once(Input::Connected(to)).chain(received).chain([last]);
        let next = inputs.find_map(|input| handle_input(&mut *attempt, input, now));
        match next.expect("the attempt ends with its connection") {
            Output::Connect { host, port, .. } => peers.push((host, port)),
            Output::Done(result) => return (peers, result),
            output => panic!("unexpected {output:?}"),
        }
        assert!(peers.len() <= CONNECTIONS_MAX, "{peers:?}");
    }
}

/// The output that ends the connection, if there is one.
fn handle_input(attempt: &mut dyn Attempt, input: Input<'_>, now: Now) -> Option<Output> {
    attempt.handle_input(input, now);
    let mut end = None;
    while let Some(output) = attempt.poll_output() {
        assert!(end.is_none(), "{output:?} after the end");
        match output {
            Output::Connect { .. } | Output::Done(_) => end = Some(output),
            Output::Send(bytes) => one_request(&bytes),
            Output::SetTimer(_) => {}
            output => panic!("no probe here requests {output:?}"),
        }
    }
    end
}

/// The peer's bytes can neither end the request early nor split its cookies into two fields.
fn one_request(bytes: &[u8]) {
    assert!(!bytes.is_empty());
    let Some(head) = std::str::from_utf8(bytes).ok().filter(|head| head.contains(" HTTP/1.1\r\n")) else {
        return; // TLS.
    };
    let lines: Vec<_> = head.split("\r\n").collect();
    assert!(
        head.ends_with("\r\n\r\n") && lines.iter().filter(|line| line.is_empty()).count() == 2,
        "{head:?}"
    );
    assert!(!head.replace("\r\n", "").contains(['\r', '\n', '\0']), "{head:?}");
    assert!(lines.iter().filter(|line| line.starts_with("Cookie: ")).count() <= 1, "{head:?}");
}
