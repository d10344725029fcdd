//! Notifications to the service manager.

use super::*;

fn notified(outputs: &[Output]) -> Vec<&str> {
    let texts = outputs.iter().filter_map(|output| match output {
        Output::Notify(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

fn pings(outputs: &[Output]) -> usize {
    notified(outputs).iter().filter(|text| **text == "WATCHDOG=1").count()
}

#[test]
fn the_status_is_sent_at_most_once_a_second() {
    let (is_up, monitors) = switched(3);
    let mut bench = Bench::watching(monitors, Schedule::Repeated);
    bench.engine.notify("STOPPING=1");
    assert!(bench.outputs().is_empty(), "there is no service manager");
    bench.engine.attach_service_manager(None, bench.now);
    assert_eq!(notified(&bench.outputs()), ["READY=1\nSTATUS=3 unknown"]);
    bench.pass(Duration::from_millis(999));
    assert_eq!(notified(&bench.outputs()), [""; 0]);
    bench.pass(Duration::from_millis(1));
    assert_eq!(notified(&bench.outputs()), ["STATUS=3 up"]);
    bench.pass(secs(10));
    assert_eq!(notified(&bench.outputs()), [""; 0], "nothing new");
    is_up.store(false, Ordering::Relaxed);
    bench.pass(Duration::from_millis(999));
    assert_eq!(notified(&bench.outputs()), ["STATUS=2 up, 1 degraded"], "at once after a while");
    bench.pass(secs(1));
    assert_eq!(notified(&bench.outputs()), ["STATUS=2 degraded, 1 down"]);
    bench.engine.notify("STOPPING=1");
    assert_eq!(notified(&bench.outputs()), ["STOPPING=1"]);
}

#[test]
fn watchdog_pings_are_sent_while_every_check_is_on_time() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    bench.engine.attach_service_manager(Some(secs(3)), bench.now);
    bench.outputs();
    for _ in 0..5 {
        bench.pass(secs(3));
        assert_eq!(pings(&bench.outputs()), 1, "also with a check in flight");
    }
    // After a suspend, due checks start first.
    bench.now = bench.now.after(secs(100));
    bench.engine.handle_timeout(bench.now);
    assert_eq!(pings(&bench.outputs()), 1);
    // A check that does not start.
    while bench.engine.runs.get(bench.run(0)).is_some() {
        bench.pass(secs(1));
    }
    bench.outputs();
    bench.engine.cx.timers.set(Owner::Run(bench.run(0)), None);
    bench.pass(secs(12));
    assert!(pings(&bench.outputs()) <= 2);
    bench.pass(secs(30));
    assert_eq!(pings(&bench.outputs()), 0);
    let run = bench.run(0);
    bench.engine.runs.set_timer(run, &mut bench.engine.cx);
    bench.pass(secs(3));
    assert_eq!(pings(&bench.outputs()), 1, "the check is on time again");
}

#[test]
fn watchdog_pings_stop_when_a_check_does_not_end() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    bench.engine.attach_service_manager(Some(secs(3)), bench.now);
    bench.pass(Duration::ZERO);
    bench.engine.cx.timers.set(Owner::Run(bench.run(0)), None);
    bench.outputs();
    bench.pass(secs(30));
    assert_eq!(pings(&bench.outputs()), 0);
}
