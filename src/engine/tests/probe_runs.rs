//! Checks, from their scheduled time to their result.

use super::*;
use crate::probe::connector::LOCAL_RETRY;

#[test]
fn a_check_ends_with_a_result_and_closes_its_connection() {
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
    bench.tell(id, Input::Received(b"late"));
    assert!(bench.outputs().is_empty());
    bench.pass(secs(4));
    assert!(bench.outputs().is_empty());
    bench.pass(secs(1));
    assert_ne!(bench.opened(), id, "ids are not reused");
}

#[test]
fn a_silent_target_fails_at_its_deadline() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    bench.pass(Duration::ZERO);
    let id = bench.opened();
    bench.pass(Duration::from_millis(1999));
    assert!(bench.outputs().is_empty());
    bench.pass(Duration::from_millis(1));
    let outputs = bench.outputs();
    let [Output::Close(closed), Output::CheckResult(check)] = &outputs[..] else { panic!("{outputs:?}") };
    assert_eq!(*closed, id);
    assert_eq!(check.result.detail, "timed out after 2 s: no answer to connecting to 127.0.0.1:80");
    assert_eq!(check.result.reason, Some(Reason::ConnectTimeout));
}

#[test]
fn an_attempt_without_a_result_at_its_deadline_times_out() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    bench.pass(Duration::ZERO);
    let id = bench.opened();
    bench.tell(id, Input::Connected);
    bench.outputs();
    bench.pass(secs(2));
    let outputs = bench.outputs();
    let Some(Output::CheckResult(check)) = outputs.last() else { panic!("{outputs:?}") };
    assert_eq!(check.result.detail, "timed out after 2 s");
}

#[test]
fn a_delay_of_the_loop_extends_the_deadline() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    bench.pass(Duration::ZERO);
    let id = bench.opened();
    bench.pass(secs(1));
    bench.now = bench.now.after(secs(60));
    bench.engine.handle_timeout(bench.now);
    assert!(bench.outputs().is_empty(), "the check is still in flight, and there is no burst");
    bench.tell(id, Input::Connected);
    bench.tell(id, Input::Received(b"x"));
    assert!(bench.outputs().iter().any(|o| matches!(o, Output::CheckResult(v) if v.result.ok)));
    bench.pass(secs(5));
    let opens = bench.outputs().iter().filter(|o| matches!(o, Output::Open { .. })).count();
    assert_eq!(opens, 1);
}

/// Nothing is due while the check waits for a response. The delay is noticed anyway, also if it ends shortly
/// after the deadline.
#[test]
fn a_delay_while_nothing_was_due_extends_the_deadline() {
    for lost_ms in [400, 900, 1400, 1460, 1499, 1500, 1550, 1599, 1700, 5000] {
        let mut bench = Bench::new(&["127.0.0.1"]);
        bench.pass(Duration::ZERO);
        let id = bench.opened();
        bench.tell(id, Input::Connected);
        bench.pass(Duration::from_millis(500));
        // Outputs are processed with the time of the start of the turn, which is before the deadlines.
        bench.tell(id, Input::Sent(5));
        bench.now = bench.now.after(Duration::from_millis(lost_ms));
        bench.engine.handle_timeout(bench.now);
        bench.pass(Duration::from_millis(1300));
        bench.tell(id, Input::Received(b"x"));
        assert_eq!(bench.state(), State::Up, "{lost_ms} ms lost");
        bench.engine.handle_timeout(bench.now);
        let next = bench.engine.poll_timeout().map(|at| at - bench.now.instant);
        assert!(next.is_some_and(|next| next > Duration::from_millis(400)), "no wakeup without a check");
    }
}

/// A long turn of the loop, such as for a target that sends much, does not extend deadlines.
#[test]
fn time_spent_on_work_does_not_extend_the_deadline() {
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
fn a_delay_of_the_loop_extends_the_deadlines_of_queries() {
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
    assert!(bench.outputs().is_empty(), "both may still get a reply");
    bench.pass(Duration::from_millis(1));
    let asked = bench.outputs().iter().filter(|o| matches!(o, Output::Open { .. })).count();
    assert_eq!(asked, 2, "they are sent again");
}

#[test]
fn ignored_parts_of_a_file_are_logged_once_for_each_version() {
    let mut bench = Bench::new(&["box"]);
    bench.pass(Duration::ZERO);
    bench.outputs();
    let too_long = [vec![b'\n'; 8 * 1024 * 1024], b"10.0.0.7 box\n".to_vec()].concat();
    bench.engine.handle_files(Some(too_long), Some(b"nameserver nonsense\n"), bench.now);
    let said = |bench: &mut Bench| -> Vec<String> {
        let outputs = bench.outputs().into_iter();
        outputs.filter_map(|o| if let Output::Log(line) = o { Some(line) } else { None }).collect()
    };
    let expected = [
        "hosts file: only the first 8 MiB and 1048576 names are used; put longer block lists into a name server",
        "resolv.conf: name server \"nonsense\" is not used: it must be an IP address",
    ];
    assert_eq!(said(&mut bench), expected);
    bench.engine.handle_files(None, None, bench.now);
    assert_eq!(said(&mut bench), [""; 0]);
}

#[test]
fn a_result_with_an_older_time_does_not_repeat_a_scheduled_check() {
    let mut bench = Bench::new(&["x.invalid"]);
    let early = bench.now;
    bench.now = early.after(Duration::from_micros(30));
    bench.pass(Duration::ZERO);
    assert!(matches!(bench.outputs()[..], [Output::RefreshFiles]));
    bench.engine.handle_files(None, None, early);
    assert!(matches!(bench.outputs()[..], [Output::CheckResult(_)]));
    bench.pass(secs(5) - Duration::from_micros(31));
    assert!(bench.outputs().is_empty(), "the next check is not due");
    let earlier = bench.now;
    bench.pass(Duration::from_micros(2));
    bench.engine.handle_files(None, None, earlier);
    assert!(matches!(bench.outputs()[..], [Output::RefreshFiles, Output::CheckResult(_)]));
    bench.pass(secs(4));
    assert!(bench.outputs().is_empty(), "the scheduled check is over");
}

#[test]
fn a_shortage_of_descriptors_does_not_fail_the_target() {
    let mut bench = Bench::new(&["127.0.0.1"]);
    let idle = bench.engine.accept(bench.now);
    bench.pass(Duration::ZERO);
    let id = bench.opened();
    bench.tell(id, Input::Failed(Failure::exhausted("too many open files")));
    assert!(bench.outputs().is_empty());
    bench.pass(LOCAL_RETRY);
    let again = bench.opened();
    bench.tell(again, Input::Connected);
    bench.tell(again, Input::Received(b"x"));
    assert_eq!(bench.state(), State::Up);
    assert!(bench.engine.knows(idle));
}

#[test]
fn a_single_round_checks_every_target_once_with_a_limit_on_concurrency() {
    let hosts = vec!["127.0.0.1"; ONCE_PARALLEL + 10];
    let mut bench = Bench::with(&hosts, Schedule::Once, secs(5));
    bench.pass(Duration::ZERO);
    let opens = bench.outputs();
    assert_eq!(opens.len(), ONCE_PARALLEL);
    assert!(!bench.engine.is_finished());
    bench.pass(secs(10));
    let results = bench.outputs().iter().filter(|o| matches!(o, Output::CheckResult(_))).count();
    assert_eq!(results, hosts.len());
    assert!(bench.engine.is_finished());
    assert_eq!(bench.engine.poll_timeout(), None);
}

#[test]
fn a_loop_that_is_always_late_still_times_out_checks() {
    let mut bench = Bench::with(&["10.0.0.1", "127.0.0.1"], Schedule::Repeated, secs(1));
    bench.pass(Duration::ZERO);
    let silent = bench.opened();
    let mut ended = false;
    for _ in 0..20 {
        // Each turn is one second late, and a deadline was due before.
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
    assert!(ended, "a silent target is down, however busy this machine is");
}

#[test]
fn a_delay_counts_from_the_stall_limit_on() {
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
fn a_name_in_the_hosts_file_is_connected_to_at_once() {
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
fn addresses_of_both_families_are_tried_and_the_lookup_ends() {
    use crate::wire::dns::server_messages::{A, AAAA, ANSWER, answer, record};
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
fn a_check_that_ends_before_its_lookup_cancels_it() {
    let mut bench = Bench::new(&["db.example"]);
    bench.pass(Duration::ZERO);
    bench.engine.handle_files(Some(Vec::new()), Some(b"nameserver 10.0.0.1\n"), bench.now);
    assert_eq!(bench.engine.lookups.waiting().len(), 1);
    bench.pass(secs(2));
    bench.outputs();
    assert_eq!(
        (bench.state(), bench.engine.lookups.waiting().len(), bench.engine.connections().len()),
        (State::Down, 0, 0)
    );
}
