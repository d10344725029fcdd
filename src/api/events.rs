//! `/events`: server-sent events (WHATWG HTML section 9.2), and the parameters of a subscription.

use crate::api::params::{switch, target};
use crate::api::response::Response;
use crate::monitor::{TargetId, Targets};
use crate::wire::http::request::Request;

pub(crate) const KEEP_ALIVE: &str = ": still here\n\n";

/// The first lines of every stream: the reconnection time in milliseconds, and a comment.
const GREETING: &str = "retry: 3000\n: pingstate\n\n";

/// Event id: the start time of the daemon and a sequence number. The start time is in microseconds since
/// 1970: on machines without a battery-backed clock, several starts often fall into the same second.
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

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subscription {
    /// `None`: all targets.
    pub(crate) target: Option<TargetId>,
    /// Whether to send checks in addition to transitions.
    pub(crate) checks: bool,
    pub(crate) last: Option<EventId>,
}

impl Subscription {
    pub(super) fn parse(request: &Request, targets: &Targets) -> Result<Subscription, Response> {
        let checks = switch(&request.query, "checks", false)?;
        let last = request.last_event_id.as_deref().and_then(EventId::read);
        Ok(Subscription { target: target(&request.query, targets)?, checks, last })
    }
}

/// The response head and first lines of a stream, whose body ends with the connection.
pub(crate) fn opening(date: &str, head_only: bool) -> String {
    let greeting = if head_only { "" } else { GREETING };
    [
        "HTTP/1.1 200 OK\r\nDate: ",
        date,
        "\r\nContent-Type: text/event-stream\r\nCache-Control: no-store, no-transform\r\n",
        // Without this field, nginx buffers a response until it has 4 or 8 KiB.
        "X-Accel-Buffering: no\r\nX-Content-Type-Options: nosniff\r\nConnection: close\r\n\r\n",
        greeting,
    ]
    .concat()
}

pub(crate) fn event(id: EventId, kind: &str, data: &str) -> String {
    let (boot, seq) = (id.boot.to_string(), id.seq.to_string());
    ["id: ", &boot, "-", &seq, "\nevent: ", kind, "\ndata: ", data, "\n\n"].concat()
}

/// The event for a client that missed events; `count` is null if their number is unknown. It has no id, so
/// that the client keeps the id of the last event it received.
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

    fn targets() -> Targets {
        Targets::new(vec![Monitor::new(Mute("a"))], test_now())
    }

    fn parse(query: &str, last: &str) -> Result<Subscription, (u16, String)> {
        let head = format!("GET /events?{query} HTTP/1.1\r\nHost: a\r\nLast-Event-ID: {last}\r\n\r\n");
        let Read::Request(request, _) = read(head.as_bytes()) else { panic!("no request: {head}") };
        let line = |body| String::from_utf8(body).expect("a line");
        Subscription::parse(&request, &targets()).map_err(|no| (no.status, line(no.body)))
    }

    #[test]
    fn subscriptions_are_parsed() {
        let wanted = |target, checks, last| Ok(Subscription { target, checks, last });
        assert_eq!(parse("", ""), wanted(None, false, None));
        assert_eq!(parse("checks=0", "5"), wanted(None, false, None));
        let last = Some(EventId { boot: 7, seq: 12 });
        assert_eq!(parse("target=a&checks=1", "7-12"), wanted(Some(targets().id(0)), true, last));
        for other in ["7-", "-7", "7-x", "x-7", "7-18446744073709551616", "7-1-2"] {
            assert_eq!(parse("", other), wanted(None, false, None), "{other}");
        }
        let no = |status, line: &str| Err((status, format!("{line}\n")));
        assert_eq!(parse("checks=yes", ""), no(400, "checks must be 0 or 1"));
        assert_eq!(parse("target=b", ""), no(404, "no target of this name"));
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
