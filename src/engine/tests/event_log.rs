//! The event log, and cursors at any position in it.

use super::*;
use crate::api::events::{EventId, Subscription};
use crate::engine::event_log::{Cursor, EventLog};
use crate::fsm::Change;
use crate::monitor::TargetUpdate;

/// An event log and its targets.
struct Desk {
    event_log: EventLog,
    targets: Targets,
    now: Now,
}

impl Desk {
    fn new(hosts: &[&'static str]) -> Desk {
        let now = test_now();
        let targets = Targets::new(hosts.iter().map(|host| Monitor::new(Hello(host))).collect(), now);
        Desk { event_log: EventLog::new(hosts.len(), now), targets, now }
    }

    /// Checks of a target: `+` and `-`, one a second; how many were noted.
    fn check(&mut self, target: usize, signs: &str) -> usize {
        let mut noted = 0;
        for sign in signs.chars() {
            self.now = self.now.after(secs(1));
            let result = match sign {
                '+' => ProbeResult::up(Duration::from_millis(12), "fine"),
                _ => ProbeResult::down(Reason::Refused, "refused"),
            };
            let id = self.targets.id(target);
            let change = self.targets.fire(id, &result, self.now);
            let fsm = self.targets.list()[target].fsm();
            let last = fsm.last().expect("checked");
            noted += usize::from(self.event_log.note(id, last, change.as_ref(), fsm.state()));
        }
        noted
    }

    fn cursor(&mut self, target: Option<usize>, checks: bool, last: Option<EventId>) -> Cursor {
        let wanted = Subscription { target: target.map(|target| self.targets.id(target)), checks, last };
        self.event_log.keeps_checks |= wanted.checks;
        self.event_log.cursor(&wanted)
    }

    fn all(&mut self, cursor: &mut Cursor) -> String {
        std::iter::from_fn(|| {
            Some(self.event_log.batch(cursor, &self.targets)).filter(|text| !text.is_empty())
        })
        .collect()
    }

    /// The numbers of the events that follow, with what else there is.
    fn follow(&mut self, cursor: &mut Cursor) -> Vec<String> {
        let text = self.all(cursor);
        let blocks = text.split_terminator("\n\n");
        let event = |block: &str| match block.split_once('\n') {
            Some((id, _)) if id.starts_with("id: ") => id.replace("id: 1738200000000000-", ""),
            _ => block.replace("event: lost\ndata: ", "lost "),
        };
        blocks.map(event).collect()
    }
}

fn id(seq: u64) -> Option<EventId> {
    Some(EventId { boot: 1_738_200_000_000_000, seq })
}

#[test]
fn a_transition_is_sent_as_it_was() {
    let mut desk = Desk::new(&["db"]);
    let mut cursor = desk.cursor(None, false, None);
    assert_eq!(desk.check(0, "+++-"), 2);
    assert_eq!(
        desk.all(&mut cursor),
        "id: 1738200000000000-1\nevent: transition\n\
         data: {\"ts\":1738200001.0,\"target\":\"db\",\"probe\":\"db\",\"from\":\"unknown\",\"to\":\"up\",\
         \"detail\":\"fine\",\"error\":null,\"latency_ms\":12.0,\"since_s\":1.0}\n\n\
         id: 1738200000000000-2\nevent: transition\n\
         data: {\"ts\":1738200004.0,\"target\":\"db\",\"probe\":\"db\",\"from\":\"up\",\"to\":\"degraded\",\
         \"detail\":\"refused\",\"error\":\"refused\",\"latency_ms\":null,\"since_s\":3.0}\n\n"
    );
    assert_eq!(desk.all(&mut cursor), "");
}

#[test]
fn checks_are_kept_once_requested_and_precede_their_transitions() {
    let mut desk = Desk::new(&["db"]);
    assert_eq!(desk.check(0, "++"), 1);
    let mut cursor = desk.cursor(None, true, None);
    let mut plain = desk.cursor(None, false, None);
    assert_eq!(desk.check(0, "+-+"), 3);
    let text = desk.all(&mut cursor);
    let kinds: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("event: ")).collect();
    assert_eq!(kinds, ["check", "check", "transition", "check", "transition"]);
    assert!(text.contains(
        "id: 1738200000000000-3\nevent: check\ndata: {\"ts\":1738200004.0,\"target\":\"db\",\"event\":\"fail\",\
         \"state\":\"degraded\",\"detail\":\"refused\",\"error\":\"refused\",\"latency_ms\":null}\n\n"
    ));
    assert_eq!(desk.follow(&mut plain), ["4", "6"]);
    let mut back = desk.cursor(None, true, id(3));
    assert_eq!(desk.follow(&mut back), ["4", "5", "6"]);
}

#[test]
fn a_client_that_reconnects_gets_the_events_it_missed() {
    let mut desk = Desk::new(&["db"]);
    desk.check(0, "+-+-+");
    for (last, sent) in
        [(None, &[][..]), (id(0), &["1", "2", "3", "4", "5"]), (id(3), &["4", "5"]), (id(5), &[])]
    {
        let mut cursor = desk.cursor(None, false, last);
        assert_eq!(desk.follow(&mut cursor), sent, "{last:?}");
    }
    // Of another start of the daemon: all of this one are new.
    let mut cursor = desk.cursor(None, false, Some(EventId { boot: 7, seq: 3 }));
    assert_eq!(desk.follow(&mut cursor), ["1", "2", "3", "4", "5"]);
}

#[test]
fn one_target_alone_can_be_followed() {
    let mut desk = Desk::new(&["a", "b"]);
    let mut cursor = desk.cursor(Some(1), true, None);
    desk.check(0, "+-");
    desk.check(1, "+");
    desk.check(0, "+");
    let text = desk.all(&mut cursor);
    assert_eq!((text.matches("\"target\":\"b\"").count(), text.matches("data:").count()), (2, 2), "{text}");
    assert_eq!(desk.all(&mut cursor), "");
}

#[test]
fn a_number_that_was_never_given_is_of_another_start() {
    let mut desk = Desk::new(&["db"]);
    desk.check(0, "+-+");
    let mut ours = desk.cursor(None, false, id(3));
    assert_eq!(desk.follow(&mut ours), [""; 0]);
    let mut strange = desk.cursor(None, false, id(4));
    assert_eq!(desk.follow(&mut strange), ["1", "2", "3"]);
}

#[test]
fn a_client_that_is_too_slow_gets_the_number_of_missed_events() {
    let mut desk = Desk::new(&["db"]);
    let mut early = desk.cursor(None, false, None);
    desk.check(0, &"+-".repeat(EVENT_LOG_MIN / 2));
    let mut middle = desk.cursor(None, false, id(10));
    assert_eq!(desk.follow(&mut early.clone()).len(), EVENT_LOG_MIN);
    desk.check(0, &"+-".repeat(10));
    let sent = desk.follow(&mut early);
    assert_eq!((&*sent[0], &*sent[1], sent.len()), ("lost {\"count\":20}", "21", EVENT_LOG_MIN + 1));
    assert_eq!(desk.follow(&mut middle)[..2], ["lost {\"count\":10}", "21"]);
    // After a late reconnection the number is unknown.
    let mut late = desk.cursor(None, false, id(19));
    assert_eq!(desk.follow(&mut late)[..2], ["lost {\"count\":null}", "21"]);
    let mut just = desk.cursor(None, false, id(20));
    assert_eq!(desk.follow(&mut just)[0], "21");
    assert_eq!(desk.follow(&mut late), [""; 0], "sent once");
}

/// Whose events they were is lost with them.
#[test]
fn a_client_of_one_target_learns_that_events_may_be_missing() {
    let mut desk = Desk::new(&["a", "b"]);
    desk.check(0, "+");
    let mut follows = desk.cursor(Some(0), false, None);
    desk.check(1, &"+-".repeat(EVENT_LOG_MIN / 2 - 1));
    desk.check(0, "-");
    assert_eq!(desk.follow(&mut follows.clone()), ["256"], "nothing is lost");
    desk.check(1, "+-");
    assert_eq!(desk.follow(&mut follows), ["lost {\"count\":null}", "256"]);
}

#[test]
fn batches_are_small_and_miss_nothing() {
    let mut desk = Desk::new(&["db"]);
    let mut cursor = desk.cursor(None, true, None);
    desk.check(0, &"+-".repeat(80));
    let whole = desk.all(&mut cursor.clone());
    let mut pieces = Vec::new();
    loop {
        let batch = desk.event_log.batch(&mut cursor, &desk.targets);
        if batch.is_empty() {
            break;
        }
        assert!(batch.len() <= STREAM_BATCH_MAX && batch.ends_with("\n\n"));
        pieces.push(batch);
    }
    assert!(pieces.len() > 10 && pieces[..pieces.len() - 1].iter().all(|batch| batch.len() > 3500));
    assert_eq!(pieces.concat(), whole);
}

#[test]
fn an_event_larger_than_a_batch_is_sent_by_itself() {
    let name: &'static str = Box::leak("\"".repeat(STREAM_BATCH_MAX).into_boxed_str());
    let mut desk = Desk::new(&[name]);
    let mut cursor = desk.cursor(None, false, None);
    desk.check(0, "+-");
    for number in 1..3 {
        let batch = desk.event_log.batch(&mut cursor, &desk.targets);
        assert!(
            batch.starts_with(&format!("id: 1738200000000000-{number}\n")) && batch.len() > STREAM_BATCH_MAX
        );
    }
    assert_eq!(desk.event_log.batch(&mut cursor, &desk.targets), "");
}

#[test]
fn a_shared_batch_is_reused_only_while_it_is_valid() {
    let mut desk = Desk::new(&["a", "b"]);
    let mut cursors = [None, None, Some(0), Some(1)].map(|target| desk.cursor(target, true, None));
    for signs in ["+", "-", "+-+"] {
        desk.check(0, signs);
        let sent = cursors.each_mut().map(|cursor| desk.all(cursor));
        assert_eq!((&sent[0], &sent[0], ""), (&sent[1], &sent[2], &*sent[3]));
        assert_eq!(sent[0].matches("event: check").count(), signs.len());
    }
}

#[test]
fn targets_that_move_keep_their_events_and_those_of_others_are_not_sent() {
    let mut desk = Desk::new(&["gone", "kept"]);
    let mut cursor = desk.cursor(None, false, None);
    desk.check(0, "+");
    desk.check(1, "+");
    desk.check(0, "-");
    let [new, other] = ["new", "other"].map(|host| TargetUpdate::Start(Monitor::new(Hello(host))));
    desk.targets.replace(vec![new, other, TargetUpdate::Keep(desk.targets.id(1))], desk.now);
    desk.event_log.handle_reload(3);
    desk.check(0, "-");
    let text = desk.all(&mut cursor);
    let sent: Vec<_> = ["gone", "kept", "new"].map(|name| text.matches(name).count()).into();
    assert_eq!(sent, [0, 2, 2], "{text}");
}

#[test]
fn more_targets_have_a_longer_event_log() {
    let mut desk = Desk::new(&["db"; 200]);
    let mut cursor = desk.cursor(None, false, None);
    let change = Change { from: State::Up, to: State::Down, previous_state_duration: Duration::ZERO };
    desk.check(0, "+");
    let last = desk.targets.list()[0].fsm().last().expect("checked");
    for _ in 0..500 {
        desk.event_log.note(desk.targets.id(0), last, Some(&change), State::Down);
    }
    let sent = desk.follow(&mut cursor);
    assert_eq!((&*sent[0], sent.len()), ("lost {\"count\":101}", 401));
}
