//! Settings that no monitor can run with.

use super::*;
use crate::monitor::validate::validate_names;
use crate::probe::blocking::blocking;

const NS: Duration = Duration::from_nanos(1);

fn monitor() -> Monitor {
    Monitor::new(Mute("m"))
}

#[test]
fn an_invalid_setting_is_an_error_with_its_value_and_range() {
    let hook = |timeout| Hook::new(["true"]).timeout(timeout);
    let hooked = |hook: Hook| monitor().notifications(Notifications::new().hook(hook));
    let reminded = |interval| monitor().notifications(Notifications::new().remind(interval));
    let probe = |timeout| blocking("b", || true).timeout(timeout);
    let (short, long) = (Monitor::INTERVAL_MIN - NS, Monitor::INTERVAL_MAX + NS);
    let endless = Hook::TIMEOUT_MAX + NS;
    let heartbeat = ProbeBuilder::from_url("heartbeat:").name("job").token("0123456789abcdef").build();
    for (monitor, message) in [
        (monitor().interval(Duration::ZERO), "interval: 0ns is not between 1ms and 315360000s"),
        (monitor().interval(long), "interval: 315360000.000000001s is not between 1ms and 315360000s"),
        (monitor().retry_interval(short), "retry-interval: 999.999µs"),
        (monitor().retry_interval(long), "retry-interval: 315"),
        (monitor().interval_down(short), "interval-down: 999"),
        (monitor().interval_down(long), "interval-down: 315"),
        (monitor().interval_fast(short), "interval-fast: 999"),
        (monitor().interval_fast(Duration::MAX), "interval-fast: 18446744073709551615.999999999s"),
        (monitor().slow_clear(S), "slow-clear: needs slow"),
        (monitor().slow(S).slow_clear(S + NS), "slow-clear: 1.000000001s is not between 0ns and 1s"),
        (hooked(Hook::new([] as [&str; 0])), "on-change: needs a program"),
        (hooked(hook(Duration::ZERO)), "hook-timeout: 0ns is not between 1ns and 3600s"),
        (hooked(hook(endless)), "hook-timeout: 3600.000000001s"),
        (reminded(Notifications::REMIND_MIN - NS), "remind: 59.999999999s is not between 60s"),
        (reminded(long), "remind: 315360000.000000001s"),
        (Monitor::new(heartbeat.expect("a probe")), "interval: is required for a heartbeat target"),
        (Monitor::new(probe(Duration::ZERO)), "timeout: 0ns"),
        (Monitor::new(probe(endless)), "timeout: 3600.000000001s is not between 1ns and 3600s"),
    ] {
        let error = monitor.validate().expect_err(message).to_string();
        assert!(error.starts_with(message), "{error}");
    }
}

#[test]
fn settings_at_the_ends_of_their_ranges_are_valid() {
    for span in [Monitor::INTERVAL_MIN, Monitor::INTERVAL_MAX] {
        let monitor = monitor().interval(span).retry_interval(span).interval_down(span).interval_fast(span);
        assert_eq!(monitor.validate(), Ok(()));
    }
    for clear in [Duration::ZERO, S] {
        assert_eq!(monitor().slow(S).slow_clear(clear).validate(), Ok(()));
    }
    for timeout in [NS, Hook::TIMEOUT_MAX] {
        let probe = blocking("b", || true).timeout(timeout);
        let notifications = Notifications::new().hook(Hook::new(["true"]).timeout(timeout));
        let monitor = Monitor::new(probe).notifications(notifications);
        assert_eq!(monitor.retries(u32::MAX).slow(Duration::MAX).validate(), Ok(()));
    }
}

#[test]
fn a_duplicate_name_is_an_error() {
    assert_eq!(validate_names(["a", "b", ""].into_iter()), Ok(()));
    let error = validate_names(["a", "b", "a"].into_iter()).expect_err("twice");
    assert_eq!(error.to_string(), "name: duplicate name \"a\"");
}
