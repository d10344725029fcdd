//! Targets that depend on others.

use super::*;
use crate::fsm::Policy;
use crate::monitor::{Hook, Notifications};

const HOUR: Duration = Duration::from_secs(3600);
pub(super) const ROUTER: &str = "192.0.2.1";
pub(super) const SECOND: &str = "192.0.2.2";
pub(super) const NAS: &str = "192.0.2.3";
const CAMERA: &str = "192.0.2.4";
pub(super) const UP: bool = true;
pub(super) const FAILS: bool = false;

/// An engine whose targets are named like their addresses, and are up at the start.
pub(super) struct Net {
    pub(super) bench: Bench,
    /// The connections of checks in flight.
    pub(super) open: Vec<(String, ConnId)>,
    /// The results of checks: the last part of the address, and the state after it.
    pub(super) results: Vec<String>,
    /// The changes that hooks report, and the number of held children.
    pub(super) reported: Vec<String>,
}

pub(super) fn monitor(name: &'static str, parents: &[&'static str]) -> Monitor {
    let monitor = Monitor::new(Hello(name))
        .interval(HOUR)
        .policy(Policy::Thresholds { fall: 1, rise: 1 })
        .notifications(Notifications::new().hook(Hook::new(["tell"])));
    parents.iter().fold(monitor, |monitor, parent| monitor.depends_on(*parent))
}

impl Net {
    pub(super) fn new(monitors: Vec<Monitor>) -> Net {
        let bench = Bench::watching(monitors, Schedule::Repeated);
        let mut net = Net { bench, open: Vec::new(), results: Vec::new(), reported: Vec::new() };
        net.succeed_all();
        net
    }

    pub(super) fn of(list: &[(&'static str, &[&'static str])]) -> Net {
        Net::new(list.iter().map(|(name, parents)| monitor(name, parents)).collect())
    }

    /// All first checks succeed.
    pub(super) fn succeed_all(&mut self) {
        for _ in 0..30 {
            self.pass(Duration::from_millis(100));
            while let Some((host, _)) = self.open.first().cloned() {
                self.end(&host, UP);
            }
        }
        assert_eq!(self.state(), State::Up);
        (self.results, self.reported) = (Vec::new(), Vec::new());
    }

    pub(super) fn pump(&mut self) {
        for output in self.bench.outputs() {
            match output {
                Output::Open { id, to, .. } => self.open.push((to.ip().to_string(), id)),
                Output::Close(id) => self.open.retain(|(_, open)| *open != id),
                Output::CheckResult(check) => {
                    let target = self.bench.engine.targets().get(check.target).expect("it is present");
                    let held = if target.held_by().is_some() { " held" } else { "" };
                    let last = target.name().rsplit('.').next().unwrap_or("");
                    self.results.push(format!("{last} {}{held}", target.fsm().state()));
                }
                Output::Spawn { id, env, .. } => {
                    let var = |name| env.iter().find(|(known, _)| *known == name).map(|(_, value)| &**value);
                    let to = var("PINGSTATE_TO").unwrap_or("");
                    let held = var("PINGSTATE_HELD").map_or(String::new(), |held| format!(" {held}"));
                    self.reported.push(format!("{} {to}{held}", var("PINGSTATE_TARGET").unwrap_or("")));
                    self.bench.engine.handle_hook_ended(id, &HookEnd::Exited(0), "", self.bench.now);
                }
                _ => {}
            }
        }
    }

    pub(super) fn pass(&mut self, span: Duration) {
        self.bench.pass(span);
        self.pump();
    }

    pub(super) fn position(&self, name: &str) -> usize {
        self.bench.engine.targets().list().iter().position(|target| target.name() == name).expect("present")
    }

    fn state(&self) -> State {
        self.bench.engine.targets().worst()
    }

    pub(super) fn state_of(&self, name: &str) -> State {
        self.bench.engine.targets().list()[self.position(name)].fsm().state()
    }

    /// A check begins, not at the same time as others end.
    pub(super) fn begin(&mut self, name: &str) {
        self.pass(Duration::from_millis(1));
        self.begin_at_once(name);
    }

    fn begin_at_once(&mut self, name: &str) {
        let id = self.bench.id(self.position(name));
        self.bench.engine.check_now(id, self.bench.now);
        self.pump();
    }

    pub(super) fn is_in_flight(&self, name: &str) -> bool {
        self.open.iter().any(|(host, _)| host == name)
    }

    /// The check in flight ends.
    pub(super) fn end(&mut self, name: &str, is_up: bool) {
        let index = self.open.iter().position(|(host, _)| host == name).expect("a check in flight");
        let (_, conn) = self.open.remove(index);
        if is_up {
            self.bench.tell(conn, Input::Connected);
            self.bench.outputs();
            self.bench.tell(conn, Input::Received(b"x"));
        } else {
            self.bench.tell(conn, Input::Failed(Failure::new(Reason::Refused, "refused")));
        }
        self.pump();
    }

    pub(super) fn check(&mut self, name: &str, is_up: bool) {
        self.begin(name);
        self.end(name, is_up);
    }

    pub(super) fn results(&mut self) -> String {
        std::mem::take(&mut self.results).join(", ")
    }

    pub(super) fn reported(&mut self) -> String {
        std::mem::take(&mut self.reported).join(", ")
    }

    pub(super) fn replace(&mut self, updates: Vec<TargetUpdate>) {
        self.bench.engine.replace(updates, self.bench.now).expect("it is valid");
        self.pump();
    }
}

pub(super) fn router_and_nas() -> Net {
    Net::of(&[(ROUTER, &[]), (NAS, &[ROUTER])])
}

#[test]
fn a_failure_after_that_of_the_parent_is_held_at_once() {
    let mut net = router_and_nas();
    net.check(ROUTER, FAILS);
    assert_eq!((net.results(), net.reported()), ("1 down".into(), format!("{ROUTER} down 0")));
    net.check(NAS, FAILS);
    assert!(!net.is_in_flight(ROUTER), "it is known to be down");
    assert_eq!((net.results(), net.reported()), ("3 unknown held".into(), String::new()));
    let counts = net.bench.engine.targets().counts();
    assert_eq!((counts.by_state[State::Unknown.index()], counts.by_state[State::Down.index()]), (1, 1));
    // The time counts as unknown, and the reason is its own.
    let fsm = net.bench.engine.targets().list()[1].fsm().clone();
    assert_eq!(fsm.last().expect("a check").reason, Some(Reason::Refused));
    net.pass(secs(10));
    assert!(fsm.time_in(State::Unknown, net.bench.now) >= secs(10));
    // Its recovery is a success like any other, whatever the router is.
    net.check(NAS, UP);
    assert_eq!((net.results(), net.reported()), ("3 up".into(), String::new()));
}

#[test]
fn a_failure_before_that_of_the_parent_waits_for_a_check_of_it() {
    let mut net = router_and_nas();
    net.check(NAS, FAILS);
    assert_eq!((net.results(), net.state_of(NAS)), (String::new(), State::Up));
    assert!(net.is_in_flight(ROUTER), "it is checked at once");
    net.end(ROUTER, FAILS);
    assert_eq!(net.results(), "1 down, 3 unknown held");
    assert_eq!(net.reported(), format!("{ROUTER} down 1"));
    // The router recovers first.
    net.check(ROUTER, UP);
    assert_eq!(net.reported(), format!("{ROUTER} up 1"));
    net.check(NAS, UP);
    assert_eq!((net.results(), net.reported()), ("1 up, 3 up".into(), String::new()));
}

#[test]
fn a_failure_counts_if_the_parent_is_up() {
    let mut net = router_and_nas();
    net.check(NAS, FAILS);
    net.end(ROUTER, UP);
    assert_eq!((net.results(), net.reported()), ("1 up, 3 down".into(), format!("{NAS} down")));
    // Its next failure is verified again.
    net.check(NAS, FAILS);
    net.end(ROUTER, FAILS);
    assert_eq!((net.results(), net.state_of(NAS)), ("1 down, 3 unknown held".into(), State::Unknown));
    // It was reported as down: its recovery is reported, too.
    net.reported();
    net.check(NAS, UP);
    assert_eq!(net.reported(), format!("{NAS} up"));
}

#[test]
fn a_check_of_the_parent_in_flight_is_awaited() {
    let mut net = router_and_nas();
    net.begin(ROUTER);
    net.check(NAS, FAILS);
    assert_eq!(net.open.len(), 1, "no second check");
    net.end(ROUTER, FAILS);
    assert_eq!(net.results(), "1 down, 3 unknown held");
    assert!(net.open.is_empty());
}

#[test]
fn checks_that_end_at_the_same_time_wait_for_each_other() {
    // Both time out, the child first, or the parent first: the deadlines are the same.
    for first in [ROUTER, NAS] {
        let mut net = router_and_nas();
        net.begin_at_once(first);
        net.begin_at_once(if first == NAS { ROUTER } else { NAS });
        net.pass(secs(2));
        let results = net.results();
        assert!(["1 down, 3 unknown held", "3 unknown held, 1 down"].contains(&&*results), "{results}");
        assert_eq!(net.reported().split(' ').next(), Some(ROUTER));
    }
}

#[test]
fn a_check_of_the_parent_that_ends_at_the_same_time_is_not_repeated() {
    for (is_up, expected) in [(UP, "1 up, 3 down"), (FAILS, "1 degraded, 3 unknown held")] {
        let router = monitor(ROUTER, &[]).policy(Policy::Thresholds { fall: 3, rise: 1 });
        let mut net = Net::new(vec![router, monitor(NAS, &[ROUTER])]);
        net.begin(NAS);
        net.begin_at_once(ROUTER);
        net.end(ROUTER, is_up);
        net.end(NAS, FAILS);
        assert_eq!(net.results(), expected);
        assert!(net.open.is_empty());
    }
}

#[test]
fn a_silent_parent_is_awaited_for_one_timeout() {
    let mut net = router_and_nas();
    net.check(NAS, FAILS);
    net.pass(Duration::from_millis(1999));
    assert_eq!(net.results(), "");
    net.pass(Duration::from_millis(1));
    assert_eq!(net.results(), "1 down, 3 unknown held");
}

#[test]
fn a_parent_without_room_for_a_check_is_awaited_for_one_timeout() {
    // One check at a time.
    let shares = Shares { checks: CONNECTIONS_PER_CHECK, ..Shares::of(usize::MAX) };
    let monitors = vec![monitor(ROUTER, &[]), monitor(NAS, &[ROUTER]), monitor(CAMERA, &[])];
    let bench = Bench::sharing(monitors, Schedule::Repeated, shares);
    let mut net = Net { bench, open: Vec::new(), results: Vec::new(), reported: Vec::new() };
    net.succeed_all();
    net.begin(NAS);
    net.begin(CAMERA);
    net.end(NAS, FAILS);
    assert!(net.is_in_flight(CAMERA) && !net.is_in_flight(ROUTER));
    net.pass(secs(2));
    assert_eq!(net.results(), "3 down, 4 down");
    assert!(net.is_in_flight(ROUTER));
}

#[test]
fn children_share_one_check_of_the_parent() {
    let mut net = Net::of(&[(ROUTER, &[]), (NAS, &[ROUTER]), (CAMERA, &[ROUTER])]);
    net.check(NAS, FAILS);
    net.check(CAMERA, FAILS);
    assert_eq!(net.open.len(), 1);
    net.end(ROUTER, FAILS);
    assert_eq!(net.results(), "1 down, 3 unknown held, 4 unknown held");
    assert_eq!(net.reported(), format!("{ROUTER} down 2"));
}

#[test]
fn all_parents_must_be_down() {
    let mut net = Net::of(&[(ROUTER, &[]), (SECOND, &[]), (NAS, &[ROUTER, SECOND])]);
    net.check(ROUTER, FAILS);
    net.results();
    net.check(NAS, FAILS);
    assert!(net.is_in_flight(SECOND) && !net.is_in_flight(ROUTER), "only what is not known is checked");
    net.end(SECOND, UP);
    assert_eq!(net.results(), "2 up, 3 down");
    net.check(NAS, FAILS);
    net.end(SECOND, FAILS);
    assert_eq!(net.results(), "2 down, 3 unknown held");
    // The first one recovers while the check of the second is awaited.
    net.check(SECOND, UP);
    net.begin(NAS);
    net.end(NAS, FAILS);
    net.check(ROUTER, UP);
    net.results();
    net.end(SECOND, FAILS);
    assert_eq!(net.results(), "2 down, 3 down");
}

#[test]
fn two_silent_parents_are_awaited_together() {
    let mut net = Net::of(&[(ROUTER, &[]), (SECOND, &[]), (NAS, &[ROUTER, SECOND])]);
    net.check(NAS, FAILS);
    assert_eq!(net.open.len(), 2);
    net.pass(secs(2));
    assert_eq!(net.results(), "1 down, 2 down, 3 unknown held");
}

#[test]
fn one_parent_that_is_up_decides_at_once() {
    let mut net = Net::of(&[(ROUTER, &[]), (SECOND, &[]), (NAS, &[ROUTER, SECOND])]);
    net.check(NAS, FAILS);
    net.end(SECOND, UP);
    assert_eq!(net.results(), "2 up, 3 down");
    assert!(net.is_in_flight(ROUTER));
}

#[test]
fn chains_hold_from_the_first_failure_on() {
    let mut net = Net::of(&[(ROUTER, &[]), (NAS, &[ROUTER]), (CAMERA, &[NAS])]);
    net.check(CAMERA, FAILS);
    assert!(net.is_in_flight(NAS) && !net.is_in_flight(ROUTER));
    net.end(NAS, FAILS);
    // The middle one has failed, whatever the reason is.
    assert_eq!(net.results(), "4 unknown held");
    net.check(CAMERA, FAILS);
    assert_eq!(net.results(), "4 unknown held");
    net.end(ROUTER, FAILS);
    assert_eq!(
        (net.results(), net.reported()),
        ("1 down, 3 unknown held".into(), format!("{ROUTER} down 1"))
    );
    // A held parent holds.
    net.check(CAMERA, FAILS);
    assert_eq!(net.results(), "4 unknown held");
    assert!(net.open.is_empty());
    net.check(ROUTER, UP);
    net.check(NAS, UP);
    net.check(CAMERA, UP);
    assert_eq!((net.results(), net.reported()), ("1 up, 3 up, 4 up".into(), format!("{ROUTER} up 1")));
}

#[test]
fn failures_while_held_do_not_count_towards_fall() {
    let patient = |name, parents| monitor(name, parents).policy(Policy::Thresholds { fall: 3, rise: 2 });
    let mut net = Net::new(vec![monitor(ROUTER, &[]), patient(NAS, &[ROUTER])]);
    net.check(NAS, FAILS);
    net.end(ROUTER, UP);
    net.check(ROUTER, FAILS);
    (0..5).for_each(|_| net.check(NAS, FAILS));
    net.check(ROUTER, UP);
    net.results();
    for expected in ["3 degraded", "3 down"] {
        net.check(NAS, FAILS);
        net.end(ROUTER, UP);
        assert_eq!(net.results(), format!("1 up, {expected}"));
    }
    // The same for successes: a failure in between is one, though.
    net.check(NAS, UP);
    net.check(ROUTER, FAILS);
    net.check(NAS, FAILS);
    net.results();
    net.check(NAS, UP);
    net.check(NAS, UP);
    assert_eq!(net.results(), "3 down, 3 up");
}
