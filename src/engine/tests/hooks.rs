//! Hooks: which are started, with which variables, and how they end.

use super::*;
use crate::monitor::{Hook, Notifications, Notify};

/// Targets with one switch and one hook for all of them, checked every second and up.
fn hooked(count: usize, hook: Hook) -> (Arc<AtomicBool>, Bench) {
    notifying(count, Notifications::new().hook(hook).notify(Notify::All))
}

fn notifying(count: usize, notifications: Notifications) -> (Arc<AtomicBool>, Bench) {
    let (is_up, monitors) = switched(count);
    let notifications = Arc::new(notifications);
    let monitors = monitors.into_iter().map(|monitor| monitor.notifications(notifications.clone())).collect();
    let mut bench = Bench::watching(monitors, Schedule::Repeated);
    bench.pass(Duration::from_millis(999));
    (is_up, bench)
}

fn hook() -> Hook {
    Hook::new(["notify", "-v"])
}

/// Target, old and new state of each hook that is started.
fn spawned(outputs: &[Output]) -> Vec<(HookId, String)> {
    let started = outputs.iter().filter_map(|output| match output {
        Output::Spawn { id, env, .. } => {
            Some((*id, env[..3].iter().map(|(_, v)| v.as_str()).collect::<Vec<_>>().join(" ")))
        }
        _ => None,
    });
    started.collect()
}

impl Bench {
    fn end(&mut self, id: HookId, end: HookEnd, output: &str) {
        self.engine.handle_hook_ended(id, &end, output, self.now);
    }
}

#[test]
fn a_hook_gets_the_change_of_state() {
    let (is_up, mut bench) = hooked(1, hook());
    assert_eq!(spawned(&bench.outputs()), [], "not for the first state");
    is_up.store(false, Ordering::Relaxed);
    bench.pass(secs(1));
    let outputs = bench.outputs();
    let Some(Output::Spawn { hook, env, .. }) = outputs.iter().find(|o| matches!(o, Output::Spawn { .. }))
    else {
        panic!("{outputs:?}")
    };
    assert_eq!(hook.words, ["notify", "-v"]);
    let env: Vec<_> = env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    assert_eq!(
        env,
        [
            "PINGSTATE_TARGET=t0",
            "PINGSTATE_FROM=up",
            "PINGSTATE_TO=degraded",
            "PINGSTATE_DETAIL=refused",
            "PINGSTATE_ERROR=refused",
            "PINGSTATE_LATENCY_MS=",
            "PINGSTATE_PROBE=t0",
            "PINGSTATE_SINCE_S=1",
            "PINGSTATE_TEXT=t0 is degraded: refused",
        ]
    );
}

#[test]
fn the_first_state_starts_only_hooks_that_request_it() {
    let (_is_up, mut bench) = notifying(1, Notifications::new().hook(hook()).notify(Notify::AllAndFirst));
    assert_eq!(spawned(&bench.outputs())[0].1, "t0 unknown up");
}

#[test]
fn changes_while_a_hook_runs_are_merged() {
    let (is_up, mut bench) = hooked(1, hook());
    is_up.store(false, Ordering::Relaxed);
    bench.pass(secs(2)); // Degraded, then down.
    is_up.store(true, Ordering::Relaxed);
    bench.pass(secs(1));
    let outputs = bench.outputs();
    let runs = spawned(&outputs);
    assert_eq!(runs.iter().map(|(_, started)| started.as_str()).collect::<Vec<_>>(), ["t0 up degraded"]);
    bench.end(runs[0].0, HookEnd::Exited(0), "");
    let runs = spawned(&bench.outputs());
    assert_eq!(runs.iter().map(|(_, started)| started.as_str()).collect::<Vec<_>>(), ["t0 degraded up"]);
    bench.end(runs[0].0, HookEnd::Exited(0), "");
    bench.end(runs[0].0, HookEnd::Exited(1), "late output");
    assert!(bench.outputs().is_empty());
    assert_eq!(bench.engine.cx.counters.hooks.ok, 2);
}

#[test]
fn a_hook_that_cannot_be_started_now_is_started_later() {
    let unavailable = || HookEnd::Unavailable("no process".to_owned());
    let (is_up, mut bench) = hooked(1, hook());
    is_up.store(false, Ordering::Relaxed);
    bench.pass(secs(2)); // Degraded, then down.
    let mut id = spawned(&bench.outputs())[0].0;
    bench.end(id, unavailable(), "");
    let outputs = bench.outputs();
    let line = "t0: the hook notify could not be started and is tried again: no process";
    assert_eq!((said(&outputs), spawned(&outputs)), (vec![line], Vec::new()));
    // The change that has followed is merged with the one that failed.
    bench.pass(Duration::from_millis(999));
    assert!(spawned(&bench.outputs()).is_empty(), "too early");
    let mut attempts = 0;
    while attempts < 100 {
        bench.pass(secs(1));
        let outputs = bench.outputs();
        let Some((next, change)) = spawned(&outputs).pop() else { break };
        assert_eq!(change, "t0 up down");
        (id, attempts) = (next, attempts + 1);
        bench.end(id, unavailable(), "");
        let lines = bench.outputs();
        let said = said(&lines);
        assert_eq!(said.len(), usize::from(attempts == 1 || attempts == 30), "{attempts}: {said:?}");
    }
    assert_eq!((attempts, bench.engine.cx.counters.hooks.not_started), (30, 1));
}

#[test]
fn a_hook_whose_time_is_up_is_killed_once_and_waited_for() {
    let (is_up, mut bench) = hooked(1, hook().timeout(secs(3)));
    is_up.store(false, Ordering::Relaxed);
    bench.pass(secs(1));
    let id = spawned(&bench.outputs())[0].0;
    bench.pass(secs(2));
    let is_killed =
        |outputs: &[Output]| outputs.iter().any(|o| matches!(o, Output::Kill(killed) if *killed == id));
    assert!(!is_killed(&bench.outputs()));
    bench.pass(Duration::from_millis(1));
    assert!(is_killed(&bench.outputs()));
    bench.pass(secs(60));
    let outputs = bench.outputs();
    assert!(!is_killed(&outputs) && spawned(&outputs).is_empty());
    bench.end(id, HookEnd::Signalled(9), "half a line");
    let outputs = bench.outputs();
    assert_eq!(said(&outputs), ["t0: the hook notify was killed after 3 s: half a line"]);
    assert_eq!(spawned(&outputs)[0].1, "t0 degraded down");
    assert_eq!(bench.engine.cx.counters.hooks.timeout, 1);
}

#[test]
fn what_goes_wrong_is_said_and_counted() {
    let (is_up, mut bench) = hooked(1, hook());
    for (end, text, line) in [
        (HookEnd::Exited(3), "no mail", Some("t0: the hook notify exited with status 3: no mail")),
        (HookEnd::Signalled(11), "", Some("t0: the hook notify was ended by signal 11")),
        (
            HookEnd::NotStarted("no such file or directory".into()),
            "",
            Some("t0: the hook notify could not be started: no such file or directory"),
        ),
        (HookEnd::Exited(0), "chatter", None),
    ] {
        is_up.fetch_xor(true, Ordering::Relaxed);
        bench.pass(secs(1));
        let outputs = bench.outputs();
        bench.end(spawned(&outputs)[0].0, end, text);
        assert_eq!(said(&bench.outputs()), Vec::from_iter(line));
    }
    let counted = &bench.engine.cx.counters.hooks;
    assert_eq!((counted.ok, counted.failed, counted.not_started, counted.timeout), (1, 2, 1, 0));
}

#[test]
fn running_hooks_are_limited_and_others_wait_in_order() {
    let count = HOOKS_MAX + 3;
    let (is_up, mut bench) = hooked(count, hook());
    bench.outputs();
    is_up.store(false, Ordering::Relaxed);
    bench.pass(secs(1));
    let first = spawned(&bench.outputs());
    assert_eq!(first.len(), HOOKS_MAX);
    bench.pass(secs(1));
    assert_eq!(spawned(&bench.outputs()), []);
    let mut started = Vec::new();
    for (id, _) in &first {
        bench.end(*id, HookEnd::Exited(0), "");
        bench.pass(Duration::from_millis(1));
        started.extend(spawned(&bench.outputs()).into_iter().map(|(_, started)| started));
    }
    let waited = (HOOKS_MAX..count).map(|i| format!("t{i} up down"));
    let expected: Vec<_> = waited.chain((0..HOOKS_MAX - 3).map(|i| format!("t{i} degraded down"))).collect();
    assert_eq!(started, expected, "those that have waited longest first, each with the latest state");
}

#[test]
fn starts_per_turn_are_limited_even_if_they_fail() {
    let count = 5 * HOOK_STARTS_PER_TURN;
    let (is_up, mut bench) = hooked(count, hook());
    bench.outputs();
    is_up.store(false, Ordering::Relaxed);
    bench.pass(secs(1));
    let mut tried = Vec::new();
    while tried.iter().sum::<usize>() < count {
        let mut starts = 0;
        while let Some(output) = bench.engine.poll_output() {
            if let Output::Spawn { id, .. } = output {
                starts += 1;
                bench.end(id, HookEnd::NotStarted("no such file".into()), "");
            }
        }
        tried.push(starts);
        bench.pass(YIELD_DELAY);
    }
    assert!(tried[1..].iter().all(|starts| *starts <= HOOK_STARTS_PER_TURN), "{tried:?}");
}

#[test]
fn a_single_round_of_checks_runs_no_hooks() {
    let (_is_up, monitors) = switched(1);
    let monitors = monitors
        .into_iter()
        .map(|monitor| monitor.notifications(Notifications::new().hook(hook()).notify(Notify::AllAndFirst)));
    let monitors = monitors.collect();
    let mut bench = Bench::watching(monitors, Schedule::Once);
    bench.pass(secs(1));
    assert!(matches!(bench.outputs()[..], [Output::CheckResult(_)]));
}

#[test]
fn pending_hooks_survive_a_reload() {
    let count = HOOKS_MAX + 2;
    let (is_up, mut bench) = hooked(count, hook());
    bench.outputs();
    is_up.store(false, Ordering::Relaxed);
    bench.pass(secs(1));
    let first = spawned(&bench.outputs());
    bench.pass(secs(1));
    bench.outputs();
    // The first target is gone, all others have moved up.
    let stays = bench.updates((1..count).map(Update::Keep).collect());
    bench.engine.replace(stays, bench.now).expect("it fits");
    let mut started = Vec::new();
    for (i, (id, _)) in first.iter().enumerate() {
        bench.end(*id, HookEnd::Exited(1), "");
        let outputs = bench.outputs();
        assert_eq!(said(&outputs), [format!("t{i}: the hook notify exited with status 1")]);
        bench.pass(Duration::from_millis(1));
        started.extend(spawned(&outputs).into_iter().map(|(_, started)| started));
    }
    // No hook is started for the removed target; the next one takes its place.
    let waited = (HOOKS_MAX..count).map(|i| format!("t{i} up down"));
    let expected: Vec<_> = waited.chain((1..HOOKS_MAX - 1).map(|i| format!("t{i} degraded down"))).collect();
    assert_eq!(started, expected);
}

/// The change may be noticed in the same turn of the loop as the signal to stop.
#[test]
fn no_hook_is_started_after_a_request_to_stop() {
    let (is_up, mut bench) = hooked(1, hook());
    bench.engine.start_no_hooks();
    is_up.store(false, Ordering::Relaxed);
    bench.pass(secs(1));
    assert!(spawned(&bench.outputs()).is_empty());
    bench.engine.stop();
    let outputs = bench.outputs();
    assert_eq!(said(&outputs), ["t0: the hook notify was not started: the daemon stops"]);
    assert!(spawned(&outputs).is_empty());
}

#[test]
fn changes_that_cancel_each_other_before_the_hook_starts_are_not_reported() {
    let count = HOOKS_MAX + 1;
    let (is_up, mut bench) = hooked(count, hook());
    bench.outputs();
    is_up.store(false, Ordering::Relaxed);
    bench.pass(secs(1));
    let running = spawned(&bench.outputs());
    is_up.store(true, Ordering::Relaxed);
    bench.pass(secs(1));
    for (id, _) in running {
        bench.end(id, HookEnd::Exited(0), "");
        bench.pass(Duration::from_millis(1));
        let last = format!("t{HOOKS_MAX} ");
        assert!(spawned(&bench.outputs()).iter().all(|(_, change)| !change.starts_with(&last)));
    }
}

#[test]
fn one_notification_of_a_target_that_is_down_and_one_of_its_recovery() {
    let (is_up, mut bench) = notifying(1, Notifications::new().hook(hook()));
    let mut reported = Vec::new();
    // Up, one failed check, up, down at last, reachable again.
    for up in [true, false, true, false, false, false, true, true] {
        is_up.store(up, Ordering::Relaxed);
        bench.pass(secs(1));
        for (id, change) in spawned(&bench.outputs()) {
            reported.push(change);
            bench.end(id, HookEnd::Exited(0), "");
        }
    }
    assert_eq!(reported, ["t0 degraded down", "t0 down up"]);
}

#[test]
fn a_target_that_is_down_at_the_start_is_reported() {
    let (is_up, monitors) = switched(1);
    is_up.store(false, Ordering::Relaxed);
    let notified = |monitor: Monitor| monitor.notifications(Notifications::new().hook(hook()));
    let mut bench = Bench::watching(monitors.into_iter().map(notified).collect(), Schedule::Repeated);
    bench.pass(secs(1));
    assert_eq!(spawned(&bench.outputs())[0].1, "t0 unknown down");
}

#[test]
fn a_reminder_has_its_number() {
    let remind = Duration::from_secs(60);
    let (is_up, mut bench) = notifying(1, Notifications::new().hook(hook()).remind(remind));
    is_up.store(false, Ordering::Relaxed);
    let mut reported = Vec::new();
    for second in 0..190 {
        bench.pass(secs(1));
        for output in bench.outputs() {
            if let Output::Spawn { id, env, .. } = output {
                let reminder = env.iter().find(|(name, _)| *name == "PINGSTATE_REMINDER");
                reported.push((second, env[1].1.clone(), reminder.map(|(_, number)| number.clone())));
                bench.end(id, HookEnd::Exited(0), "");
            }
        }
    }
    let number = |text: &str| Some(text.to_owned());
    let expected = [
        (1, "degraded".to_owned(), None),
        (61, "down".to_owned(), number("1")),
        (121, "down".to_owned(), number("2")),
        (181, "down".to_owned(), number("3")),
    ];
    assert_eq!(reported, expected);
}
