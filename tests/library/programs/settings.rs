//! Custom policies, initial states and histories.

use pingstate::*;

use super::*;
use crate::common::eventually;

/// A target that is down.
fn down_target() -> NetProbe {
    let (target, probe) = target();
    drop(target);
    built(probe.name("down"))
}

#[test]
fn a_monitor_starts_in_its_initial_state_and_follows_its_table() {
    let table = Policy::Table(vec![(State::Up, Event::Fail, State::Degraded)]);
    let monitor =
        Monitor::new(down_target()).initial_state(State::Up).policy(table).interval(2 * MS).history(3);
    let monitor = monitor.start().expect("starts");
    let first = monitor.snapshot();
    assert!(matches!(first.state, State::Up | State::Degraded));
    assert_eq!(monitor.check_now().reason, Some(Reason::Refused));
    let last =
        eventually("a full history", || Some(monitor.snapshot()).filter(|last| last.recent.len() >= 3));
    monitor.check_now();
    assert_eq!((last.state, last.transitions), (State::Degraded, 1), "the table has no further transition");
    assert_eq!(monitor.stop().recent.len(), 3);
}

#[test]
fn policy_function_receives_the_streak() {
    let policy = Policy::function(|state, event, streak| match event {
        Event::Fail if streak == 4 => State::Down,
        _ => state,
    });
    let mut server =
        serve(Monitor::new(down_target()).policy(policy).interval(2 * MS).history(0), ANY).expect("serves");
    turn_until(&mut server, "down", |server| snapshot(server, 0).state == State::Down);
    let last = snapshot(&server, 0);
    assert_eq!((last.transitions, last.recent.len()), (1, 0));
    assert_eq!(last.last_event, Some(Event::Fail));
}

/// Wherever a monitor starts, an invalid setting is the same error.
#[test]
fn invalid_settings_are_errors_when_a_monitor_starts() {
    let invalid = || Monitor::new(blocking("disk", || true)).interval(Duration::ZERO);
    let check_all = check_all(invalid(), ResolverConfig::default(), |_| panic!("checked"));
    let mut server = serve(Monitor::new(blocking("tape", || true)), ANY).expect("serves");
    let replace = server.replace_targets([TargetUpdate::Start(invalid())]);
    for error in [
        invalid().start().map(drop).expect_err("refused"),
        serve(invalid(), ANY).map(drop).expect_err("refused"),
        check_all.expect_err("refused"),
        replace.expect_err("refused"),
    ] {
        assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
        let error = error.downcast::<Error>().expect("an error of the library");
        assert_eq!((error.field(), &matches!(error, Error::Interval(_))), ("interval", &true));
    }
    let server =
        Server::builder(Monitor::new(blocking("disk", || true))).allow_host("http://nas.lan/").bind(ANY);
    let error = server.map(drop).expect_err("refused");
    assert_eq!(error.to_string(), "api-allow-host: \"http://nas.lan/\" is not a host name or an IP address");
    let result = check(&blocking("disk", || true).timeout(ProbeBuilder::TIMEOUT_MAX * 2));
    assert_eq!(result.detail, "timeout: 7200s is not between 1ns and 3600s");
}

#[test]
fn ping_fsm_agrees_with_a_monitor() {
    let (_target, good) = target();
    let probe = built(good);
    let monitor = Monitor::new(probe.clone()).start().expect("starts");
    assert!(monitor.check_now().ok);
    let mut fsm = PingFsm::new().name(probe.url());
    fsm.fire_result(&probe.check());
    let keys = |json: &str| {
        let lines =
            json.lines().filter(|line| line.starts_with("  \"")).filter_map(|line| line.split_once(':'));
        lines.map(|(key, _)| key.to_owned()).collect::<Vec<_>>()
    };
    let (fsm, monitor) = (fsm.snapshot(), monitor.stop());
    assert_eq!(keys(&fsm.to_json()), keys(&monitor.to_json()));
    assert_eq!((fsm.state, fsm.transitions, &fsm.url), (monitor.state, monitor.transitions, &monitor.url));
}
