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

/// URL, checks and the limit of the body.
type Choice = (&'static str, &'static [&'static str], usize);

const CHOICES: &[Choice] = &[
    ("http://h/a", &["body_contains:ok"], 1000),
    ("http://h/", &[""], 0),
    ("tcp://h:22", &["banner_contains:ok"], 0),
    ("http://h:8080/a/b?c", &["status:100-299,302"], 10),
    ("http://[::1]/", &["body_contains:ananas"], 6),
    ("tcp://h:22", &["banner_contains:ananas"], 0),
    ("http://h/", &["header:X-Queue=7"], 0),
    ("http://h/", &["header:content-type~json"], 0),
    ("http://h/", &["header:Set-Cookie"], 0),
    ("http://h/", &["json:/a/0/b>=1.5e1"], 1000),
    ("http://h/", &["json:/ok=true"], 30),
    ("http://h/", &["json:"], 1000),
    ("http://h/", &["status:200,404", "header:Server", "not:body_contains:fail", "json:/state"], 1000),
    ("http://h/", &["body_contains:an", "body_contains:na", "not:header:X-Queue~9"], 1000),
    ("tcp://h:22", &["banner_contains:220", "not:banner_contains:554"], 0),
    ("tls://h:993", &["banner_contains:ok"], 0),
    ("dns://h/example.com", &[""], 0),
    ("dns://h/example.com", &["rcode:NOERROR,NXDOMAIN"], 0),
    ("dns://h/example.com?type=A", &["answer:192.0.2.1,192.0.2.2"], 0),
    ("dns://h/example.com?type=TXT", &["answer_contains:v=spf1"], 0),
    ("dns://h/example.com?type=MX", &["answer:10 mx.example.com", "not:rcode:SERVFAIL"], 0),
    ("dns://h/example.com?type=SOA", &["not:answer_contains:ns2", "answer_contains: 7200 "], 0),
];

/// One byte chooses the probe, one how the connection ends, two where to split; the rest is sent by the peer. DNS
/// messages are sent over TCP, and the id of every query is zero.
pub fn verdict(data: &[u8]) {
    let mut source = Source::new(data);
    let (url, checks, limit) = *source.choose(CHOICES);
    if cfg!(not(feature = "tls")) && url.starts_with("tls") {
        return;
    }
    let end = source.byte();
    let cut = source.number();
    let (stream, now) = (source.rest(), test_now());
    let has_body_check = checks.iter().any(|check| check.contains("body") || check.contains("json"));
    let method = if end & 8 == 8 && !has_body_check { "HEAD" } else { "GET" };
    let build = |negated: &str| {
        let first = format!("{negated}{}", checks[0]);
        let mut probe = ProbeBuilder::from_url(url).check(&first);
        for check in &checks[1..] {
            probe = probe.check(check);
        }
        if url.starts_with("http") {
            probe = probe.max_body(limit).method(method);
        }
        if url.starts_with("dns") {
            probe = probe.dns_tcp(true);
        }
        probe.build().expect("a probe")
    };
    let probe = build("");
    let [whole, others @ ..] = slicings(stream, cut);
    let result = converse(&probe, &whole, end, now);
    for pieces in others {
        assert_eq!(converse(&probe, &pieces, end, now), result, "split differently");
    }
    if let [check] = checks {
        sensible(&result.1, check, stream);
        // Of a banner, the negated check reads the first line only.
        if !check.is_empty() && !check.starts_with("banner") {
            let negated = converse(&build("not:"), &whole, end, now);
            assert!(
                !(result.1.ok && negated.1.ok),
                "{check} holds, and its negation: {result:?} {negated:?}"
            );
        }
    }
}

fn sensible(result: &ProbeResult, check: &str, stream: &[u8]) {
    assert_eq!(result.ok, result.reason.is_none());
    assert!(
        result.detail.chars().count() <= ProbeResult::DETAIL_MAX && !result.detail.contains(char::is_control)
    );
    if let (true, Some((_, text))) =
        (result.ok && check.contains("_contains:") && !check.starts_with("answer"), check.split_once(':'))
    {
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
    let mut first = attempt.poll_output();
    if matches!(first, Some(Output::Random)) {
        attempt.handle_input(Input::Random(0), now);
        first = attempt.poll_output();
    }
    let Some(Output::Connect { host, port, .. }) = first else { panic!("the first output is Connect") };
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
        return; // TLS, or a query.
    };
    let lines: Vec<_> = head.split("\r\n").collect();
    assert!(
        head.ends_with("\r\n\r\n") && lines.iter().filter(|line| line.is_empty()).count() == 2,
        "{head:?}"
    );
    assert!(!head.replace("\r\n", "").contains(['\r', '\n', '\0']), "{head:?}");
    assert!(lines.iter().filter(|line| line.starts_with("Cookie: ")).count() <= 1, "{head:?}");
}
