//! Reload: runs, lookups, tasks and results.

use super::*;
use crate::probe::BlockingTask;
use crate::probe::build::Error;
use Update::{Keep, Start};

const HOSTS: [&str; 8] =
    ["127.0.0.1", "127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.6", "127.0.0.7", "127.0.0.8"];

fn monitor(host: &'static str) -> Monitor {
    Monitor::new(Hello(host)).interval(secs(5)).history(1000)
}

fn watching(hosts: &[&'static str]) -> Bench {
    Bench::watching(hosts.iter().copied().map(monitor).collect(), Schedule::Repeated)
}

impl Bench {
    fn replace(&mut self, list: Vec<Update>) {
        let updates = self.updates(list);
        self.engine.replace(updates, self.now).expect("it is valid");
        self.check_consistency();
    }

    /// The connection of this target's check.
    fn connection(&self, target: usize) -> ConnId {
        let this = self.engine.runs.get(self.run(target)).expect("a check");
        this.conn.or(this.attempts.first().map(|(_, id)| *id)).expect("a connection")
    }

    /// Takes the outputs and returns the names of the targets with results.
    fn results(&mut self) -> Vec<&'static str> {
        let results = self.outputs().into_iter().filter_map(|output| match output {
            Output::CheckResult(check) => Some(check.target),
            _ => None,
        });
        let targets: Vec<_> = results.collect();
        targets.into_iter().map(|target| self.name(target)).collect()
    }

    fn name(&self, target: TargetId) -> &'static str {
        let name = self.engine.targets().get(target).expect("it is present").name();
        HOSTS.into_iter().find(|host| *host == name).expect("one of them")
    }

    fn check_consistency(&self) {
        let engine = &self.engine;
        let mut counts = [0; 4];
        engine.targets().list().iter().for_each(|target| counts[target.fsm().state().index()] += 1);
        assert_eq!(engine.targets().counts().by_state, counts);
        assert_eq!(engine.runs.iter().count(), engine.runs.len());
        for (id, owner) in engine.cx.conns() {
            if let ConnOwner::Connecting { run, .. } | ConnOwner::Connected(run) = owner {
                let this = engine.runs.get(run).expect("a check");
                assert!(this.conn == Some(id) || this.attempts.iter().any(|(_, slot)| *slot == id));
            }
        }
        let owned = engine.runs.iter().map(|this| this.attempts.len() + usize::from(this.conn.is_some()));
        assert_eq!(owned.sum::<usize>(), engine.cx.conns().count(), "there are no clients here");
    }
}

#[test]
fn checks_of_kept_targets_continue_and_others_end_without_a_result() {
    let mut bench = watching(&HOSTS[..3]);
    bench.pass(secs(4));
    bench.outputs();
    bench.pass(secs(1));
    let [first, second, third] = [0, 1, 2].map(|target| {
        if bench.engine.runs.get(bench.run(target)).is_none() {
            bench.engine.check_now(bench.id(target), bench.now);
        }
        bench.connection(target)
    });
    bench.tell(third, Input::Connected);
    bench.outputs();
    bench.replace(vec![Keep(2), Start(monitor(HOSTS[3])), Keep(0)]);
    assert!(matches!(bench.outputs()[..], [Output::Close(id)] if id == second), "no check");
    bench.tell(first, Input::Connected);
    bench.tell(first, Input::Received(b"x"));
    bench.tell(third, Input::Received(b"x"));
    assert_eq!(bench.results(), [HOSTS[0], HOSTS[2]]);
    bench.tell(second, Input::Received(b"late"));
    assert!(bench.outputs().is_empty());
    bench.pass(Duration::ZERO);
    let begun = bench.connection(1);
    assert!(matches!(bench.outputs()[..], [Output::Open { id, .. }] if id == begun), "at once");
}

#[test]
fn kept_targets_keep_their_state_and_schedule() {
    let mut bench = watching(&HOSTS[..2]);
    bench.pass(Duration::ZERO);
    let id = bench.opened();
    bench.tell(id, Input::Connected);
    bench.tell(id, Input::Received(b"x"));
    bench.pass(secs(1));
    bench.outputs();
    let (scheduled, changes) =
        (bench.engine.targets().list()[0].scheduled(), bench.engine.targets().changes());
    bench.replace(vec![Start(monitor(HOSTS[2])), Start(monitor(HOSTS[3])), Keep(0)]);
    let targets = bench.engine.targets();
    assert_eq!((targets.list()[2].scheduled(), targets.list()[2].fsm().recent().len()), (scheduled, 1));
    assert_eq!(targets.list()[2].fsm().state(), State::Up);
    assert_eq!((targets.counts().by_state, targets.worst()), ([2, 1, 0, 0], State::Unknown));
    assert_ne!(targets.changes(), changes, "cached responses are not valid");
    let first = [0, 1].map(|target| targets.list()[target].scheduled() - bench.now.instant);
    assert_eq!(first, [Duration::ZERO, Duration::from_millis(1001)], "first checks start soon");
    bench.replace(vec![]);
    assert_eq!((bench.engine.targets().counts().by_state, bench.engine.poll_timeout()), ([0; 4], None));
    bench.replace(vec![Start(monitor(HOSTS[0]))]);
    bench.pass(Duration::ZERO);
    bench.opened();
}

#[test]
fn responses_show_the_present_targets() {
    let mut bench = watching(&HOSTS[..1]);
    bench.pass(Duration::ZERO);
    let id = bench.opened();
    bench.tell(id, Input::Connected);
    bench.tell(id, Input::Received(b"x"));
    let client = bench.engine.accept(bench.now);
    for word in ["\r\n\r\nup\n", "\r\n\r\nup\n", "\r\n\r\nunknown\n", "\r\n\r\nunknown\n"] {
        if word.ends_with("unknown\n") {
            let updates = bench.updates(vec![Start(monitor(HOSTS[1]))]);
            bench.engine.replace(updates, bench.now).expect("it is valid");
        }
        bench.tell(client, Input::Received(GET));
        let answer = bench.deliver(client);
        assert!(answer.ends_with(word), "{answer}");
    }
}

#[test]
fn lookups_and_tasks_of_kept_targets_continue_and_stale_ones_are_ignored() {
    /// Starts a lookup and a task, and succeeds with either.
    struct Both(&'static str);
    impl Probe for Both {
        fn name(&self) -> &str {
            self.0
        }
        fn timeout(&self) -> Duration {
            secs(2)
        }
        fn begin(&self, _now: Now) -> Box<dyn Attempt> {
            let connect = probe::Output::Connect {
                transport: probe::Transport::Tcp,
                host: "localhost".into(),
                port: 80,
            };
            let work = probe::Output::BlockingTask(BlockingTask::new(|| ProbeResult::up(secs(0), "worked")));
            Box::new(BothAttempt(VecDeque::from([connect, work])))
        }
    }
    struct BothAttempt(VecDeque<probe::Output>);
    impl Attempt for BothAttempt {
        fn handle_input(&mut self, input: probe::Input<'_>, _now: Now) {
            if let probe::Input::Worked(result) = input {
                self.0.push_back(probe::Output::Done(result));
            }
        }
        fn poll_output(&mut self) -> Option<probe::Output> {
            self.0.pop_front()
        }
    }
    let both = |name| Monitor::new(Both(name)).interval(secs(5));
    let mut bench = Bench::watching(HOSTS[..3].iter().copied().map(both).collect(), Schedule::Repeated);
    (0..3).for_each(|target| bench.engine.check_now(bench.id(target), bench.now));
    let jobs = bench.engine.runs.jobs();
    assert_eq!(jobs.len(), 3);
    bench.replace(vec![Keep(2), Keep(0)]);
    assert_eq!(bench.engine.runs.jobs().len(), 2);
    bench.outputs();
    bench.engine.handle_files(Some(Vec::new()), Some(b""), bench.now);
    assert!(bench.engine.runs.iter().all(|this| !this.attempts.is_empty()), "localhost is known");
    jobs.iter().for_each(|job| bench.engine.handle_worked(*job, ProbeResult::up(secs(0), "x"), bench.now));
    assert_eq!(bench.results(), [HOSTS[0], HOSTS[2]]);
    bench.replace(vec![Keep(1), Keep(0)]);
}

#[test]
fn lookups_are_cancelled_with_their_checks() {
    let mut bench = watching(&HOSTS[..1]);
    bench.outputs();
    let named = |name| Start(Monitor::new(Hello(name)));
    let updates = bench.updates(vec![named("a.example"), named("b.example"), Keep(0)]);
    bench.engine.replace(updates, bench.now).expect("it is valid");
    bench.engine.check_now(bench.id(0), bench.now);
    bench.engine.check_now(bench.id(1), bench.now);
    bench.engine.handle_files(Some(Vec::new()), Some(b"nameserver 10.0.0.1\n"), bench.now);
    assert_eq!(bench.engine.lookups.waiting().len(), 2);
    bench.outputs();
    let updates = bench.updates(vec![Keep(2), Keep(1)]);
    bench.engine.replace(updates, bench.now).expect("it is valid");
    assert_eq!(bench.engine.lookups.waiting(), [bench.run(1)]);
    assert!(bench.outputs().iter().any(|output| matches!(output, Output::Close(_))), "of its queries");
    bench.pass(secs(2));
    let outputs = bench.outputs();
    let timed_out = outputs.iter().any(|output| match output {
        Output::CheckResult(check) => {
            check.target == bench.id(1) && check.result.reason == Some(Reason::DnsTimeout)
        }
        _ => false,
    });
    assert!(timed_out, "{outputs:?}");
}

#[test]
fn pending_results_of_kept_targets_are_kept() {
    let mut bench = watching(&HOSTS[..2]);
    (0..2).for_each(|target| bench.engine.check_now(bench.id(target), bench.now));
    for target in [0, 1] {
        let id = bench.connection(target);
        bench.tell(id, Input::Connected);
        bench.tell(id, Input::Received(b"x"));
    }
    bench.replace(vec![Start(monitor(HOSTS[2])), Keep(1)]);
    assert_eq!(bench.results(), [HOSTS[1]]);
}

#[test]
fn a_new_target_of_the_same_name_gets_the_id_and_not_the_results() {
    let mut bench = watching(&HOSTS[..2]);
    let [renewed, removed] = [bench.id(0), bench.id(1)];
    for target in [0, 1] {
        bench.engine.check_now(bench.id(target), bench.now);
        let id = bench.connection(target);
        bench.tell(id, Input::Connected);
        bench.tell(id, Input::Received(b"x"));
    }
    bench.replace(vec![Start(monitor(HOSTS[2])), Start(monitor(HOSTS[0]))]);
    assert!(bench.results().is_empty());
    assert_eq!(bench.id(1), renewed);
    assert!(bench.engine.targets().get(removed).is_none());
    assert_ne!(bench.id(0), removed, "its index is used again");
    assert_eq!((bench.id(0).index(), bench.state()), (removed.index(), State::Unknown));
    bench.outputs();
    bench.engine.check_now(removed, bench.now);
    assert!(bench.engine.runs.iter().next().is_none() && bench.outputs().is_empty());
    bench.engine.check_now(renewed, bench.now);
    bench.opened();
}

#[test]
fn an_invalid_list_changes_nothing() {
    let mut bench = watching(&HOSTS[..2]);
    bench.pass(Duration::ZERO);
    let id = bench.opened();
    let stale = bench.id(1);
    bench.replace(vec![Keep(0), Start(monitor(HOSTS[3]))]);
    bench.replace(vec![Keep(0), Start(monitor(HOSTS[1]))]);
    bench.outputs();
    let refused = bench.engine.replace(vec![TargetUpdate::Keep(stale)], bench.now);
    assert_eq!(refused, Err(Error::Target("to keep is not present".to_owned())));
    for (list, said) in [
        (vec![Keep(1), Keep(1)], "target: 127.0.0.2 is kept twice"),
        (vec![Keep(1), Start(monitor(HOSTS[1]))], "name: duplicate name \"127.0.0.2\""),
        (vec![Start(monitor(HOSTS[2])), Start(monitor(HOSTS[2]))], "name: duplicate name \"127.0.0.3\""),
        (
            vec![Start(monitor(HOSTS[2]).interval(Duration::ZERO))],
            "interval: 0ns is not between 1ms and 315360000s",
        ),
    ] {
        let updates = bench.updates(list);
        let error = bench.engine.replace(updates, bench.now).expect_err(said);
        assert_eq!(error.to_string(), said);
    }
    bench.check_consistency();
    assert_eq!(bench.connection(0), id);
    bench.replace(vec![Keep(1), Start(monitor(HOSTS[0]))]);
}

#[test]
fn no_sequence_of_reloads_loses_results_or_leaves_connections() {
    let mut dice = 7_u32;
    let mut roll = |sides: usize| {
        dice = dice.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (dice >> 8) as usize % sides
    };
    let mut bench = watching(&HOSTS[..4]);
    let mut seen = vec![0; 4];
    for _ in 0..3000 {
        bench.pass(Duration::from_millis(roll(1500) as u64));
        let ids: Vec<_> = bench.engine.cx.conns().map(|(id, _)| id).collect();
        for id in ids {
            match roll(8) {
                0 => bench.tell(id, Input::Failed(Failure::new(Reason::Refused, "refused"))),
                1 | 2 => bench.tell(id, Input::Connected),
                3 | 4 => bench.tell(id, Input::Received(b"x")),
                _ => {}
            }
        }
        for output in bench.outputs() {
            if let Output::CheckResult(check) = output {
                let place = bench.engine.targets().ids().position(|id| id == check.target);
                seen[place.expect("it is present")] += 1;
            }
        }
        bench.check_consistency();
        if roll(4) == 0 {
            let mut places: Vec<_> = (0..seen.len()).collect();
            let mut unused: Vec<_> = HOSTS.to_vec();
            let (mut updates, mut now_seen) = (Vec::new(), Vec::new());
            while !places.is_empty() {
                let place = places.swap_remove(roll(places.len()));
                unused.retain(|host| *host != bench.name(bench.id(place)));
                if roll(4) > 0 {
                    updates.push(Keep(place));
                    now_seen.push(seen[place]);
                }
            }
            while updates.len() < 5 && roll(3) > 0 && !unused.is_empty() {
                let place = roll(updates.len() + 1);
                updates.insert(place, Start(monitor(unused.swap_remove(roll(unused.len())))));
                now_seen.insert(place, 0);
            }
            bench.replace(updates);
            seen = now_seen;
        }
        for (target, seen) in bench.engine.targets().list().iter().zip(&seen) {
            assert_eq!(target.fsm().recent().len(), *seen.min(&1000), "{}", target.name());
        }
    }
}
