//! Checks, told and asked by hand.

use super::*;
use crate::probe::connector::LOCAL_RETRY;

#[test]
fn a_check_runs_from_beat_to_verdict_and_leaves_nothing() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    bench.pass(Duration::ZERO);
    let id = bench.opened();
    bench.tell(id, Input::Connected);
    assert_eq!(bench.engine.unsent(id), b"hello");
    assert!(matches!(bench.outputs()[..], [Output::Write(w)] if w == id));
    bench.tell(id, Input::Sent(5));
    bench.tell(id, Input::Received(b"x"));
    let outputs = bench.outputs();
    assert!(
        matches!(&outputs[..], [Output::Close(c), Output::CheckResult(v)] if *c == id && v.result.ok),
        "{outputs:?}"
    );
    assert_eq!(bench.state(), State::Up);
    assert!(bench.engine.cx.conns().next().is_none());
    bench.tell(id, Input::Received(b"late news"));
    assert!(bench.outputs().is_empty());
    bench.pass(secs(4));
    assert!(bench.outputs().is_empty());
    bench.pass(secs(1));
    assert_ne!(bench.opened(), id, "ids are not reused");
}

#[test]
fn a_silent_target_fails_at_its_deadline_and_not_later() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    bench.pass(Duration::ZERO);
    let id = bench.opened();
    bench.pass(Duration::from_millis(1999));
    assert!(bench.outputs().is_empty());
    bench.pass(Duration::from_millis(1));
    let outputs = bench.outputs();
    let [Output::Close(closed), Output::CheckResult(verdict)] = &outputs[..] else { panic!("{outputs:?}") };
    assert_eq!(*closed, id);
    assert_eq!(verdict.result.detail, "timed out after 2 s: no answer to connecting to 127.0.0.1:80");
    assert_eq!(verdict.result.reason, Some(Reason::ConnectTimeout));
}

#[test]
fn an_attempt_that_says_nothing_at_its_end_is_ended() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    bench.pass(Duration::ZERO);
    let id = bench.opened();
    bench.tell(id, Input::Connected);
    bench.outputs();
    bench.pass(secs(2));
    let outputs = bench.outputs();
    let Some(Output::CheckResult(verdict)) = outputs.last() else { panic!("{outputs:?}") };
    assert_eq!(verdict.result.detail, "timed out after 2 s");
}

#[test]
fn time_that_the_loop_lost_is_not_held_against_the_target() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    bench.pass(Duration::ZERO);
    let id = bench.opened();
    bench.pass(secs(1));
    bench.now = bench.now.after(secs(60));
    bench.engine.handle_timeout(bench.now);
    assert!(bench.outputs().is_empty(), "one check is still under way, and there is no burst");
    bench.tell(id, Input::Connected);
    bench.tell(id, Input::Received(b"x"));
    assert!(bench.outputs().iter().any(|o| matches!(o, Output::CheckResult(v) if v.result.ok)));
    bench.pass(secs(5));
    let opens = bench.outputs().iter().filter(|o| matches!(o, Output::Open { .. })).count();
    assert_eq!(opens, 1);
}

/// Nothing is due while an answer is waited for: the loss shows all the same, also where it ends shortly
/// after the deadline.
#[test]
fn time_lost_while_nothing_was_due_is_given_back() {
    for lost_ms in [400, 900, 1400, 1460, 1499, 1500, 1550, 1599, 1700, 5000] {
        let mut bench = Bench::new(&["127.0.0.1"]);
        bench.pass(Duration::ZERO);
        let id = bench.opened();
        bench.tell(id, Input::Connected);
        bench.pass(Duration::from_millis(500));
        // What is told of last is older than the deadlines: the loop carries things out by its first moment.
        bench.tell(id, Input::Sent(5));
        bench.now = bench.now.after(Duration::from_millis(lost_ms));
        bench.engine.handle_timeout(bench.now);
        bench.pass(Duration::from_millis(1300));
        bench.tell(id, Input::Received(b"x"));
        assert_eq!(bench.state(), State::Up, "{lost_ms} ms lost");
        bench.engine.handle_timeout(bench.now);
        let beat = bench.engine.poll_timeout().map(|at| at - bench.now.instant);
        assert!(beat.is_some_and(|beat| beat > Duration::from_millis(400)), "no pulse without a check");
    }
}

/// A turn of the loop that takes its time, for a target that floods it, is no loss: deadlines stand.
#[test]
fn time_that_goes_into_work_is_not_given_back() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    bench.pass(Duration::ZERO);
    let id = bench.opened();
    let moment = Duration::from_nanos(1);
    for _ in 0..4 {
        bench.now = bench.now.after(moment);
        bench.tell(id, Input::Connected);
        bench.now = bench.now.after(Duration::from_millis(400) - moment);
        bench.engine.handle_timeout(bench.now);
    }
    bench.outputs();
    bench.pass(Duration::from_millis(399));
    assert!(bench.outputs().is_empty());
    bench.pass(Duration::from_millis(1));
    assert!(bench.outputs().iter().any(|o| matches!(o, Output::CheckResult(v) if !v.result.ok)));
}

#[test]
fn time_that_the_loop_lost_is_not_held_against_the_name_servers() {
    let mut bench = Bench::new(&["db.example"]);
    bench.pass(Duration::ZERO);
    bench.engine.handle_files(Some(Vec::new()), Some(b"options timeout:1 attempts:1\n"), bench.now);
    bench.pass(Duration::from_millis(500));
    let asked = bench.outputs().iter().filter(|o| matches!(o, Output::Open { .. })).count();
    assert_eq!(asked, 2, "one query per family");
    bench.engine.handle_timeout(bench.now);
    bench.now = bench.now.after(secs(60));
    bench.engine.handle_timeout(bench.now);
    bench.pass(Duration::from_millis(499));
    assert!(bench.outputs().is_empty(), "both may still be answered");
    bench.pass(Duration::from_millis(1));
    let asked = bench.outputs().iter().filter(|o| matches!(o, Output::Open { .. })).count();
    assert_eq!(asked, 2, "they are sent again");
}

#[test]
fn what_is_not_used_of_a_file_is_logged_once_for_each_version() {
    let mut bench = Bench::new(&["box"]);
    bench.pass(Duration::ZERO);
    bench.outputs();
    let too_long = [vec![b'\n'; 8 * 1024 * 1024], b"10.0.0.7 box\n".to_vec()].concat();
    bench.engine.handle_files(Some(too_long), Some(b"nameserver nonsense\n"), bench.now);
    let said = |bench: &mut Bench| -> Vec<String> {
        let outputs = bench.outputs().into_iter();
        outputs.filter_map(|o| if let Output::Log(line) = o { Some(line) } else { None }).collect()
    };
    let told = [
        "hosts file: only the first 8 MiB and 1048576 names are used; put longer block lists into a name server",
        "resolv.conf: name server \"nonsense\" is not used: it must be an IP address",
    ];
    assert_eq!(said(&mut bench), told);
    bench.engine.handle_files(None, None, bench.now);
    assert_eq!(said(&mut bench), [""; 0]);
}

#[test]
fn a_verdict_told_by_an_older_clock_does_not_repeat_its_beat() {
    let mut bench = Bench::new(&["x.invalid"]);
    let early = bench.now;
    bench.now = early.after(Duration::from_micros(30));
    bench.pass(Duration::ZERO);
    assert!(matches!(bench.outputs()[..], [Output::RefreshFiles]));
    bench.engine.handle_files(None, None, early);
    assert!(matches!(bench.outputs()[..], [Output::CheckResult(_)]));
    bench.pass(secs(5) - Duration::from_micros(31));
    assert!(bench.outputs().is_empty(), "the next beat has not come");
    let before_beat = bench.now;
    bench.pass(Duration::from_micros(2));
    bench.engine.handle_files(None, None, before_beat);
    assert!(matches!(bench.outputs()[..], [Output::RefreshFiles, Output::CheckResult(_)]));
    bench.pass(secs(4));
    assert!(bench.outputs().is_empty(), "the beat is over");
}

#[test]
fn a_shortage_of_descriptors_is_no_failure_of_the_target() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    let idle = bench.engine.accept(bench.now);
    bench.pass(Duration::ZERO);
    let id = bench.opened();
    bench.tell(id, Input::Failed(Failure::new(Reason::Local, "too many open files")));
    assert!(bench.outputs().is_empty());
    bench.pass(LOCAL_RETRY);
    let again = bench.opened();
    bench.tell(again, Input::Connected);
    bench.tell(again, Input::Received(b"x"));
    assert_eq!(bench.state(), State::Up);
    assert!(bench.engine.knows(idle));
}

#[test]
fn every_target_is_checked_once_and_not_more_than_some_at_a_time() {
    let hosts = vec!["127.0.0.1"; ONCE_PARALLEL + 10];
    let mut bench = Bench::with(&hosts, Schedule::Once, secs(5));
    bench.pass(Duration::ZERO);
    let opens = bench.outputs();
    assert_eq!(opens.len(), ONCE_PARALLEL);
    assert!(!bench.engine.is_finished());
    bench.pass(secs(10));
    let verdicts = bench.outputs().iter().filter(|o| matches!(o, Output::CheckResult(_))).count();
    assert_eq!(verdicts, hosts.len());
    assert!(bench.engine.is_finished());
    assert_eq!(bench.engine.poll_timeout(), None);
}

#[test]
fn a_loop_that_is_always_late_still_ends_its_checks() {
    let mut bench = Bench::with(&["10.0.0.1", "127.0.0.1"], Schedule::Repeated, secs(1));
    bench.pass(Duration::ZERO);
    let silent = bench.opened();
    let mut ended = false;
    for _ in 0..20 {
        // A second is lost each time, and there is always something that was due before it.
        bench.now = bench.now.after(secs(1));
        bench.engine.handle_timeout(bench.now);
        for output in bench.outputs() {
            match output {
                Output::Open { id, to, .. } if to.ip().is_loopback() => {
                    bench.tell(id, Input::Connected);
                    bench.tell(id, Input::Received(b"x"));
                }
                Output::Close(id) => ended |= id == silent,
                _ => {}
            }
        }
    }
    assert!(ended, "a silent target is silent, however busy this machine is");
}

#[test]
fn the_loop_counts_as_late_from_a_tenth_of_a_second_on() {
    for (late, lost) in [(CLOCK_STALL, true), (CLOCK_STALL - Duration::from_millis(1), false)] {
        let mut bench = Bench::new(&["127.0.0.1"]);
        bench.pass(Duration::ZERO);
        bench.opened();
        bench.pass(secs(2) - Duration::from_millis(1));
        bench.now = bench.now.after(late + Duration::from_millis(1));
        bench.engine.handle_timeout(bench.now);
        assert_eq!(bench.outputs().is_empty(), lost, "{late:?}");
    }
}

#[test]
fn a_name_of_the_hosts_file_is_dialled_at_once() {
    let mut bench = Bench::new(&["box"]);
    bench.pass(Duration::ZERO);
    bench.engine.handle_files(Some(b"10.0.0.7 box\n".to_vec()), None, bench.now);
    let outputs = bench.outputs();
    assert!(
        matches!(outputs[..], [Output::RefreshFiles, Output::Open { to, .. }] if to.to_string() == "10.0.0.7:80"),
        "{outputs:?}"
    );
}

#[test]
fn both_families_of_a_name_reach_the_check_and_nothing_of_it_is_left() {
    use crate::wire::dns::tests::{A, AAAA, ANSWER, answer, record};
    let mut bench = Bench::new(&["db.example"]);
    bench.pass(Duration::ZERO);
    bench.engine.handle_files(Some(Vec::new()), Some(b"nameserver 10.0.0.1\n"), bench.now);
    let queries: Vec<_> = bench.engine.connections();
    let [first, second] = queries[..] else { panic!("{queries:?}") };
    let asked = [first, second].map(|id| bench.engine.unsent(id).to_vec());
    bench.outputs();
    let server = SocketAddr::from(([10, 0, 0, 1], 53));
    let found = |query: &[u8]| match query[query.len() - 3] {
        1 => answer(query, ANSWER, 0, &[record("db.example", A, 60, &[192, 0, 2, 1])]),
        _ => answer(query, ANSWER, 0, &[record("db.example", AAAA, 60, &[1; 16])]),
    };
    bench.tell(first, Input::Datagram(server, &found(&asked[0])));
    bench.pass(Duration::from_millis(100));
    let id = bench.opened();
    bench.tell(id, Input::Failed(Failure::new(Reason::Refused, "refused")));
    bench.tell(second, Input::Datagram(server, &found(&asked[1])));
    let id = bench.opened();
    bench.tell(id, Input::Connected);
    bench.tell(id, Input::Received(b"x"));
    assert_eq!((bench.state(), bench.engine.lookups.waiting().len()), (State::Up, 0));
}

#[test]
fn a_check_that_ends_before_its_name_is_found_leaves_nothing() {
    let mut bench = Bench::new(&["db.example"]);
    bench.pass(Duration::ZERO);
    bench.engine.handle_files(Some(Vec::new()), Some(b"nameserver 10.0.0.1\n"), bench.now);
    assert_eq!(bench.engine.lookups.waiting().len(), 1);
    bench.pass(secs(2));
    assert_eq!(
        (bench.state(), bench.engine.lookups.waiting().len(), bench.engine.connections().len()),
        (State::Down, 0, 0)
    );
}
