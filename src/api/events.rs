//! `/events`: the form of a stream of events (WHATWG HTML section 9.2), and what a client asks of it.

use crate::api::params::{bad, target, value};
use crate::api::response::Response;
use crate::monitor::Fleet;
use crate::wire::http::request::Request;

/// A comment that says nothing: it keeps the connection alive, and finds out whether it is.
pub(crate) const KEEP_ALIVE: &str = ": still here\n\n";

/// What every stream begins with: how long to wait before coming back when it breaks, in milliseconds.
const GREETING: &str = "retry: 3000\n: pingstate\n\n";

/// Names one event: the start of the daemon that told it, and its number. The start is in microseconds
/// since 1970: where there is no clock that goes on without power, it is often in the same second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventId {
    pub(crate) boot: u64,
    pub(crate) seq: u64,
}

impl EventId {
    fn read(text: &str) -> Option<EventId> {
        let (boot, seq) = text.split_once('-')?;
        Some(EventId { boot: boot.parse().ok()?, seq: seq.parse().ok()? })
    }
}

/// What a client wants to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// The place of the only target that matters.
    pub(crate) target: Option<usize>,
    /// Checks as well as transitions.
    pub(crate) checks: bool,
    /// The last event that it has seen, if it comes back.
    pub(crate) last: Option<EventId>,
}

impl Subscription {
    /// What the request asks for, or the answer if that makes no sense.
    pub(super) fn asked(request: &Request, fleet: &Fleet) -> Result<Subscription, Response> {
        let checks = match value(&request.query, "checks")?.as_deref() {
            None | Some("0") => false,
            Some("1") => true,
            Some(_) => return Err(bad(&["checks must be 0 or 1"])),
        };
        let last = request.last_event_id.as_deref().and_then(EventId::read);
        Ok(Subscription { target: target(&request.query, fleet)?, checks, last })
    }
}

/// The head of a stream, which ends when the connection does, and its first lines.
pub(crate) fn opening(date: &str, head_only: bool) -> String {
    let greeting = if head_only { "" } else { GREETING };
    [
        "HTTP/1.1 200 OK\r\nDate: ",
        date,
        "\r\nContent-Type: text/event-stream\r\nCache-Control: no-store, no-transform\r\n",
        // nginx holds an answer back until 4 or 8 KiB of it have come, unless this field says otherwise.
        "X-Accel-Buffering: no\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        greeting,
    ]
    .concat()
}

/// One event. Its data is one line.
pub(crate) fn event(id: EventId, kind: &str, data: &str) -> String {
    let (boot, seq) = (id.boot.to_string(), id.seq.to_string());
    ["id: ", &boot, "-", &seq, "\nevent: ", kind, "\ndata: ", data, "\n\n"].concat()
}

/// The event for a client that has missed others: how many, or null if there may be some and their number
/// is not known. It has no id: the client stays at the last event that it has seen.
pub(crate) fn lost(count: Option<u64>) -> String {
    let count = count.map_or("null".to_owned(), |count| count.to_string());
    ["event: lost\ndata: {\"count\":", &count, "}\n\n"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::test_now;
    use crate::monitor::Monitor;
    use crate::monitor::mute::Mute;
    use crate::wire::http::request::{Read, read};

    fn asked(query: &str, last: &str) -> Result<Subscription, (u16, String)> {
        let head = format!("GET /events?{query} HTTP/1.1\r\nHost: a\r\nLast-Event-ID: {last}\r\n\r\n");
        let Read::Request(request, _) = read(head.as_bytes()) else { panic!("no request: {head}") };
        let fleet = Fleet::new(vec![Monitor::new(Mute("a"))], test_now());
        let line = |body| String::from_utf8(body).expect("a line");
        Subscription::asked(&request, &fleet).map_err(|no| (no.status, line(no.body)))
    }

    #[test]
    fn a_client_says_what_it_wants() {
        let wanted = |target, checks, last| Ok(Subscription { target, checks, last });
        assert_eq!(asked("", ""), wanted(None, false, None));
        assert_eq!(asked("checks=0", "5"), wanted(None, false, None));
        let last = Some(EventId { boot: 7, seq: 12 });
        assert_eq!(asked("target=a&checks=1", "7-12"), wanted(Some(0), true, last));
        for other in ["7-", "-7", "7-x", "x-7", "7-18446744073709551616", "7-1-2"] {
            assert_eq!(asked("", other), wanted(None, false, None), "{other}");
        }
        let no = |status, line: &str| Err((status, format!("{line}\n")));
        assert_eq!(asked("checks=yes", ""), no(400, "checks must be 0 or 1"));
        assert_eq!(asked("target=b", ""), no(404, "no target of this name"));
    }

    #[test]
    fn a_stream_has_no_length_and_ends_with_its_connection() {
        let opening = opening("Thu, 30 Jan 2025 01:20:00 GMT", false);
        assert_eq!(
            opening,
            "HTTP/1.1 200 OK\r\nDate: Thu, 30 Jan 2025 01:20:00 GMT\r\nContent-Type: text/event-stream\r\n\
             Cache-Control: no-store, no-transform\r\nX-Accel-Buffering: no\r\n\
             X-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n\
             retry: 3000\n: pingstate\n\n"
        );
        let head = super::opening("Thu, 30 Jan 2025 01:20:00 GMT", true);
        assert_eq!(head + GREETING, opening);
    }

    #[test]
    fn events_and_comments_end_with_an_empty_line() {
        let id = EventId { boot: 1_738_200_000, seq: 3 };
        assert_eq!(
            event(id, "transition", "{\"a\":1}"),
            "id: 1738200000-3\nevent: transition\ndata: {\"a\":1}\n\n"
        );
        assert_eq!(lost(Some(17)), "event: lost\ndata: {\"count\":17}\n\n");
        assert_eq!(lost(None), "event: lost\ndata: {\"count\":null}\n\n");
        assert!(KEEP_ALIVE.starts_with(':') && KEEP_ALIVE.ends_with("\n\n"));
    }
}
