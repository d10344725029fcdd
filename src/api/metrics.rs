//! `/metrics`: every target and the daemon itself, in the Prometheus text format.

use std::time::Duration;

use crate::api::counters::Figures;
use crate::api::exposition::{Exposition, Value};
use crate::clock::{Now, since_epoch};
use crate::fsm::{Event, Last, State};
use crate::monitor::{Target, Targets};
use crate::result::RoundTrip;

const DAEMON_CAPACITY: usize = 4096;
const TARGET_CAPACITY: usize = 1536;

#[cold]
pub(crate) fn metrics(targets: &Targets, figures: &Figures<'_>, now: Now) -> Vec<u8> {
    let mut out = Exposition::with_capacity(DAEMON_CAPACITY + TARGET_CAPACITY * targets.list().len());
    write_states(&mut out, targets.list(), now);
    write_last_checks(&mut out, targets.list());
    write_schedule(&mut out, targets);
    write_daemon(&mut out, figures);
    write_process(&mut out, figures);
    out.into_bytes()
}

fn write_states(out: &mut Exposition, targets: &[Target], now: Now) {
    // A target without a check has no sample: 0 would raise alerts, and NaN would make sums NaN.
    out.family("pingstate_up", "gauge", "1 if the target is up, 0 if it is degraded or down.");
    for target in targets.iter().filter(|target| target.fsm().state() != State::Unknown) {
        out.sample(&[("target", target.name())], (target.fsm().state() == State::Up).into());
    }
    out.family("pingstate_paused", "gauge", "1 if the target is paused, otherwise 0.");
    for target in targets {
        out.sample(&[("target", target.name())], target.is_paused().into());
    }
    out.family("pingstate_state", "gauge", "Which state the target is in.");
    for (target, state) in by_state(targets) {
        let labels = [("target", target.name()), ("state", state.as_str())];
        out.sample(&labels, (target.fsm().state() == state).into());
    }
    out.family("pingstate_state_seconds_total", "counter", "How long the target has been in each state.");
    for (target, state) in by_state(targets) {
        let labels = [("target", target.name()), ("state", state.as_str())];
        out.sample(&labels, Value::Seconds(target.fsm().time_in(state, now)));
    }
    out.family("pingstate_transitions_total", "counter", "Changes of state by the state they led to.");
    for (target, state) in by_state(targets) {
        let labels = [("target", target.name()), ("to", state.as_str())];
        out.sample(&labels, Value::Count(target.fsm().counters().changes_to[state.index()]));
    }
    out.family("pingstate_checks_total", "counter", "Checks by their result.");
    for target in targets {
        for event in [Event::Ok, Event::Fail] {
            let labels = [("target", target.name()), ("result", event.as_str())];
            out.sample(&labels, Value::Count(target.fsm().counters().checks[event as usize]));
        }
    }
    out.family("pingstate_failures_total", "counter", "Failed checks by their reason.");
    for target in targets {
        for (reason, count) in &target.fsm().counters().failures {
            let labels = [("target", target.name()), ("reason", reason.as_str())];
            out.sample(&labels, Value::Count(*count));
        }
    }
}

fn by_state(targets: &[Target]) -> impl Iterator<Item = (&Target, State)> {
    targets.iter().flat_map(|target| State::ALL.map(|state| (target, state)))
}

/// Phases that the last check did not reach have no sample.
fn write_last_checks(out: &mut Exposition, targets: &[Target]) {
    let mut write = |name, help, value: fn(&Last) -> Option<Value>| {
        out.family(name, "gauge", help);
        for target in targets {
            if let Some(value) = target.fsm().last().and_then(value) {
                out.sample(&[("target", target.name())], value);
            }
        }
    };
    write("pingstate_last_check_timestamp_seconds", "When the last check ended.", |last| {
        Some(Value::Seconds(last.at.unix))
    });
    write("pingstate_probe_duration_seconds", "How long the last check took to be answered.", |last| {
        last.latency.map(Value::Seconds)
    });
    write("pingstate_http_status_code", "The status of the last answer over HTTP.", |last| {
        last.http_status.map(|status| Value::Count(status.into()))
    });
    write("pingstate_tls_not_after_timestamp_seconds", "When the certificate seen last expires.", |last| {
        last.tls_not_after.map(|time| Value::Seconds(since_epoch(time)))
    });
    write(
        "pingstate_ping_loss_ratio",
        "The share of echo requests of the last check without a reply.",
        |last| last.ping.as_ref().map(|ping| Value::Seconds(Duration::from_secs_f64(ping.loss()))),
    );
    write(
        "pingstate_ping_reply_hop_limit",
        "The time to live (IPv6: hop limit) of the last reply.",
        |last| last.ping.as_ref()?.hop_limit.map(|limit| Value::Count(limit.into())),
    );
    write("pingstate_dns_soa_serial", "The serial number of the zone in the last answer.", |last| {
        Some(Value::Count(last.dns.as_ref()?.soa_serial?.into()))
    });
    out.family("pingstate_ping_rtt_seconds", "gauge", "Round-trip times of the last check.");
    for target in targets {
        let rtt = target.fsm().last().and_then(|last| last.ping.as_ref()?.rtt);
        for (stat, span) in rtt.iter().flat_map(RoundTrip::each) {
            out.sample(&[("target", target.name()), ("stat", stat)], Value::Seconds(span));
        }
    }
    out.family("pingstate_probe_phase_seconds", "gauge", "How long each part of the last check took.");
    for target in targets {
        for (phase, span) in target.fsm().last().iter().flat_map(|last| last.phases.each()) {
            if let Some(span) = span {
                out.sample(&[("target", target.name()), ("phase", phase)], Value::Seconds(span));
            }
        }
    }
}

fn write_schedule(out: &mut Exposition, targets: &Targets) {
    let delay = targets.delay;
    out.family("pingstate_check_lag_seconds", "summary", "Delay of checks after their scheduled times.");
    out.part("_sum", &[], Value::Seconds(delay.sum));
    out.part("_count", &[], Value::Count(delay.count));
    out.family("pingstate_beats_skipped_total", "counter", "Scheduled checks that were skipped.");
    out.sample(&[], Value::Count(targets.skipped()));
}

fn write_daemon(out: &mut Exposition, figures: &Figures<'_>) {
    let Figures { counters, connections, .. } = figures;
    let mut write = |name, kind, help, label, values: &[(&str, u64)]| {
        out.family(name, kind, help);
        for (name, value) in values {
            out.sample(&[(label, name)], Value::Count(*value));
        }
    };
    write(
        "pingstate_connections",
        "gauge",
        "Open connections by what they are for.",
        "kind",
        &[
            ("probe", connections.probe),
            ("client", connections.client),
            ("stream", connections.stream),
            ("dns", connections.dns),
        ],
    );
    let hooks = &counters.hooks;
    write(
        "pingstate_hook_runs_total",
        "counter",
        "Commands run at changes of state.",
        "result",
        &[
            ("ok", hooks.ok),
            ("failed", hooks.failed),
            ("timeout", hooks.timeout),
            ("not_started", hooks.not_started),
        ],
    );
    let webhooks = &counters.webhooks;
    write(
        "pingstate_webhook_deliveries_total",
        "counter",
        "Notifications posted to a URL. None are dropped any more.",
        "result",
        &[("ok", webhooks.ok), ("failed", webhooks.failed), ("dropped", 0)],
    );
    out.family("pingstate_build_info", "gauge", "Which pingstate this is.");
    out.sample(&[("version", env!("CARGO_PKG_VERSION"))], Value::Count(1));
}

fn write_process(out: &mut Exposition, figures: &Figures<'_>) {
    let mut write = |name, kind, help, value: Option<Value>| {
        out.family(name, kind, help);
        if let Some(value) = value {
            out.sample(&[], value);
        }
    };
    let process_stats = &figures.process_stats;
    let count = |value: Option<u64>| value.map(Value::Count);
    let started = Some(Value::Seconds(figures.started));
    write("process_cpu_seconds_total", "counter", "CPU time spent.", process_stats.cpu.map(Value::Seconds));
    write("process_resident_memory_bytes", "gauge", "Memory in use.", count(process_stats.resident_bytes));
    write("process_virtual_memory_bytes", "gauge", "Memory asked for.", count(process_stats.virtual_bytes));
    write("process_open_fds", "gauge", "Open file descriptors.", count(process_stats.open_fds));
    write("process_max_fds", "gauge", "File descriptors that may be open.", count(process_stats.max_fds));
    write("process_start_time_seconds", "gauge", "When the daemon started.", started);
}

#[cfg(test)]
mod tests;
