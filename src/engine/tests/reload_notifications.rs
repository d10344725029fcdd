//! Reload: hooks, webhooks, streams and the service manager.

use super::*;
use crate::monitor::mute::Mute;
use crate::monitor::{Hook, Notifications, Notify};
use crate::probe::build::Webhook;
use Update::{Keep, Start};

/// Two targets with one switch, checked every second and up.
fn watched(tell: impl Fn(Monitor) -> Monitor) -> (Arc<AtomicBool>, Bench) {
    let (is_up, monitors) = switched(2);
    let mut bench = Bench::watching(monitors.into_iter().map(tell).collect(), Schedule::Repeated);
    bench.pass(Duration::from_millis(999));
    bench.outputs();
    (is_up, bench)
}

fn hooked(monitor: Monitor, hook: &Arc<Hook>) -> Monitor {
    monitor.notifications(Notifications::new().hook(hook.clone()).notify(Notify::All))
}

/// A new target of this name, whose checks time out.
fn silent(name: &'static str) -> Update {
    Start(Monitor::new(Hello(name)))
}

fn replace(bench: &mut Bench, list: Vec<Update>) {
    let updates = bench.updates(list);
    bench.engine.replace(updates, bench.now).expect("it is valid");
}

/// The hooks that the outputs start: target and previous state.
fn spawned(bench: &mut Bench) -> Vec<(HookId, String)> {
    let reported = bench.outputs().into_iter().filter_map(|output| match output {
        Output::Spawn { id, env, .. } => Some((id, format!("{} {}", env[0].1, env[1].1))),
        _ => None,
    });
    reported.collect()
}

fn ask(bench: &mut Bench, path: &str) -> ConnId {
    let id = bench.engine.accept(bench.now);
    bench.tell(id, Input::Received(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes()));
    if path.starts_with("/events") {
        assert!(bench.deliver(id).ends_with(": pingstate\n\n"));
    }
    id
}

#[test]
fn hooks_of_removed_targets_end_and_are_reported() {
    let hook = Arc::new(Hook::new(["tell"]));
    let (is_up, mut bench) = watched(|monitor| hooked(monitor, &hook));
    is_up.store(false, Ordering::Relaxed);
    bench.pass(secs(2));
    let runs = spawned(&mut bench);
    assert_eq!(runs.iter().map(|(_, reported)| &**reported).collect::<Vec<_>>(), ["t0 up", "t1 up"]);
    // The hooks of the change to down are pending.
    replace(&mut bench, vec![silent("t2"), Keep(1)]);
    for (id, _) in &runs {
        bench.engine.handle_hook_ended(*id, &HookEnd::Exited(1), "", bench.now);
    }
    let outputs = bench.outputs();
    let said = |text: &str| {
        outputs.iter().any(|output| matches!(output, Output::Log(line) if line.starts_with(text)))
    };
    assert!(said("t0: the hook tell exited") && said("t1: the hook tell exited"), "{outputs:?}");
    let again = outputs.iter().filter_map(|output| match output {
        Output::Spawn { env, .. } => Some((&*env[0].1, &*env[1].1)),
        _ => None,
    });
    assert_eq!(again.collect::<Vec<_>>(), [("t1", "degraded")]);
}

#[test]
fn a_running_hook_delays_the_next_one_of_its_name_even_if_the_target_was_removed_meanwhile() {
    let hook = Arc::new(Hook::new(["tell"]));
    let (is_up, mut bench) = watched(|monitor| hooked(monitor, &hook));
    is_up.store(false, Ordering::Relaxed);
    bench.pass(Duration::from_millis(1));
    let runs = spawned(&mut bench);
    assert_eq!(runs.iter().map(|(_, reported)| &**reported).collect::<Vec<_>>(), ["t0 up"]);
    replace(&mut bench, vec![Keep(1)]);
    let again = Switch { name: "t0".to_owned(), is_up };
    replace(&mut bench, vec![Start(hooked(Monitor::new(again), &hook)), Keep(0)]);
    bench.pass(Duration::from_millis(1));
    assert_eq!(spawned(&mut bench), []);
    bench.engine.handle_hook_ended(runs[0].0, &HookEnd::Exited(0), "", bench.now);
    assert_eq!(
        spawned(&mut bench).iter().map(|(_, reported)| &**reported).collect::<Vec<_>>(),
        ["t0 unknown"],
        "the state that was notified before it was removed is forgotten"
    );
}

/// The change was of the previous probe.
#[test]
fn a_pending_hook_keeps_the_environment_of_its_change() {
    struct Moving(&'static str, Arc<AtomicBool>);
    impl Probe for Moving {
        fn name(&self) -> &str {
            "web"
        }
        fn url(&self) -> &str {
            self.0
        }
        fn timeout(&self) -> Duration {
            secs(2)
        }
        fn begin(&self, now: Now) -> Box<dyn Attempt> {
            Switch { name: String::new(), is_up: self.1.clone() }.begin(now)
        }
    }
    let is_up = Arc::new(AtomicBool::new(true));
    let hook = Arc::new(Hook::new(["tell"]));
    let monitor = |url| hooked(Monitor::new(Moving(url, is_up.clone())).interval(secs(1)), &hook);
    let mut bench = Bench::watching(vec![monitor("http://a/")], Schedule::Repeated);
    bench.pass(Duration::from_millis(999));
    is_up.store(false, Ordering::Relaxed);
    bench.pass(secs(2));
    let first = spawned(&mut bench)[0].0;
    replace(&mut bench, vec![Start(monitor("http://b/"))]);
    bench.engine.handle_hook_ended(first, &HookEnd::Exited(0), "", bench.now);
    assert!(spawned(&mut bench).is_empty(), "its state is unknown");
    bench.pass(secs(1));
    let reported = bench.outputs().into_iter().find_map(|output| match output {
        Output::Spawn { env, .. } => Some(env),
        _ => None,
    });
    let reported = reported.expect("the pending hook");
    assert!(reported.contains(&("PINGSTATE_TO", "down".to_owned())), "{reported:?}");
    assert!(reported.contains(&("PINGSTATE_PROBE", "http://a/".to_owned())), "{reported:?}");
}

#[test]
fn deliveries_continue_across_reloads() {
    let webhook = Arc::new(Webhook::new("http://127.0.0.1:9/", None).expect("a webhook"));
    let (is_up, mut bench) = watched(|monitor| {
        monitor.notifications(Notifications::new().webhook(webhook.clone()).notify(Notify::All))
    });
    is_up.store(false, Ordering::Relaxed);
    bench.pass(secs(1));
    let id = bench.opened();
    for updates in
        [vec![Keep(1), silent("a"), Keep(0), silent("b")], vec![Keep(2)], vec![], vec![silent("c")]]
    {
        replace(&mut bench, updates);
        assert!(bench.engine.knows(id), "it is in flight");
    }
    bench.tell(id, Input::Connected);
    let request = String::from_utf8(bench.engine.unsent(id).to_vec()).expect("text");
    assert!(
        request.starts_with("POST / HTTP/1.1\r\n") && request.contains("\"to\":\"degraded\""),
        "{request}"
    );
    bench.tell(id, Input::Sent(request.len()));
    bench.tell(id, Input::Received(b"HTTP/1.1 204 No Content\r\n\r\n"));
    assert_eq!(bench.engine.cx.counters.webhooks.ok, 1);
    assert_eq!(bench.engine.webhooks.subjects(), ["t1: up → degraded"]);
    bench.pass(secs(1));
    bench.opened();
}

#[test]
fn streams_and_waits_follow_the_names_of_targets() {
    let (is_up, mut bench) = watched(|monitor| monitor);
    let all = ask(&mut bench, "/events");
    let [kept, renewed, gone] =
        ["t1", "t0", "t0"].map(|name| ask(&mut bench, &format!("/events?target={name}")));
    let kept_wait = ask(&mut bench, "/wait?state=degraded&target=t1");
    let renewed_wait = ask(&mut bench, "/wait?state=unknown&target=t0");
    bench.outputs();
    // One target is replaced by a new one of its name.
    replace(&mut bench, vec![Keep(1), silent("t0"), silent("other")]);
    bench.outputs();
    assert!(bench.deliver(renewed_wait).ends_with("\r\n\r\nunknown\n"));
    let gone_wait = ask(&mut bench, "/wait?state=up&target=t0");
    is_up.store(false, Ordering::Relaxed);
    bench.pass(secs(1));
    bench.outputs();
    assert!(bench.deliver(kept_wait).ends_with("\r\n\r\ndegraded\n"));
    for id in [all, kept] {
        let reported = bench.deliver(id);
        assert!(
            reported.contains("\"target\":\"t1\"") && reported.matches("event: ").count() == 1,
            "{reported}"
        );
    }
    assert!(bench.engine.knows(renewed) && bench.engine.unsent(renewed).is_empty());
    // Then it is removed.
    replace(&mut bench, vec![Keep(2)]);
    assert!(!bench.engine.knows(renewed) && !bench.engine.knows(gone) && !bench.engine.knows(kept));
    assert!(bench.engine.knows(all));
    assert!(bench.deliver(gone_wait).starts_with("HTTP/1.1 404 "));
    // Its events are not sent any more.
    let late = bench.engine.accept(bench.now);
    let request = b"GET /events HTTP/1.1\r\nHost: localhost\r\nLast-Event-ID: 1-1\r\n\r\n";
    bench.tell(late, Input::Received(request));
    bench.deliver(late);
    bench.outputs();
    assert_eq!(bench.deliver(late), "");
}

#[test]
fn a_wait_for_all_targets_is_answered_when_the_worst_one_is_removed() {
    let (_is_up, mut bench) = watched(|monitor| monitor);
    replace(&mut bench, vec![Keep(0), silent("t2")]);
    let id = ask(&mut bench, "/wait?state=up");
    bench.outputs();
    assert!(bench.engine.unsent(id).is_empty());
    replace(&mut bench, vec![Keep(0)]);
    bench.outputs();
    assert!(bench.deliver(id).ends_with("\r\n\r\nup\n"));
}

#[test]
fn the_status_counts_the_present_targets() {
    let (_is_up, mut bench) = watched(|monitor| monitor);
    bench.engine.attach_service_manager(None, bench.now);
    bench.outputs();
    replace(&mut bench, vec![Keep(0), silent("t2")]);
    bench.pass(secs(1));
    let reported =
        |output: &Output| matches!(output, Output::Notify(text) if text == "STATUS=1 up, 1 unknown");
    assert!(bench.outputs().iter().any(reported));
    replace(&mut bench, vec![]);
    bench.pass(secs(1));
    let reported = |output: &Output| matches!(output, Output::Notify(text) if text == "STATUS=no targets");
    assert!(bench.outputs().iter().any(reported));
}

#[test]
fn skipped_checks_of_removed_targets_are_still_counted() {
    let (_is_up, mut bench) = watched(|monitor| monitor);
    bench.now = bench.now.after(secs(10));
    bench.engine.handle_timeout(bench.now);
    let skipped = bench.engine.targets().skipped();
    assert!(skipped >= 16, "{skipped}");
    replace(&mut bench, vec![Keep(0)]);
    assert_eq!(bench.engine.targets().skipped(), skipped);
}

/// A reload that changes only the settings of notifications.
#[test]
fn other_notifications_keep_the_state_and_repeat_nothing() {
    let hook = Arc::new(Hook::new(["tell"]));
    let with = |notifications: Notifications| Arc::new(notifications.hook(hook.clone()));
    let (is_up, mut bench) = watched(|monitor| monitor.notifications(with(Notifications::new())));
    is_up.store(false, Ordering::Relaxed);
    bench.pass(secs(2));
    let runs = spawned(&mut bench);
    assert_eq!(runs.len(), 2);
    runs.iter().for_each(|(id, _)| bench.engine.handle_hook_ended(*id, &HookEnd::Exited(0), "", bench.now));
    let ids: Vec<_> = bench.engine.targets().ids().collect();
    let other = with(Notifications::new().notify(Notify::All).remind(secs(60)));
    let monitor = || Monitor::new(Mute("other settings"));
    let updates = vec![
        TargetUpdate::KeepWith(ids[0], monitor().notifications(other).group("nas")),
        TargetUpdate::KeepWith(ids[1], monitor()),
    ];
    bench.engine.replace(updates, bench.now).expect("it is valid");
    assert_eq!(bench.engine.targets().counts().by_state[State::Down.index()], 2);
    let groups = bench.engine.targets().list().iter().map(|target| (target.name(), target.group().is_some()));
    assert_eq!(groups.take(2).collect::<Vec<_>>(), [("t0", true), ("t1", false)]);
    bench.pass(secs(30));
    assert_eq!(spawned(&mut bench), []);
    bench.pass(secs(31));
    assert_eq!(spawned(&mut bench)[0].1, "t0 down", "a reminder");
}

#[test]
fn the_replacement_of_a_target_that_is_down_reports_that_it_is_up() {
    let hook = Arc::new(Hook::new(["tell"]));
    let notifications = Arc::new(Notifications::new().hook(hook));
    let (is_up, mut bench) = watched(|monitor| monitor.notifications(notifications.clone()));
    is_up.store(false, Ordering::Relaxed);
    bench.pass(secs(2));
    for (id, _) in spawned(&mut bench) {
        bench.engine.handle_hook_ended(id, &HookEnd::Exited(0), "", bench.now);
    }
    is_up.store(true, Ordering::Relaxed);
    let again = Monitor::new(Switch { name: "t0".to_owned(), is_up });
    replace(&mut bench, vec![Start(again.notifications(notifications))]);
    bench.pass(secs(1));
    assert_eq!(spawned(&mut bench).iter().map(|(_, run)| &**run).collect::<Vec<_>>(), ["t0 down"]);
}
