//! Phases of a check that the engine measures: resolving and connecting, with the address.

use super::*;
use crate::result::Phases;

const MS: Duration = Duration::from_millis(1);

/// The result of the check that has ended.
fn result(bench: &mut Bench) -> ProbeResult {
    let check = bench.outputs().into_iter().find_map(|output| match output {
        Output::CheckResult(check) => Some(check),
        _ => None,
    });
    check.expect("a check").result
}

fn phases(resolve: Option<u32>, connect: Option<u32>) -> Phases {
    let [resolve, connect] = [resolve, connect].map(|ms| ms.map(|ms| MS * ms));
    Phases { resolve, connect, ..Phases::default() }
}

#[test]
fn connecting_has_durations_and_an_address() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    bench.pass(Duration::ZERO);
    let id = bench.opened();
    bench.pass(MS * 7);
    bench.tell(id, Input::Connected);
    bench.pass(MS * 5);
    bench.tell(id, Input::Received(b"x"));
    let result = result(&mut bench);
    assert_eq!((result.phases, result.address), (phases(None, Some(7)), "127.0.0.1:80".parse().ok()));
}

#[test]
fn a_failed_check_has_the_phases_that_it_reached() {
    let mut bench = Bench::new(&["db.example"]);
    bench.pass(Duration::ZERO);
    bench.engine.handle_files(Some(Vec::new()), Some(b"nameserver 10.0.0.1\n"), bench.now);
    bench.pass(secs(2));
    let unresolved = result(&mut bench);
    assert_eq!((unresolved.phases, unresolved.address), (phases(Some(2000), None), None));

    let mut bench = Bench::new(&["box"]);
    bench.pass(MS * 4);
    bench.engine.handle_files(Some(b"10.0.0.7 box\n10.0.0.8 box\n".to_vec()), None, bench.now);
    let first = bench.opened();
    bench.pass(MS);
    bench.tell(first, Input::Failed(Failure::new(Reason::Refused, "refused")));
    bench.opened();
    bench.pass(secs(5));
    let silent = result(&mut bench);
    assert_eq!(silent.phases, phases(Some(4), Some(1996)));
    assert_eq!(silent.address, "10.0.0.8:80".parse().ok(), "the last one tried");
}

#[test]
fn durations_of_all_connections_are_added_and_the_last_address_is_kept() {
    let url = "http://10.0.0.1/";
    let built = probe::build::ProbeBuilder::from_url(url).build().expect("a probe");
    let mut bench = Bench::watching(vec![Monitor::new(built)], Schedule::Repeated);
    bench.pass(Duration::ZERO);
    let id = bench.opened();
    bench.pass(MS * 2);
    bench.tell(id, Input::Connected);
    bench.pass(MS * 10);
    bench.tell(id, Input::Received(b"HTTP/1.1 302 Found\r\nLocation: http://box:81/\r\n\r\n"));
    bench.pass(MS * 3);
    bench.engine.handle_files(Some(b"10.0.0.7 box\n".to_vec()), None, bench.now);
    let id = bench.opened();
    bench.pass(MS * 30);
    bench.tell(id, Input::Connected);
    bench.tell(id, Input::Received(b"HTTP/1.1 200 OK\r\n\r\n"));
    let result = result(&mut bench);
    let spans = result.phases.each().map(|(_, span)| span);
    assert_eq!(spans, [Some(MS * 3), Some(MS * 32), None, Some(MS * 10), Some(Duration::ZERO)]);
    assert_eq!((result.address, result.http_status), ("10.0.0.7:81".parse().ok(), Some(200)));
    let last = bench.engine.targets().list()[0].fsm().last().expect("checked").clone();
    assert_eq!((last.phases, last.address), (result.phases, result.address));
}

/// A probe that connects by itself, on another thread, reports its own phases.
#[test]
fn phases_of_the_probe_itself_are_kept() {
    let worked = probe::BlockingTask::new(|| {
        let mut result = ProbeResult::up(MS, "fine");
        result.phases.connect = Some(MS * 9);
        result.address = "10.0.0.9:5432".parse().ok();
        result
    });
    struct Driver;
    impl Probe for Driver {
        fn name(&self) -> &str {
            "driver"
        }
        fn timeout(&self) -> Duration {
            secs(2)
        }
        fn begin(&self, _now: Now) -> Box<dyn Attempt> {
            let work = probe::Output::BlockingTask(probe::BlockingTask::new(|| unreachable!("run by hand")));
            Box::new(DriverAttempt(Some(work)))
        }
    }
    struct DriverAttempt(Option<probe::Output>);
    impl Attempt for DriverAttempt {
        fn handle_input(&mut self, input: probe::Input<'_>, _now: Now) {
            if let probe::Input::Worked(result) = input {
                self.0 = Some(probe::Output::Done(result));
            }
        }
        fn poll_output(&mut self) -> Option<probe::Output> {
            self.0.take()
        }
    }
    let mut bench = Bench::watching(vec![Monitor::new(Driver)], Schedule::Repeated);
    bench.pass(Duration::ZERO);
    let outputs = bench.outputs();
    let [Output::BlockingTask(job, _)] = &outputs[..] else { panic!("{outputs:?}") };
    bench.engine.handle_worked(*job, worked.run(), bench.now);
    let result = result(&mut bench);
    assert_eq!((result.phases, result.address), (phases(None, Some(9)), "10.0.0.9:5432".parse().ok()));
}
