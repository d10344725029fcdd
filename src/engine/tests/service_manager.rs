//! What the service manager is told.

use super::*;

fn notified(outputs: &[Output]) -> Vec<&str> {
    let texts = outputs.iter().filter_map(|output| match output {
        Output::Notify(text) => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

fn signs_of_life(outputs: &[Output]) -> usize {
    notified(outputs).iter().filter(|text| **text == "WATCHDOG=1").count()
}

#[test]
fn a_service_manager_hears_of_the_state_once_a_second_at_most() {
    let (is_up, monitors) = switched(3);
    let mut bench = Bench::watching(monitors, Schedule::Repeated);
    bench.engine.notify("STOPPING=1");
    assert!(bench.outputs().is_empty(), "nobody is there");
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
fn the_watchdog_is_told_as_long_as_every_check_is_on_time() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    bench.engine.attach_service_manager(Some(secs(3)), bench.now);
    bench.outputs();
    for _ in 0..5 {
        bench.pass(secs(3));
        assert_eq!(signs_of_life(&bench.outputs()), 1, "also with a check under way");
    }
    // A machine that slept: what was due is done first.
    bench.now = bench.now.after(secs(100));
    bench.engine.handle_timeout(bench.now);
    assert_eq!(signs_of_life(&bench.outputs()), 1);
    // A check that nobody begins.
    while bench.engine.runs.get(bench.run(0)).is_some() {
        bench.pass(secs(1));
    }
    bench.outputs();
    bench.engine.cx.timers.set(Owner::Run(bench.run(0)), None);
    bench.pass(secs(12));
    assert!(signs_of_life(&bench.outputs()) <= 2);
    bench.pass(secs(30));
    assert_eq!(signs_of_life(&bench.outputs()), 0);
    let run = bench.run(0);
    bench.engine.runs.set_timer(run, &mut bench.engine.cx);
    bench.pass(secs(3));
    assert_eq!(signs_of_life(&bench.outputs()), 1, "all is well again");
}

#[test]
fn a_check_that_nobody_ends_is_missed_by_the_watchdog() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    bench.engine.attach_service_manager(Some(secs(3)), bench.now);
    bench.pass(Duration::ZERO);
    bench.engine.cx.timers.set(Owner::Run(bench.run(0)), None);
    bench.outputs();
    bench.pass(secs(30));
    assert_eq!(signs_of_life(&bench.outputs()), 0);
}
