//! Which changes are notified.

use super::*;
use crate::clock::test_now;
use State::{Degraded, Down, Unknown, Up};

const S: Duration = Duration::from_secs(1);

/// What is notified when a target goes through these states, as `from>to`.
fn notified(notify: Notify, states: &[State]) -> Vec<String> {
    let settings = Notifications::new().notify(notify);
    let now = test_now().instant;
    let mut notified = Notified::new(states[0]);
    let mut seen = Vec::new();
    for pair in states.windows(2) {
        let from = (pair[0] != pair[1]).then_some(pair[0]);
        match notified.update(from, pair[1], Some(&settings), now) {
            Some(Due::Change { from }) => seen.push(format!("{from}>{}", pair[1])),
            other => assert_eq!(other, None),
        }
    }
    seen
}

#[test]
fn by_default_only_down_and_the_end_of_it_are_notified() {
    for (states, expected) in [
        (&[Unknown, Up, Degraded, Up][..], &[][..]),
        (&[Unknown, Down, Down, Up], &["unknown>down", "down>up"]),
        (&[Unknown, Up, Degraded, Down, Degraded, Up, Down], &["degraded>down", "down>degraded", "up>down"]),
        // A pause.
        (&[Up, Down, Unknown, Down, Unknown, Up], &["up>down", "down>up"]),
        (&[Up, Down, Unknown, Up, Unknown, Up], &["up>down", "down>up"]),
        (&[Down, Up], &["down>up"]),
        (&[Up, Unknown, Unknown, Down], &["up>down"]),
    ] {
        assert_eq!(notified(Notify::Down, states), expected, "{states:?}");
    }
}

#[test]
fn every_change_is_notified_on_request() {
    let states = [Unknown, Up, Degraded, Down, Unknown, Down, Unknown, Degraded, Degraded, Up];
    let all = ["up>degraded", "degraded>down", "down>degraded", "degraded>up"];
    assert_eq!(notified(Notify::All, &states), all);
    assert_eq!(notified(Notify::AllAndFirst, &states)[1..], all);
    assert_eq!(notified(Notify::AllAndFirst, &states)[0], "unknown>up");
    for first in [Degraded, Down] {
        assert_eq!(notified(Notify::All, &[Unknown, first]), [format!("unknown>{first}")]);
    }
}

#[test]
fn reminders_follow_while_the_target_is_down() {
    let settings = Notifications::new().remind(60 * S);
    let start = test_now().instant;
    let mut notified = Notified::new(Up);
    assert_eq!(notified.update(Some(Up), Down, Some(&settings), start), Some(Due::Change { from: Up }));
    for (seconds, due) in
        [(59, None), (60, Some(1)), (61, None), (119, None), (200, Some(2)), (259, None), (260, Some(3))]
    {
        let due = due.map(Due::Reminder);
        assert_eq!(notified.update(None, Down, Some(&settings), start + seconds * S), due, "{seconds}");
    }
    assert!(notified.update(Some(Down), Up, Some(&settings), start + 270 * S).is_some());
    assert_eq!(notified.update(None, Up, Some(&settings), start + 900 * S), None);
    // The next time they are counted from 1.
    assert!(notified.update(Some(Up), Down, Some(&settings), start + 1000 * S).is_some());
    assert_eq!(notified.update(None, Down, Some(&settings), start + 1059 * S), None);
    assert_eq!(notified.update(None, Down, Some(&settings), start + 1060 * S), Some(Due::Reminder(1)));
}

#[test]
fn reminders_requested_while_a_target_is_down_begin_an_interval_later() {
    let start = test_now().instant;
    let mut notified = Notified::new(Up);
    assert!(notified.update(Some(Up), Down, None, start).is_some());
    let settings = Notifications::new().remind(60 * S);
    assert_eq!(notified.update(None, Down, Some(&settings), start + 600 * S), None);
    assert_eq!(notified.update(None, Down, Some(&settings), start + 660 * S), Some(Due::Reminder(1)));
}

#[test]
fn a_paused_target_is_not_reminded_of() {
    let settings = Notifications::new().remind(60 * S);
    let start = test_now().instant;
    let mut notified = Notified::new(Up);
    assert!(notified.update(Some(Up), Down, Some(&settings), start).is_some());
    notified.pause();
    assert_eq!(notified.update(Some(Down), Unknown, Some(&settings), start + 30 * S), None);
    assert_eq!(notified.update(None, Unknown, Some(&settings), start + 90 * S), None);
    // Down again: known, and the reminders begin again.
    assert_eq!(notified.update(Some(Unknown), Down, Some(&settings), start + 100 * S), None);
    assert_eq!(notified.update(None, Down, Some(&settings), start + 159 * S), None);
    assert_eq!(notified.update(None, Down, Some(&settings), start + 160 * S), Some(Due::Reminder(1)));
}
