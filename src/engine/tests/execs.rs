//! Checks that run programs: their slots, the start of their timeouts, and what becomes of their processes.

use super::*;
use crate::probe::{Exit, Program};

/// Runs a program and reports how it ended.
struct Plugin {
    name: String,
    programs: usize,
}

struct Running(VecDeque<probe::Output>);

impl Probe for Plugin {
    fn name(&self) -> &str {
        &self.name
    }
    fn timeout(&self) -> Duration {
        secs(3)
    }
    fn runs_program(&self) -> bool {
        true
    }
    fn begin(&self, _now: Now) -> Box<dyn Attempt> {
        let program = || probe::Output::Exec(Program::new(["plugin"]));
        Box::new(Running((0..self.programs).map(|_| program()).collect()))
    }
}

impl Attempt for Running {
    fn handle_input(&mut self, input: probe::Input<'_>, _now: Now) {
        let result = match input {
            probe::Input::Exited(Exit::Status(0), output) => {
                ProbeResult::up(Duration::ZERO, &String::from_utf8_lossy(output))
            }
            probe::Input::Exited(exit, _) => ProbeResult::down(Reason::Exec, &format!("{exit:?}")),
            probe::Input::Failed(failure) => failure.into(),
            _ => return,
        };
        self.0.push_back(probe::Output::Done(result));
    }
    fn poll_output(&mut self) -> Option<probe::Output> {
        self.0.pop_front()
    }
}

fn plugins(count: usize) -> Vec<Monitor> {
    let plugin = |i| Plugin { name: format!("p{i}"), programs: 1 };
    (0..count).map(|i| Monitor::new(plugin(i)).interval(secs(10))).collect()
}

fn started(outputs: &[Output]) -> Vec<(JobId, &str)> {
    let started = outputs.iter().filter_map(|output| match output {
        Output::Exec { id, target, .. } => Some((*id, target.as_str())),
        _ => None,
    });
    started.collect()
}

fn killed(outputs: &[Output]) -> Vec<JobId> {
    let killed = outputs.iter().filter_map(|output| match output {
        Output::KillProgram(id) => Some(*id),
        _ => None,
    });
    killed.collect()
}

fn details(outputs: &[Output]) -> Vec<&str> {
    let results = outputs.iter().filter_map(|output| match output {
        Output::CheckResult(check) => Some(check.result.detail.as_str()),
        _ => None,
    });
    results.collect()
}

impl Bench {
    fn exit(&mut self, job: JobId, status: i32) {
        self.engine.handle_exited(job, Ok((Exit::Status(status), b"fine")), self.now);
    }
}

#[test]
fn checks_above_the_slots_wait_and_their_timeouts_start_with_their_programs() {
    let mut bench = Bench::watching(plugins(EXECS_MAX + 2), Schedule::Repeated);
    bench.pass(secs(2));
    let outputs = bench.outputs();
    let running = started(&outputs);
    assert_eq!(running.len(), EXECS_MAX);
    assert_eq!((running[0].1, running[15].1), ("p0", "p15"));
    assert_eq!(bench.engine.runs.queue.execs.len(), EXECS_MAX);
    bench.exit(running[3].0, 0);
    bench.exit(running[7].0, 2);
    let outputs = bench.outputs();
    assert_eq!(details(&outputs), ["fine", "Status(2)"]);
    let later = started(&outputs);
    assert_eq!(later.iter().map(|(_, name)| *name).collect::<Vec<_>>(), ["p16", "p17"]);
    // All others are killed meanwhile; these two have 3 s from now.
    bench.pass(secs(3) - Duration::from_millis(1));
    let outputs = bench.outputs();
    assert_eq!(killed(&outputs).len(), EXECS_MAX - 2);
    assert!(details(&outputs).iter().all(|detail| *detail == "timed out after 3 s"));
    bench.pass(Duration::from_millis(1));
    assert_eq!(killed(&bench.outputs()), [later[0].0, later[1].0]);
}

#[test]
fn few_programs_start_in_one_turn() {
    let mut monitors = plugins(20);
    monitors = monitors.into_iter().map(|monitor| monitor.interval(Duration::from_millis(1))).collect();
    let mut bench = Bench::watching(monitors, Schedule::Repeated);
    bench.now = bench.now.after(secs(1));
    for count in [EXEC_STARTS_PER_TURN; 4] {
        bench.engine.handle_timeout(bench.now);
        assert_eq!(started(&bench.outputs()).len(), count);
        let next = bench.engine.poll_timeout().expect("a deadline");
        assert!(next > bench.now.instant && next <= bench.now.instant + WAKEUP_INTERVAL);
        bench.now = bench.now.after(YIELD_DELAY);
    }
    bench.engine.handle_timeout(bench.now);
    assert_eq!(started(&bench.outputs()).len(), 0, "all slots are taken");
}

#[test]
fn a_process_that_cannot_be_killed_keeps_its_slot_and_fails_its_target() {
    let mut bench = Bench::watching(plugins(1), Schedule::Repeated);
    bench.pass(secs(3));
    let outputs = bench.outputs();
    let (job, _) = started(&outputs)[0];
    assert_eq!((killed(&outputs), details(&outputs)), (vec![job], vec!["timed out after 3 s"]));
    bench.pass(secs(10));
    let outputs = bench.outputs();
    assert_eq!(started(&outputs), []);
    assert_eq!(details(&outputs), ["the program of an earlier check was killed but does not end"]);
    assert_eq!(bench.engine.runs.queue.execs.len(), 1);
    // It ends after all.
    bench.exit(job, 0);
    assert_eq!(details(&bench.outputs()), [""; 0]);
    bench.pass(secs(10));
    assert_eq!(started(&bench.outputs()).len(), 1);
}

#[test]
fn an_attempt_soon_after_a_kill_waits_for_the_end_of_the_process() {
    let monitor = plugins(1).remove(0).retries(1).retry_interval(Duration::from_millis(1));
    let mut bench = Bench::watching(vec![monitor], Schedule::Repeated);
    bench.pass(secs(3) + Duration::from_millis(10));
    let outputs = bench.outputs();
    let (job, _) = started(&outputs)[0];
    assert_eq!((started(&outputs).len(), killed(&outputs), details(&outputs).len()), (1, vec![job], 0));
    bench.exit(job, -1);
    let outputs = bench.outputs();
    let [(second, _)] = started(&outputs)[..] else { panic!("{outputs:?}") };
    bench.exit(second, 0);
    assert_eq!(details(&bench.outputs()), ["fine"]);
    // Without an end, the attempt fails after a while, and others do not have to wake the loop.
    let monitor = plugins(1).remove(0).retries(1).retry_interval(Duration::from_millis(1));
    let mut bench = Bench::watching(vec![monitor], Schedule::Repeated);
    bench.pass(secs(3) + EXEC_KILL_GRACE + WAKEUP_INTERVAL);
    assert_eq!(details(&bench.outputs()), ["the program of an earlier check was killed but does not end"]);
}

#[test]
fn a_program_that_is_not_started_fails_its_check_and_frees_its_slot() {
    let mut bench = Bench::watching(plugins(1), Schedule::Repeated);
    bench.pass(Duration::ZERO);
    let (job, _) = started(&bench.outputs())[0];
    let failure = Failure::new(Reason::Exec, "plugin could not be started");
    bench.engine.handle_exited(job, Err(failure), bench.now);
    assert_eq!(details(&bench.outputs()), ["plugin could not be started"]);
    assert_eq!(bench.engine.runs.queue.execs.len(), 0);
}

#[test]
fn a_removed_target_and_a_stop_leave_no_result() {
    let mut bench = Bench::watching(plugins(2), Schedule::Repeated);
    bench.pass(secs(2));
    let outputs = bench.outputs();
    let jobs: Vec<JobId> = started(&outputs).iter().map(|(job, _)| *job).collect();
    let updates = bench.updates(vec![Update::Keep(1)]);
    bench.engine.replace(updates, bench.now).expect("valid");
    assert_eq!(killed(&bench.outputs()), [jobs[0]]);
    bench.exit(jobs[0], 0);
    bench.engine.stop();
    bench.exit(jobs[1], -1);
    assert_eq!(details(&bench.outputs()), [""; 0]);
    assert_eq!(bench.engine.runs.queue.execs.len(), 0);
}

#[test]
fn an_attempt_cannot_run_two_programs_at_the_same_time() {
    let plugin = Plugin { name: "p".to_owned(), programs: 2 };
    let mut bench = Bench::watching(vec![Monitor::new(plugin)], Schedule::Repeated);
    bench.pass(Duration::ZERO);
    let outputs = bench.outputs();
    assert_eq!(killed(&outputs), [started(&outputs)[0].0]);
    assert_eq!(details(&outputs), ["the probe runs two programs at the same time"]);
}

#[test]
fn few_descriptors_leave_connections_for_other_checks() {
    let mut monitors = plugins(4);
    monitors.extend(["10.0.0.1", "10.0.0.2"].map(|host| Monitor::new(Hello(host)).interval(secs(10))));
    let mut bench =
        Bench::sharing(monitors, Schedule::Repeated, Shares { checks: 8, ..Shares::of(usize::MAX) });
    bench.pass(secs(2));
    let outputs = bench.outputs();
    let opened = outputs.iter().filter(|output| matches!(output, Output::Open { .. })).count();
    assert_eq!((started(&outputs).len(), opened), (2, 2));
}

#[test]
fn a_program_that_does_not_end_does_not_fail_a_new_target_of_another_kind() {
    const NAME: &str = "10.0.0.1";
    let plugin = Plugin { name: NAME.to_owned(), programs: 1 };
    let mut bench = Bench::watching(vec![Monitor::new(plugin)], Schedule::Repeated);
    bench.pass(Duration::ZERO);
    let (job, _) = started(&bench.outputs())[0];
    let id = bench.id(0);
    let updates = bench.updates(vec![Update::Start(Monitor::new(Hello(NAME)))]);
    bench.engine.replace(updates, bench.now).expect("valid");
    assert_eq!((bench.id(0), killed(&bench.outputs())), (id, vec![job]));
    bench.pass(secs(1));
    let outputs = bench.outputs();
    assert!(outputs.iter().any(|output| matches!(output, Output::Open { .. })), "{outputs:?}");
    assert_eq!(details(&outputs), [""; 0]);
}
