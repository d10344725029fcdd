//! The table of all flags. Parsing, `--help`, the configuration file and the conflict checks come from it.
//!
//! A new flag is a row here, a field of [`Settings`] (if it configures a probe, of the `Settings` in
//! `probe/build/settings`, which the builder has too), the place that uses it, and a test.

mod daemon;
mod heartbeat;
mod http;
mod network;
mod notifications;
mod periodic;
mod ping;
#[cfg(test)]
mod tests;
mod tls;

use super::args::CommandLine;
use super::depends::Depends;
use super::escapes::unescape;
use super::options::Settings;
use super::values;
use crate::probe::build::ProbeBuilder;
use crate::probe::kinds::{ANY, CHECK_KINDS, DNS_KINDS, Kind, Kinds, PROBED_KINDS, SEND_KINDS, TCP_KINDS};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FlagScope {
    /// Replaced by a URL and its name: on the command line only, without TARGET.
    Address,
    /// Settings of targets: on the command line, on lines of flags in a file, and after a target in a file.
    Target,
    /// The daemon as a whole: on the command line and on lines of flags.
    Daemon,
    /// One run of the command: on the command line only.
    Process,
}

pub(super) struct Section {
    pub(super) title: &'static str,
    pub(super) scope: FlagScope,
    pub(super) flags: &'static [Flag],
}

pub(super) struct Flag {
    pub(super) name: &'static str,
    pub(super) short: Option<char>,
    pub(super) value: &'static str,
    /// A line feed begins a new line of `--help`.
    pub(super) help: &'static str,
    /// The value in force without the flag, as `--help` prints it; empty if there is none.
    pub(super) default: &'static str,
    /// It has no effect on targets of other kinds and is refused for them, unless `is_tolerated`.
    pub(super) kinds: Kinds,
    /// Removes the value from the settings of a target of another kind.
    pub(super) clear: fn(&mut Settings),
    pub(super) is_tolerated: bool,
    /// Its values replace those of flags-only lines above, instead of adding to them.
    pub(super) replaces: bool,
    /// The flags without which it has no effect, and whether one of them is in force.
    pub(super) needs: Option<(&'static str, InForce)>,
    pub(super) set: Set,
}

type InForce = fn(&Settings) -> bool;

#[derive(Clone, Copy)]
pub(super) enum Set {
    /// Reads the value. The error describes the value; the caller adds the flag's name.
    Value(fn(&mut CommandLine, &str) -> Result<(), String>),
    Switch(fn(&mut CommandLine)),
    Help,
    Version,
}

impl Flag {
    const fn new(name: &'static str, value: &'static str, help: &'static str, set: Set) -> Flag {
        Flag {
            name,
            short: None,
            value,
            help,
            default: "",
            kinds: ANY,
            clear: |_| {},
            is_tolerated: false,
            replaces: false,
            needs: None,
            set,
        }
    }

    const fn default(mut self, default: &'static str) -> Flag {
        self.default = default;
        self
    }

    const fn short(mut self, short: char) -> Flag {
        self.short = Some(short);
        self
    }

    const fn kinds(mut self, kinds: Kinds, clear: fn(&mut Settings)) -> Flag {
        self.kinds = kinds;
        self.clear = clear;
        self
    }

    const fn replacing(mut self, clear: fn(&mut Settings)) -> Flag {
        self.clear = clear;
        self.replaces = true;
        self
    }

    const fn tolerated(mut self) -> Flag {
        self.is_tolerated = true;
        self
    }

    const fn needs(mut self, flags: &'static str, in_force: InForce) -> Flag {
        self.needs = Some((flags, in_force));
        self
    }
}

const fn value(
    name: &'static str,
    value: &'static str,
    help: &'static str,
    set: fn(&mut CommandLine, &str) -> Result<(), String>,
) -> Flag {
    Flag::new(name, value, help, Set::Value(set))
}

const fn switch(name: &'static str, help: &'static str, set: fn(&mut CommandLine)) -> Flag {
    Flag::new(name, "", help, Set::Switch(set))
}

/// The maximum number of `--check`.
const CHECKS_MAX: usize = ProbeBuilder::CHECKS_MAX;

/// The maximum number of `--depends`.
const DEPENDS_MAX: usize = 16;

fn put<T>(field: &mut Option<T>, value: Result<T, String>) -> Result<(), String> {
    *field = Some(value?);
    Ok(())
}

pub(super) fn push<T>(list: &mut Vec<T>, value: Result<T, String>, max: usize) -> Result<(), String> {
    let value = value?;
    if list.len() >= max {
        return Err(format!("at most {max} are allowed"));
    }
    list.push(value);
    Ok(())
}

pub(super) static SECTIONS: [Section; 14] = [
    Section {
        title: "Target:",
        scope: FlagScope::Address,
        flags: &[
            value(
                "--protocol",
                "NAME",
                "tcp, http, https, tls, icmp, exec, dns or heartbeat",
                |line, text| put(&mut line.kind, Kind::parse(text)),
            )
            .default("tcp"),
            value(
                "--address",
                "HOST",
                "name, IPv4 or IPv6 address; for dns the name to query",
                |line, text| put(&mut line.address, values::plain(text)),
            )
            .default("1.1.1.1"),
            value("--port", "N", "", |line, text| put(&mut line.port, values::port(text)))
                .default("443 for tcp, tls and https; 80 for http"),
            value("--path", "PATH", "path and query, for http and https", |line, text| {
                put(&mut line.path, values::path(text))
            })
            .default("/"),
            value("--name", "NAME", "name of a single target", |line, text| {
                put(&mut line.name, values::plain(text))
            })
            .default("HOST:PORT"),
        ],
    },
    Section {
        title: "Check (of all targets, or after a target in FILE):",
        scope: FlagScope::Target,
        flags: &[
            value(
                "--check",
                "SPEC",
                "what counts as up; repeatable, all must pass:\n  \
                 tcp,tls port_open (default), banner_contains:TEXT\n  \
                 http(s) status_2xx (default), body_contains:TEXT,\n          \
                 status:200,204 or status:200-299,401,\n          \
                 header:NAME[=TEXT], header:NAME~TEXT,\n          \
                 json:/POINTER, json:/POINTER OP VALUE,\n          \
                 OP one of = != < <= > >= ~ (contains)\n  \
                 dns     a record (default), rcode:NXDOMAIN,\n          \
                 answer:RECORD,RECORD, answer_contains:TEXT\n\
                 not: before a check negates it",
                |line, text| push(&mut line.settings.probe.checks, Ok(text.to_owned()), CHECKS_MAX),
            )
            .replacing(|settings| settings.probe.checks.clear())
            .kinds(CHECK_KINDS, |settings| settings.probe.checks.clear()),
            value(
                "--timeout",
                "SECONDS",
                "for a whole check, or each attempt of it with --retries; 0.001 to 3600",
                |line, text| put(&mut line.settings.probe.timeout, values::timeout(text)),
            )
            .default("2 for tcp,icmp; 5 for tls,http,https,dns; 10 for exec")
            .kinds(PROBED_KINDS, |settings| settings.probe.timeout = None),
            value("--retries", "N", "further attempts before a check fails, 0 to 100", |line, text| {
                put(&mut line.settings.retries, values::retries(text))
            })
            .default("0")
            .kinds(PROBED_KINDS, |settings| settings.retries = None),
            value("--retry-interval", "SECONDS", "time between two attempts", |line, text| {
                put(&mut line.settings.retry_interval, values::timeout(text))
            })
            .default("1")
            .kinds(PROBED_KINDS, |settings| settings.retry_interval = None)
            .needs("--retries", |settings| settings.retries.is_some_and(|retries| retries > 0)),
        ],
    },
    Section {
        title: "Check, for tcp and tls:",
        scope: FlagScope::Target,
        flags: &[
            value(
                "--send",
                "TEXT",
                "send this after connecting; \\r \\n \\t \\\\ and \\xHH are replaced",
                |line, text| put(&mut line.settings.probe.send, unescape(text)),
            )
            .kinds(SEND_KINDS, |settings| settings.probe.send = None),
            switch("--half-open", "for tcp: reset the connection before the server accepts it", |line| {
                line.settings.probe.half_open = Some(true);
            })
            .kinds(TCP_KINDS, |settings| settings.probe.half_open = None),
        ],
    },
    Section { title: "Check, for http and https:", scope: FlagScope::Target, flags: &http::FLAGS },
    Section { title: "TLS, for https and tls:", scope: FlagScope::Target, flags: &tls::FLAGS },
    Section { title: "Heartbeats:", scope: FlagScope::Target, flags: &heartbeat::FLAGS },
    Section { title: "Check, for icmp:", scope: FlagScope::Target, flags: &ping::FLAGS },
    Section {
        title: "Check, for dns:",
        scope: FlagScope::Target,
        flags: &[switch("--dns-tcp", "query over TCP only", |line| {
            line.settings.probe.dns_tcp = Some(true);
        })
        .kinds(DNS_KINDS, |settings| settings.probe.dns_tcp = None)],
    },
    Section {
        title: "Network (of all targets, or after a target in FILE):",
        scope: FlagScope::Target,
        flags: &network::FLAGS,
    },
    Section {
        title: "State (of all targets, or after a target in FILE):",
        scope: FlagScope::Target,
        flags: &[
            value(
                "--interval",
                "SECONDS",
                "time from one check to the next: 0.5, 90s, 5m, 1d",
                |line, text| put(&mut line.settings.interval, values::interval(text)),
            )
            .default("5; 60 for exec"),
            value("--interval-down", "SECONDS", "the same while the target is down", |line, text| {
                put(&mut line.settings.interval_down, values::interval(text))
            })
            .kinds(PROBED_KINDS, |settings| settings.interval_down = None)
            .default("--interval"),
            value(
                "--interval-fast",
                "SECONDS",
                "the same while the last check contradicts the state",
                |line, text| put(&mut line.settings.interval_fast, values::interval(text)),
            )
            .kinds(PROBED_KINDS, |settings| settings.interval_fast = None)
            .default("--interval"),
            value("--fall", "N", "consecutive failures until down", |line, text| {
                put(&mut line.settings.fall, values::count(text))
            })
            .default("2"),
            value("--rise", "N", "consecutive successes that leave down", |line, text| {
                put(&mut line.settings.rise, values::count(text))
            })
            .default("1"),
            value(
                "--slow",
                "MS",
                "degraded while a response takes longer: 500 or 500ms, 2s",
                |line, text| put(&mut line.settings.slow, values::milliseconds(text)),
            )
            .kinds(PROBED_KINDS, |settings| settings.slow = None),
            value("--slow-clear", "MS", "and until one takes at most this", |line, text| {
                put(&mut line.settings.slow_clear, values::milliseconds(text))
            })
            .default("--slow")
            .kinds(PROBED_KINDS, |settings| settings.slow_clear = None)
            .needs("--slow", |settings| settings.slow.is_some()),
            switch("--paused", "start paused: unknown and not checked until it is resumed", |line| {
                line.settings.paused = true;
            }),
            value("--group", "NAME", "group of the target in the API", |line, text| {
                put(&mut line.settings.group, values::group(text))
            }),
            value(
                "--depends",
                "NAME",
                "target without which it cannot be reached: its failures count while that one is not down; \
                 repeatable, all must be down",
                |line, text| push(&mut line.settings.depends.names, values::group(text), DEPENDS_MAX),
            )
            .replacing(|settings| settings.depends = Depends::default()),
            switch("--private", "hide URL, address and details of the target in the API", |line| {
                line.settings.private = true;
            }),
        ],
    },
    Section {
        title: "Notifications (of all targets, or after a target in FILE):",
        scope: FlagScope::Target,
        flags: &notifications::FLAGS,
    },
    Section { title: "API and daemon:", scope: FlagScope::Daemon, flags: &daemon::FLAGS },
    Section { title: "Periodic requests:", scope: FlagScope::Daemon, flags: &periodic::FLAGS },
    Section {
        title: "",
        scope: FlagScope::Process,
        flags: &[
            value(
                "--config",
                "FILE",
                "read the targets from this file; - is standard input",
                |line, text| {
                    if line.config.is_some() {
                        return Err("is given twice: list all targets in one file".to_owned());
                    }
                    put(&mut line.config, values::plain(text).map(Into::into))
                },
            ),
            switch("--check-config", "check the file, print its errors and exit", |line| {
                line.check_config = true;
            }),
            switch("--test-notify", "send a test message to every command and webhook and exit", |line| {
                line.test_notify = true;
            }),
            switch("--once", "check every target once, print a line each and exit", |line| {
                line.once = true;
            }),
            switch("--json", "with --once: print each target as in the API, as JSON in one line", |line| {
                line.json = true;
            }),
            Flag::new("--help", "", "print this help", Set::Help).short('h'),
            Flag::new("--version", "", "print the version", Set::Version).short('V'),
        ],
    },
];

/// The first flag in the order of `--help`.
pub(super) fn find(matches: impl Fn(&Flag) -> bool) -> Option<(&'static Flag, FlagScope)> {
    all().find(|(flag, _)| matches(flag))
}

pub(super) fn all() -> impl Iterator<Item = (&'static Flag, FlagScope)> {
    SECTIONS.iter().flat_map(|section| section.flags.iter().map(move |flag| (flag, section.scope)))
}
