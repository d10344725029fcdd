//! Clients that are told of what comes: streams of events, and those that wait for a state.

use serde_json::Value;

use super::client::Kind;
use super::event_log::{Cursor, Entry};
use super::plan::{MS, S, is_private};
use super::requests::split;
use super::world::{Event, News, Sock, World};
use crate::engine::ConnId;
use crate::engine::limits::{
    CLIENT_STALL, STREAM_BATCH_MAX, STREAM_INPUT_MAX, STREAM_KEEP_ALIVE, STREAMS_MAX,
};
use crate::fsm::State;
use crate::result::Reason;

/// More than the text of any event in these worlds.
const EVENT_MAX: usize = 2048;

/// What a client wants to be told. Targets go by their names.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wish {
    Events { name: Option<usize>, checks: bool, seen: Option<u64> },
    Wait { name: Option<usize>, state: State, timeout: u64 },
}

impl Wish {
    pub(super) fn name(self) -> Option<usize> {
        match self {
            Wish::Events { name, .. } | Wish::Wait { name, .. } => name,
        }
    }
}

/// A client has been made a stream, which is told after so many outputs.
#[derive(Clone, Copy)]
pub(super) struct Seat {
    wish: Wish,
    after: usize,
}

/// A client that is being told.
pub(super) struct Follow {
    pub(super) wish: Wish,
    cursor: Option<Cursor>,
    since: u64,
    head: bool,
    opened: bool,
    /// The last answer has been made.
    pub(super) closing: bool,
    /// It takes a few bytes from time to time.
    pub(super) slow: bool,
    /// Its next step is planned.
    pub(super) stepping: bool,
    said: usize,
}

impl Follow {
    /// When it has to hear something at the latest, if it has taken all that there was.
    pub(super) fn due(&self, since: u64) -> u64 {
        match self.wish {
            Wish::Wait { timeout, .. } => self.since + timeout,
            Wish::Events { .. } => since + STREAM_KEEP_ALIVE.as_nanos() as u64,
        }
    }
}

impl World {
    /// A path that a client may ask for to be told of what comes, and a field for the head.
    pub(super) fn wish(&mut self) -> (String, String, Wish) {
        let there = (self.rng.permille(500) && !self.present.is_empty()).then(|| {
            let target = self.present[self.rng.index(self.present.len())];
            self.plan.targets[target].name
        });
        let name = if self.rng.permille(60) { Some(self.rng.index(9)) } else { there };
        let filter = name.map(|name| format!("target=t{name}&")).unwrap_or_default();
        if !self.plan.busy && self.rng.permille(500) {
            let state = self.rng.pick(&[State::Up, State::Up, State::Down, State::Degraded, State::Unknown]);
            let (text, timeout) = self.rng.pick(&[
                ("&timeout=0", 0),
                ("&timeout=0.1", 100 * MS),
                ("&timeout=2", 2 * S),
                ("&timeout=7.5", 7500 * MS),
                ("", 60 * S),
            ]);
            let path = format!("/wait?{filter}state={state}{text}");
            return (path, String::new(), Wish::Wait { name, state, timeout });
        }
        let checks = self.rng.permille(500);
        let boot = self.start.unix.as_micros() as u64;
        let (id, seen) = match self.rng.below(10) {
            0..=2 => {
                let seq = self.rng.below(self.journal.last + 3);
                (Some(format!("{boot}-{seq}")), Some(seq))
            }
            3 => (Some(format!("{}-17", boot - 1)), Some(0)),
            4 => (Some("17".to_owned()), None),
            _ => (None, None),
        };
        let field = id.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let path = format!("/events?{filter}{}", if checks { "checks=1" } else { "" });
        (path, field, Wish::Events { name, checks, seen })
    }

    /// The stream to evict if this client becomes one more than there may be.
    pub(super) fn idlest_of_all_streams(&self, id: ConnId) -> Option<ConnId> {
        let is_full = self.is_crowded && self.engine.audit().streams == STREAMS_MAX;
        if is_full && !self.engine.is_stream(id) { self.victim(true) } else { None }
    }

    /// The state that is waited for, as it is now; `None` if there is no such target.
    pub(super) fn present(&self, name: Option<usize>) -> Option<State> {
        match name {
            None => Some(self.worst()),
            Some(name) => self.holder(name).map(|target| self.models[target].state),
        }
    }

    /// Notes that what a client has said made a stream of it, with the number of outputs before that. It may
    /// be gone before the world hears of it.
    pub(super) fn note_seat(&mut self, id: ConnId, after: usize) {
        let Some(Sock::Client(client)) = self.socks.get(&id) else { return };
        if client.follow.is_some() || !self.engine.is_stream(id) || self.seats.contains_key(&id) {
            return;
        }
        let ask = client.asked.front().expect("it has asked for something");
        let wish = ask.wish.unwrap_or_else(|| panic!("nobody asked for a stream: {ask:?}"));
        self.seats.insert(id, Seat { wish, after });
    }

    /// The engine reads on from a client: perhaps as a stream.
    pub(super) fn notice_stream(&mut self, id: ConnId) {
        let slow = self.rng.permille(250);
        let at = self.seen;
        let Some(Seat { wish, .. }) = self.seats.get(&id).copied().filter(|seat| self.taken > seat.after)
        else {
            return;
        };
        self.seats.remove(&id);
        let cursor = match wish {
            Wish::Events { name, checks, seen } => Some(self.journal.cursor(name, checks, seen)),
            Wish::Wait { .. } => None,
        };
        if !self.engine.knows(id) {
            self.counters.add("streams: gone before they are heard of");
        }
        let Some(Sock::Client(client)) = self.socks.get_mut(&id) else { return };
        let ask = client.asked.pop_front().expect("it has asked for something");
        client.first_byte = None;
        (client.came, client.since, client.touched) = (at, at, at);
        client.follow = Some(Follow {
            wish,
            cursor,
            since: at,
            head: ask.head,
            opened: false,
            closing: false,
            slow,
            stepping: false,
            said: 0,
        });
        self.counters.add(match wish {
            Wish::Events { seen: Some(_), .. } => "streams: come back",
            Wish::Events { checks: true, .. } => "streams: of checks",
            Wish::Events { .. } => "streams: of changes",
            Wish::Wait { .. } => "waits: begun",
        });
    }

    /// A stream is told something: is that what comes next?
    pub(super) fn read_stream(&mut self, id: ConnId) {
        let bytes = self.engine.unsent(id).to_vec();
        let at = self.at.max(self.seen);
        let boot = self.start.unix.as_micros() as u64;
        let Some(Sock::Client(client)) = self.socks.get_mut(&id) else { return };
        assert_eq!(client.owing, 0, "one batch at a time");
        (client.owing, client.touched) = (bytes.len(), at);
        let Some(follow) = &mut client.follow else { return };
        let name = follow.wish.name();
        let Some(cursor) = &mut follow.cursor else { return self.read_wait(id, &bytes, at) };
        let text = String::from_utf8(bytes).expect("text");
        if !std::mem::replace(&mut follow.opened, true) {
            let is_stream = text.contains("\r\nContent-Type: text/event-stream\r\n");
            assert!(is_stream && text.ends_with("\r\n\r\nretry: 3000\n: pingstate\n\n"), "{text}");
            return;
        }
        if text == ": still here\n\n" {
            assert!(at >= client.since + STREAM_KEEP_ALIVE.as_nanos() as u64, "there is no need for that");
            return self.counters.add("streams: kept alive");
        }
        assert!(text.ends_with("\n\n"));
        let mut blocks = text.split_terminator("\n\n").peekable();
        let (was_late, lost) = (std::mem::take(&mut cursor.is_late), self.journal.catch_up(cursor));
        let is_counted = lost > 0 && name.is_none();
        if was_late || lost > 0 && !is_counted {
            assert_eq!(blocks.next(), Some("event: lost\ndata: {\"count\":null}"));
        }
        if is_counted {
            assert_eq!(blocks.next(), Some(format!("event: lost\ndata: {{\"count\":{lost}}}").as_str()));
        }
        for (what, is_so) in [("streams: came back too late", was_late), ("streams: overrun", lost > 0)] {
            if is_so {
                self.counters.add(what);
            }
        }
        let mut told = 0;
        for block in blocks {
            let entry = self.journal.next(cursor).unwrap_or_else(|| panic!("nothing has happened: {block}"));
            check_event(block, entry, boot);
            told += 1;
            self.counters.add(if entry.from.is_some() {
                "streams: changes told"
            } else {
                "streams: checks told"
            });
        }
        assert!(text.len() <= STREAM_BATCH_MAX || told == 1, "too much at once");
        let is_full = text.len() + EVENT_MAX > STREAM_BATCH_MAX;
        self.journal.skip(cursor);
        assert!(is_full || !self.journal.has_news(cursor), "there is more to tell");
    }

    /// Somebody who waits is answered.
    fn read_wait(&mut self, id: ConnId, bytes: &[u8], at: u64) {
        let Some(Sock::Client(client)) = self.socks.get(&id) else { return };
        let Some(Follow { wish: Wish::Wait { name, state, timeout }, since, head, .. }) = client.follow
        else {
            return;
        };
        let (status, close, body) = split(bytes);
        assert!(close && body.is_none() == head);
        let present = self.present(name);
        // The wait may have ended before a pause did, in the same turn.
        if self.pause_ended_at != Some(at) {
            check_wait(state, present, status, body);
        }
        if status == 503 {
            assert!(at >= since + timeout, "{id:?} gives up before its time");
        }
        self.counters.add(match status {
            200 => "waits: reached",
            503 => "waits: given up",
            _ => "waits: for nobody any more",
        });
        let Some(Sock::Client(client)) = self.socks.get_mut(&id) else { return };
        client.over = true;
        if let Some(follow) = &mut client.follow {
            follow.closing = true;
        }
    }

    /// A stream's next step.
    pub(super) fn go_on_stream(&mut self, id: ConnId) {
        let leaves = self.rng.permille(60);
        let Some(Sock::Client(client)) = self.socks.get_mut(&id) else { return };
        let Some(follow) = &mut client.follow else { return };
        follow.stepping = false;
        if client.kind == Kind::Vanish && leaves {
            self.counters.add("streams: vanished");
            return self.fail(id, Reason::Reset);
        }
        if client.kind == Kind::Hostile && !follow.closing {
            client.pending.extend([b'x'; 15_000]);
            follow.said += 15_000;
            let is_too_much = follow.said > STREAM_INPUT_MAX;
            self.feed(id);
            while self.socks.get(&id).is_some_and(has_pending) && self.engine.knows(id) {
                self.feed(id);
            }
            self.drain();
            assert!(!is_too_much || !self.socks.contains_key(&id), "{id:?} may say what it likes");
            if is_too_much {
                self.counters.add("streams: talked too much");
            }
        } else if leaves && !client.ended {
            client.ended = true;
            let is_gone = self.rng.permille(500);
            self.counters.add(if is_gone { "streams: left" } else { "streams: ended their side" });
            self.feed(id);
            if is_gone {
                // Its system says so when it is told something, or asked by TCP's keep-alive.
                let after = self.rng.below(40 * S);
                self.schedule(after, Event::News(id, News::Failed(Reason::Reset)));
            }
        }
        if matches!(self.socks.get(&id), Some(Sock::Client(client)) if client.owing > 0) {
            self.write_client(id);
        }
    }

    /// The engine has closed a stream: was that right?
    pub(super) fn is_stream_over(&self, client: &super::client::Client, follow: &Follow) -> bool {
        let stalled = self.seen >= client.touched + CLIENT_STALL.as_nanos() as u64;
        let is_gone =
            matches!(follow.wish, Wish::Events { .. }) && self.present(follow.wish.name()).is_none();
        follow.closing && client.ended && client.owing == 0
            || client.shut
            || client.kind == Kind::Hostile
            || is_gone
            || client.owing > 0 && stalled && (client.kind == Kind::Deaf || follow.slow || client.excused)
    }

    /// At the end of a turn nobody waits for what is there.
    pub(super) fn check_streams(&mut self) {
        for sock in self.socks.values_mut() {
            let Sock::Client(client) = sock else { continue };
            let cursor = client.follow.as_mut().and_then(|follow| follow.cursor.as_mut());
            if let Some(cursor) = cursor.filter(|_| client.owing == 0) {
                self.journal.skip(cursor);
            }
        }
        for (id, sock) in &self.socks {
            let Sock::Client(client) = sock else { continue };
            let Some(follow) = client.follow.as_ref().filter(|follow| !follow.closing) else { continue };
            assert!(self.engine.is_stream(*id));
            let present = self.present(follow.wish.name());
            assert!(present.is_some(), "{id:?} follows somebody who is gone");
            match (follow.wish, &follow.cursor) {
                (Wish::Wait { state, .. }, _) => assert_ne!(present, Some(state), "{id:?} waits for nothing"),
                (_, Some(cursor)) if client.owing == 0 => {
                    assert!(!self.journal.has_news(cursor), "{id:?} is not told");
                }
                _ => {}
            }
        }
    }
}

fn has_pending(sock: &Sock) -> bool {
    matches!(sock, Sock::Client(client) if !client.pending.is_empty())
}

/// What is said to somebody who waits for this state when it is that one.
pub(super) fn check_wait(state: State, present: Option<State>, status: u16, body: Option<&[u8]>) {
    let Some(present) = present else { return assert_eq!(status, 404) };
    assert_eq!(status, if present == state { 200 } else { 503 }, "waits for {state}, it is {present}");
    assert!(body.is_none_or(|body| body == format!("{present}\n").as_bytes()));
}

fn check_event(block: &str, entry: &Entry, boot: u64) {
    let lines: Vec<&str> = block.lines().collect();
    let [id, kind, data] = lines[..] else { panic!("no event: {block}") };
    assert_eq!(id, format!("id: {boot}-{}", entry.seq), "{block}");
    let data = data.strip_prefix("data: ").expect("its data");
    let data: Value = serde_json::from_str(data).expect("JSON");
    let word = |key: &str| data[key].as_str();
    let number = entry.name.expect("a name");
    let detail = Some(entry.detail.as_str()).filter(|_| !is_private(number));
    assert_eq!((word("target"), word("detail")), (Some(&*format!("t{number}")), detail));
    assert_eq!(kind == "event: transition" && !is_private(number), word("probe").is_some(), "{block}");
    assert_eq!(word("error"), entry.reason.map(Reason::as_str));
    let ts = data["ts"].as_f64().expect("a time");
    assert!((ts - entry.unix.as_secs_f64()).abs() < 0.06, "{block}");
    match entry.from {
        Some(from) => {
            assert_eq!(kind, "event: transition");
            assert_eq!((word("from"), word("to")), (Some(from.as_str()), Some(entry.state.as_str())));
        }
        None => {
            assert_eq!(kind, "event: check");
            let event = if entry.reason.is_none() { "ok" } else { "fail" };
            assert_eq!((word("event"), word("state")), (Some(event), Some(entry.state.as_str())));
        }
    }
}
