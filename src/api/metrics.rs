//! `/metrics`: every target and the daemon itself, in the Prometheus text format.

use std::time::Duration;

use crate::api::counters::Figures;
use crate::api::exposition::{Exposition, Value};
use crate::clock::{Now, since_epoch};
use crate::fsm::{Event, Last, State};
use crate::monitor::{Target, Targets, Window};
use crate::result::RoundTrip;

pub(crate) const PUSH_CONTENT_TYPE: &str = "text/plain; version=0.0.4";

const DAEMON_CAPACITY: usize = 4096;
const TARGET_CAPACITY: usize = 1536;

/// A piece of the text ends with the first target after this number of bytes.
const PIECE: usize = 32 * 1024;

#[cold]
pub(crate) fn metrics(targets: &Targets, figures: &Figures<'_>, now: Now) -> Vec<u8> {
    let mut out = Exposition::with_capacity(DAEMON_CAPACITY + TARGET_CAPACITY * targets.list().len());
    write(&mut out, &mut Position::default(), targets, figures, now, usize::MAX);
    out.into_bytes()
}

/// Up to where the text was rendered. It is invalid after a change of the list of targets.
#[derive(Debug, Default)]
pub(crate) struct Position {
    family: usize,
    target: usize,
    /// The family has a sample.
    has_sample: bool,
}

impl Position {
    /// The next piece of the same text, with the values of this moment; empty after the last one.
    #[cold]
    pub(crate) fn next_piece(&mut self, targets: &Targets, figures: &Figures<'_>, now: Now) -> Vec<u8> {
        let mut out = Exposition::with_capacity(PIECE + DAEMON_CAPACITY);
        write(&mut out, self, targets, figures, now, PIECE);
        out.into_bytes()
    }
}

fn write(
    out: &mut Exposition,
    position: &mut Position,
    targets: &Targets,
    figures: &Figures<'_>,
    now: Now,
    max: usize,
) {
    while let Some(family) = FAMILIES.get(position.family) {
        match position.has_sample {
            true => out.continue_family(family.name),
            false => out.family(family.name, family.kind, family.help),
        }
        while let Some(target) = targets.list().get(position.target) {
            if out.len() >= max {
                position.has_sample = out.has_sample();
                return;
            }
            (family.write)(out, target, now);
            position.target += 1;
        }
        *position = Position { family: position.family + 1, ..Position::default() };
    }
    if position.family == FAMILIES.len() {
        position.family += 1;
        write_schedule(out, targets);
        write_daemon(out, figures);
        write_process(out, figures);
    }
}

/// The samples of each target.
struct Family {
    name: &'static str,
    kind: &'static str,
    help: &'static str,
    write: fn(&mut Exposition, &Target, Now),
}

static FAMILIES: [Family; 20] = [
    Family {
        name: "pingstate_target_info",
        kind: "gauge",
        help: "The group and the URL of each target.",
        write: |out, target, _| {
            let group = target.group().map_or("", |group| group);
            let url = if target.is_private() { "" } else { target.url() };
            let labels = [("target", target.name()), ("group", group), ("probe", url)];
            out.sample(&labels, Value::Count(1));
        },
    },
    Family {
        name: "pingstate_up",
        kind: "gauge",
        help: "1 if the target is up, 0 if it is degraded or down.",
        write: |out, target, _| {
            // A target without a check has no sample: 0 would raise alerts, and NaN would make sums NaN.
            if target.fsm().state() != State::Unknown {
                out.sample(&[("target", target.name())], (target.fsm().state() == State::Up).into());
            }
        },
    },
    Family {
        name: "pingstate_paused",
        kind: "gauge",
        help: "1 if the target is paused, otherwise 0.",
        write: |out, target, _| out.sample(&[("target", target.name())], target.is_paused().into()),
    },
    Family {
        name: "pingstate_held",
        kind: "gauge",
        help: "1 if the last check failed because all targets on which the target depends are down, otherwise 0.",
        write: |out, target, _| out.sample(&[("target", target.name())], target.held_by().is_some().into()),
    },
    Family {
        name: "pingstate_state",
        kind: "gauge",
        help: "Which state the target is in.",
        write: |out, target, _| {
            write_by_state(out, target, "state", |state| (target.fsm().state() == state).into());
        },
    },
    Family {
        name: "pingstate_state_seconds_total",
        kind: "counter",
        help: "How long the target has been in each state.",
        write: |out, target, now| {
            write_by_state(out, target, "state", |state| Value::Seconds(target.fsm().time_in(state, now)));
        },
    },
    Family {
        name: "pingstate_transitions_total",
        kind: "counter",
        help: "Changes of state by the state they led to.",
        write: |out, target, _| {
            let counters = target.fsm().counters();
            write_by_state(out, target, "to", |state| Value::Count(counters.changes_to[state.index()]));
        },
    },
    Family {
        name: "pingstate_checks_total",
        kind: "counter",
        help: "Checks by their result; none: they failed because of this machine.",
        write: |out, target, _| {
            for event in [Event::Ok, Event::Fail] {
                let labels = [("target", target.name()), ("result", event.as_str())];
                out.sample(&labels, Value::Count(target.fsm().counters().checks[event as usize]));
            }
            let without_result = target.fsm().counters().without_result;
            out.sample(&[("target", target.name()), ("result", "none")], Value::Count(without_result));
        },
    },
    Family {
        name: "pingstate_failures_total",
        kind: "counter",
        help: "Failed checks by their reason.",
        write: |out, target, _| {
            for (reason, count) in &target.fsm().counters().failures {
                let labels = [("target", target.name()), ("reason", reason.as_str())];
                out.sample(&labels, Value::Count(*count));
            }
        },
    },
    Family {
        name: "pingstate_check_latency_seconds",
        kind: "summary",
        help: "The latencies of checks that were answered.",
        write: |out, target, _| {
            let counters = target.fsm().counters();
            let labels = [("target", target.name())];
            out.part("_sum", &labels, Value::Seconds(counters.latency_sum));
            out.part("_count", &labels, Value::Count(counters.latencies));
        },
    },
    // Phases that the last check did not reach have no sample.
    Family {
        name: "pingstate_last_check_timestamp_seconds",
        kind: "gauge",
        help: "When the last check ended.",
        write: |out, target, _| write_last(out, target, |last| Some(Value::Seconds(last.at.unix))),
    },
    Family {
        name: "pingstate_probe_duration_seconds",
        kind: "gauge",
        help: "How long the last check took to be answered.",
        write: |out, target, _| write_last(out, target, |last| last.latency.map(Value::Seconds)),
    },
    Family {
        name: "pingstate_http_status_code",
        kind: "gauge",
        help: "The status of the last answer over HTTP.",
        write: |out, target, _| {
            write_last(out, target, |last| last.http_status.map(|status| Value::Count(status.into())));
        },
    },
    Family {
        name: "pingstate_tls_not_after_timestamp_seconds",
        kind: "gauge",
        help: "When the certificate seen last expires.",
        write: |out, target, _| {
            write_last(out, target, |last| last.tls_not_after.map(|time| Value::Seconds(since_epoch(time))));
        },
    },
    Family {
        name: "pingstate_ping_loss_ratio",
        kind: "gauge",
        help: "The share of echo requests of the last check without a reply.",
        write: |out, target, _| {
            let loss = |last: &Last| Some(Duration::from_secs_f64(last.ping.as_ref()?.loss()));
            write_last(out, target, |last| loss(last).map(Value::Seconds));
        },
    },
    Family {
        name: "pingstate_ping_reply_hop_limit",
        kind: "gauge",
        help: "The time to live (IPv6: hop limit) of the last reply.",
        write: |out, target, _| {
            write_last(out, target, |last| Some(Value::Count(last.ping.as_ref()?.hop_limit?.into())));
        },
    },
    Family {
        name: "pingstate_dns_soa_serial",
        kind: "gauge",
        help: "The serial number of the zone in the last answer.",
        write: |out, target, _| {
            write_last(out, target, |last| Some(Value::Count(last.dns.as_ref()?.soa_serial?.into())));
        },
    },
    Family {
        name: "pingstate_ping_rtt_seconds",
        kind: "gauge",
        help: "Round-trip times of the last check.",
        write: |out, target, _| {
            let rtt = target.fsm().last().and_then(|last| last.ping.as_ref()?.rtt);
            for (stat, span) in rtt.iter().flat_map(RoundTrip::each) {
                out.sample(&[("target", target.name()), ("stat", stat)], Value::Seconds(span));
            }
        },
    },
    Family {
        name: "pingstate_probe_phase_seconds",
        kind: "gauge",
        help: "How long each part of the last check took.",
        write: |out, target, _| {
            for (phase, span) in target.fsm().last().iter().flat_map(|last| last.phases.each()) {
                if let Some(span) = span {
                    out.sample(&[("target", target.name()), ("phase", phase)], Value::Seconds(span));
                }
            }
        },
    },
    Family {
        name: "pingstate_uptime_ratio",
        kind: "gauge",
        help: "The share of the known time in which the target was up or degraded.",
        write: |out, target, now| {
            let Some(history) = target.history() else { return };
            for window in Window::ALL {
                if let Some(ratio) = history.uptime(window, now) {
                    let labels = [("target", target.name()), ("window", window.as_str())];
                    // Also a number with decimals.
                    out.sample(&labels, Value::Seconds(Duration::from_micros(u64::from(ratio) * 100)));
                }
            }
        },
    },
];

fn write_by_state(out: &mut Exposition, target: &Target, label: &str, value: impl Fn(State) -> Value) {
    for state in State::ALL {
        out.sample(&[("target", target.name()), (label, state.as_str())], value(state));
    }
}

fn write_last(out: &mut Exposition, target: &Target, value: impl FnOnce(&Last) -> Option<Value>) {
    if let Some(value) = target.fsm().last().and_then(value) {
        out.sample(&[("target", target.name())], value);
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
    let state_file = &counters.state_file;
    write(
        "pingstate_state_file_writes_total",
        "counter",
        "Writes of the state file.",
        "result",
        &[("ok", state_file.ok), ("failed", state_file.failed)],
    );
    out.family(
        "pingstate_resolves_held_total",
        "counter",
        "Lookups that got expired addresses, because the name could not be resolved.",
    );
    out.sample(&[], Value::Count(counters.held_lookups));
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
