//! Requests pipelined, cut anywhere, too long, or not requests at all.

use super::*;
use crate::wire::http::request::Method;

const GET: &[u8] = b"GET /state HTTP/1.1\r\nHost: localhost:8787\r\n\r\n";
const HEAD: &[u8] = b"HEAD /?x=1 HTTP/1.1\r\nHost: [::1]\r\nAccept: */*\r\n\r\n";
const LAST: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/// All that can be taken off the inbox now.
fn take(client: &mut Client) -> Vec<Next> {
    let mut all = Vec::new();
    loop {
        match client.next() {
            Next::Wait => return all,
            next => all.push(next),
        }
    }
}

/// Hands the pieces over one by one, each as its room allows, and answers at once.
fn converse(client: &mut Client, pieces: &[&[u8]]) -> Vec<Next> {
    let mut all = Vec::new();
    for piece in pieces {
        let mut rest = *piece;
        while !rest.is_empty() {
            let (now, later) = rest.split_at(rest.len().min(client.room()));
            assert!(!now.is_empty(), "a client that is read has room");
            client.receive(now);
            all.extend(take(client));
            rest = later;
        }
    }
    all
}

/// The paths of the requests, and the status of a refusal.
fn paths(all: &[Next]) -> Vec<String> {
    let path = |next: &Next| match next {
        Next::Request(request) => request.path.clone(),
        Next::Refuse(status) => status.to_string(),
        Next::Wait => String::new(),
    };
    all.iter().map(path).collect()
}

#[test]
fn a_request_is_taken_whole() {
    let mut client = Client::new();
    client.receive(HEAD);
    let wanted = Request {
        method: Method::Head,
        path: "/".into(),
        query: "x=1".into(),
        http11: true,
        host: Some("[::1]".into()),
        keep_alive: true,
        last_event_id: None,
        bearer: None,
        origin: None,
        is_cross_site: false,
        prefers_html: false,
        content: None,
    };
    assert_eq!(client.next(), Next::Request(wanted));
    assert_eq!(client.next(), Next::Wait);
    assert!(client.is_idle());
}

#[test]
fn slicing_changes_nothing() {
    let stream = [GET, HEAD, b"\r\n", GET, LAST, GET].concat();
    let whole = converse(&mut Client::new(), &[&stream]);
    assert_eq!(paths(&whole), ["/state", "/", "/state", "/healthz"]);
    for cut in 0..=stream.len() {
        let (a, b) = stream.split_at(cut);
        assert_eq!(converse(&mut Client::new(), &[a, b]), whole, "cut at {cut}");
    }
    let bytes: Vec<_> = stream.chunks(1).collect();
    assert_eq!(converse(&mut Client::new(), &bytes), whole);
}

#[test]
fn pipelined_requests_come_out_one_at_a_time() {
    let mut client = Client::new();
    client.receive(&[GET, HEAD, &GET[..9]].concat());
    assert!(!client.is_idle());
    assert!(matches!(client.next(), Next::Request(request) if request.path == "/state"));
    assert!(!client.is_idle(), "the next one is waiting");
    assert!(matches!(client.next(), Next::Request(request) if request.path == "/"));
    assert!(!client.is_idle(), "a piece of the third one is there");
    assert_eq!(client.next(), Next::Wait);
    assert_eq!(client.next(), Next::Wait, "asking again changes nothing");
    client.receive(&GET[9..]);
    assert!(matches!(client.next(), Next::Request(request) if request.path == "/state"));
    assert!(client.is_idle());
}

#[test]
fn every_prefix_waits_and_none_but_the_empty_one_is_idle() {
    assert!(Client::new().is_idle());
    for len in 1..GET.len() {
        let mut client = Client::new();
        client.receive(&GET[..len]);
        assert_eq!(client.next(), Next::Wait, "{len}");
        assert!(!client.is_idle(), "{len}");
        assert_eq!(client.room(), INBOX - len);
    }
    let mut client = Client::new();
    client.receive(b"\r\n");
    assert_eq!((client.next(), client.is_idle()), (Next::Wait, true));
}

#[test]
fn after_the_last_request_the_rest_is_ignored() {
    for last in [LAST, b"GET / HTTP/1.0\r\n\r\n"] {
        let mut client = Client::new();
        client.receive(&[last, GET].concat());
        assert!(matches!(client.next(), Next::Request(request) if !request.keep_alive));
        assert_eq!(client.next(), Next::Wait);
        client.receive(GET);
        assert_eq!((client.next(), client.room()), (Next::Wait, INBOX));
    }
}

#[test]
fn a_refused_client_is_not_listened_to_any_more() {
    for (bytes, status) in [
        (&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"[..], 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/2.0\r\nHost: localhost\r\n\r\n", 505),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n", 400),
    ] {
        let mut client = Client::new();
        client.receive(&[GET, bytes, GET].concat());
        assert!(matches!(client.next(), Next::Request(_)));
        assert_eq!(client.next(), Next::Refuse(status));
        assert_eq!(client.next(), Next::Wait);
        client.receive(GET);
        assert_eq!((client.next(), client.room(), client.is_idle()), (Next::Wait, INBOX, true));
    }
}

#[test]
fn a_head_that_does_not_fit_is_refused() {
    let endless =
        format!("GET / HTTP/1.1\r\n{}", format!("X: {}\r\n", "x".repeat(995)).repeat(33)).into_bytes();
    for size in [1, 7, 100, 1024, INBOX, HEAD_MAX, endless.len()] {
        let pieces: Vec<_> = endless.chunks(size).collect();
        assert_eq!(converse(&mut Client::new(), &pieces), [Next::Refuse(431)], "in pieces of {size}");
    }
}

/// Only one head may take more than the usual memory: what is pipelined stays with the system.
#[test]
fn a_large_head_gets_more_room_and_pipelined_requests_do_not() {
    let fields = format!("Cookie: {}\r\n", "x".repeat(2 * INBOX / 3)).repeat(4);
    let large = format!("GET /large HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let mut client = Client::new();
    let all = converse(&mut client, &[GET, large.as_bytes(), GET]);
    assert_eq!(paths(&all), ["/state", "/large", "/state"]);
    assert_eq!((client.room(), client.inbox.capacity()), (INBOX, 0));
    client.receive(&large.as_bytes()[..INBOX]);
    assert_eq!((client.room(), client.next()), (0, Next::Wait));
    assert_eq!((client.room(), client.is_large), (HEAD_MAX - INBOX, true));
    client.receive(&large.as_bytes()[INBOX..]);
    client.receive(&GET.repeat(50));
    assert!(matches!(client.next(), Next::Request(request) if request.path == "/large"));
    assert_eq!((client.room(), client.is_large), (INBOX - 50 * GET.len(), false));
}

#[test]
fn more_than_the_room_is_neither_kept_nor_patched_together() {
    let mut client = Client::new();
    let flood = GET.repeat(INBOX);
    client.receive(&flood);
    assert_eq!(client.room(), 0);
    client.receive(&flood);
    let all = take(&mut client);
    assert_eq!(all.len(), INBOX / GET.len() + 1);
    assert_eq!(all.last(), Some(&Next::Refuse(431)));
    // Also where what did fit ends with a whole request.
    let mut client = Client::new();
    let mut exact = GET.repeat(2);
    let filler = INBOX - exact.len() - GET.len() - b"X: \r\n".len();
    exact.extend_from_slice(&GET[..GET.len() - 2]);
    exact.extend_from_slice(format!("X: {}\r\n\r\n", "x".repeat(filler)).as_bytes());
    assert_eq!(exact.len(), INBOX);
    client.receive(&[&exact[..], GET].concat());
    assert_eq!(paths(&take(&mut client)), ["/state", "/state", "/state", "431"]);
}

#[test]
fn a_full_inbox_of_requests_flows() {
    let mut client = Client::new();
    let all = converse(&mut client, &[&GET.repeat(2000)]);
    assert_eq!(all.len(), 2000);
    assert!(client.is_idle());
    assert_eq!(client.inbox.capacity(), 0, "an idle client holds no memory");
}

#[test]
fn hostile_streams_are_read_alike_however_they_are_cut_and_never_grow_the_inbox() {
    let shreds: [&[u8]; 12] = [
        GET,
        HEAD,
        LAST,
        b"\r\n",
        b"\n",
        b"\r",
        b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
        b"\0",
        b":",
        b"GET ",
        b" HTTP/1.1\r\nHost: a\r\n",
        b"Content-Length: 0\r\n\r\n",
    ];
    let mut seed = 1u32;
    let mut random = |below: usize| {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (seed >> 8) as usize % below
    };
    for round in 0..2000 {
        let stream = (0..random(9)).map(|_| shreds[random(shreds.len())]).collect::<Vec<_>>().concat();
        let whole = converse(&mut Client::new(), &[&stream]);
        let mut client = Client::new();
        let bytes: Vec<_> = stream.chunks(1).collect();
        assert_eq!(converse(&mut client, &bytes), whole, "round {round}: {:?}", stream.escape_ascii());
        assert!(client.inbox.len() <= HEAD_MAX);
        let (a, b) = stream.split_at(random(stream.len() + 1));
        assert_eq!(converse(&mut Client::new(), &[a, b]), whole, "round {round}");
    }
}
