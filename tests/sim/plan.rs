//! The cast of one run: its targets, and how kind the world is to them.

use std::time::Duration;

use super::kinds::{PingPlan, RecordPlan};
use super::names::{CAST, CROWD, Files, How, Role, hosts};
use super::recording_probe::{Ledger, SpyProbe};
use super::rng::Rng;
use crate::engine::limits::Shares;
use crate::fsm::{Event, Policy, State};
use crate::monitor::Monitor;
use crate::probe::build::probe;

pub(super) const MS: u64 = 1_000_000;
pub(super) const S: u64 = 1000 * MS;

/// Targets have ports of their own, from this one on, so that connections tell whose they are.
pub(super) const PORT: u16 = 7000;

/// The text that checks look for.
pub(super) const NEEDLE: &str = "all is well";

/// What makes a target healthy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wants {
    Connection,
    /// The same, without the last acknowledgement of the handshake.
    HalfOpen,
    Banner,
    Success,
    /// The statuses 200 to 209 and 301.
    Listed,
    Body,
    Pings(PingPlan),
    Records(RecordPlan),
    Program,
    /// Requests to the API, with this grace.
    Heartbeat(Option<u64>),
}

pub(super) struct TargetPlan {
    /// Its name is this number. There may have been others of the same name before.
    pub(super) name: usize,
    /// Its place in [`hosts`].
    pub(super) host: usize,
    pub(super) wants: Wants,
    pub(super) head: bool,
    pub(super) follow: bool,
    pub(super) path: &'static str,
    pub(super) timeout: u64,
    pub(super) interval: u64,
    pub(super) policy: Policy,
    pub(super) initial: State,
    pub(super) history: usize,
    pub(super) rules: Rules,
    pub(super) group: Option<&'static str>,
}

/// What a target may be told beside its interval and its policy.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Rules {
    pub(super) retries: u32,
    pub(super) retry_interval: u64,
    pub(super) slow: Option<u64>,
    pub(super) slow_clear: Option<u64>,
    pub(super) interval_down: Option<u64>,
    pub(super) interval_fast: Option<u64>,
}

/// How often, in a thousand, the world does what.
pub(super) struct Weather {
    /// A try of a target goes wrong in some way.
    pub(super) trouble: u64,
    /// An answer of a healthy name server is none.
    pub(super) dns_mischief: u64,
    /// This machine has no socket.
    pub(super) local: u64,
    pub(super) stall: u64,
    /// Something is slow.
    pub(super) slow: u64,
    pub(super) clients: u64,
    /// News of connections that are gone.
    pub(super) stale: u64,
}

pub(super) struct Plan {
    /// All targets that there have ever been.
    pub(super) targets: Vec<TargetPlan>,
    /// The host at which targets like to meet.
    pub(super) meeting: usize,
    pub(super) weather: Weather,
    pub(super) roles: [Role; 3],
    pub(super) files: Vec<Files>,
    /// Outputs are taken after a batch of events, and not after each.
    pub(super) lazy: bool,
    pub(super) turns: u64,
    pub(super) flood: Option<Flood>,
    /// Events come faster than most can hear of them.
    pub(super) busy: bool,
    pub(super) shares: Shares,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flood {
    /// More clients than there is room for, who say nothing.
    Silent,
    /// Many who ask for a lot and never read.
    Deaf,
    /// Targets with names that no server answers for.
    ResolverConfig,
    /// As many clients as there may be that wait for a state.
    Waits,
    /// More targets that run programs than there are slots.
    Programs,
}

impl Plan {
    pub(super) fn roll(rng: &mut Rng) -> Plan {
        let count = rng.range(1, 6);
        let first = rng.index(CAST);
        let mut targets: Vec<TargetPlan> = (0..count).map(|name| target(rng, first, name as usize)).collect();
        let mut roles = [Role::Healthy; 3];
        if rng.permille(500) {
            for role in &mut roles {
                *role = rng.pick(&[Role::Healthy, Role::Healthy, Role::Dead, Role::Closed, Role::Servfail]);
            }
        }
        let mut files: Vec<Files> = (0..2).map(|_| Files::roll(rng, &roles)).collect();
        let mut weather = Weather {
            trouble: rng.pick(&[0, 100, 400, 900]),
            dns_mischief: rng.pick(&[0, 0, 50, 300]),
            local: rng.pick(&[0, 0, 0, 60]),
            stall: rng.pick(&[0, 0, 5, 20]),
            slow: rng.pick(&[0, 30, 150]),
            clients: rng.pick(&[0, 500, 1000]),
            stale: rng.pick(&[50, 500]),
        };
        let flood = match rng.below(300) {
            0..=3 => Some(Flood::Silent),
            4..=6 => Some(Flood::Deaf),
            7..=8 => Some(Flood::ResolverConfig),
            9 => Some(Flood::Waits),
            10..=12 => Some(Flood::Programs),
            _ => None,
        };
        let mut turns = rng.range(40, 260);
        if flood == Some(Flood::Waits) {
            (turns, weather.clients) = (400, 1000);
        }
        if flood == Some(Flood::Deaf) {
            // A few answers must be worth a megabyte.
            turns = 600;
            for target in &mut targets {
                (target.interval, target.history, target.rules) = (50 * MS, 150, Rules::default());
            }
        }
        if flood == Some(Flood::ResolverConfig) {
            turns = 120;
            roles = [Role::Dead; 3];
            files.iter_mut().for_each(|files: &mut Files| files.sound = false);
            targets =
                (0..CROWD).map(|name| TargetPlan { host: CAST + name, ..target(rng, 0, name) }).collect();
            for target in &mut targets {
                (target.wants, target.timeout, target.interval) = (Wants::Connection, 5 * S, 5 * S);
                target.rules = Rules::default();
            }
        }
        if flood == Some(Flood::Programs) {
            turns = 200;
            targets = (0..22).map(|name| target(rng, 0, name)).collect();
            for target in &mut targets {
                (target.host, target.wants) = (0, Wants::Program);
                (target.timeout, target.interval) =
                    (rng.pick(&[S, 2 * S, 5 * S]), rng.pick(&[500 * MS, 3 * S]));
            }
        }
        let busy = flood.is_none() && rng.permille(8);
        if busy {
            // More happens than anybody is told of who takes his time.
            (turns, weather.clients) = (3000, 1000);
            targets = (0..6).map(|name| target(rng, first, name)).collect();
            for target in &mut targets {
                (target.wants, target.interval, target.rules) =
                    (Wants::Connection, 50 * MS, Rules::default());
            }
        }
        let mut shares = Shares::of(usize::MAX);
        if flood.is_none() && rng.permille(250) {
            (shares.checks, shares.hooks) = (rng.range(2, 6) as usize, rng.range(1, 3) as usize);
            shares.clients = rng.range(2, 6) as usize;
        }
        let lazy = rng.permille(500);
        Plan { targets, busy, meeting: first, weather, roles, files, lazy, turns, flood, shares }
    }

    /// There are few file descriptors.
    pub(super) fn is_limited(&self) -> bool {
        self.shares.checks < usize::from(u16::MAX)
    }
}

pub(super) fn target(rng: &mut Rng, first: usize, name: usize) -> TargetPlan {
    // Neighbours in the list of names share addresses and search lists: let targets meet there.
    let mut host = if rng.permille(400) { first } else { rng.index(CAST) };
    if !hosts()[host].exists() && rng.permille(700) {
        host = rng.index(CAST);
    }
    let wants = rng.pick(&[
        Wants::Connection,
        Wants::HalfOpen,
        Wants::Banner,
        Wants::Success,
        Wants::Success,
        Wants::Listed,
        Wants::Body,
    ]);
    let policy = match rng.below(4) {
        0 => Policy::default(),
        1..=2 => Policy::Thresholds { fall: rng.below(5) as u32, rise: rng.below(4) as u32 },
        _ => Policy::Table(
            (0..rng.below(6))
                .map(|_| (rng.pick(&State::ALL), rng.pick(&[Event::Ok, Event::Fail]), rng.pick(&State::ALL)))
                .collect(),
        ),
    };
    let mut plan = TargetPlan {
        name,
        host,
        wants,
        head: matches!(wants, Wants::Success | Wants::Listed) && rng.permille(200),
        follow: rng.permille(800),
        path: rng.pick(&["/", "/healthz", "/a/b?c=d"]),
        timeout: rng.pick(&[300 * MS, S, 2 * S, 2 * S, 5 * S]),
        interval: rng.pick(&[50 * MS, 500 * MS, S, 3 * S, 5 * S, 7333 * MS]),
        policy,
        initial: if rng.permille(800) { State::Unknown } else { rng.pick(&State::ALL) },
        history: rng.pick(&[Monitor::HISTORY, Monitor::HISTORY, 0, 1, 3]),
        rules: rules(rng),
        group: rng.pick(&GROUPS),
    };
    if rng.permille(300) {
        plan.roll_kind(rng);
    }
    plan
}

/// The usual rules for most targets, and any mixture of others for the rest.
fn rules(rng: &mut Rng) -> Rules {
    if rng.permille(500) {
        return Rules::default();
    }
    let slow = rng.pick(&[None, None, Some(0), Some(2 * MS), Some(5 * MS), Some(50 * MS)]);
    Rules {
        retries: rng.pick(&[0, 0, 1, 2, 5]),
        retry_interval: rng.pick(&[MS, 40 * MS, S, 4 * S]),
        slow,
        slow_clear: slow.filter(|_| rng.permille(500)).map(|slow| rng.below(slow + 1)),
        interval_down: rng.pick(&[None, None, Some(MS), Some(1300 * MS), Some(11 * S)]),
        interval_fast: rng.pick(&[None, None, Some(50 * MS), Some(777 * MS), Some(6 * S)]),
    }
}

impl TargetPlan {
    pub(super) fn is_http(&self) -> bool {
        matches!(self.wants, Wants::Success | Wants::Listed | Wants::Body)
    }

    pub(super) fn how(&self) -> How {
        hosts()[self.host].how
    }

    pub(super) fn monitor(&self, index: usize, ledger: &Ledger) -> Monitor {
        let protocol = if self.is_http() { "http" } else { "tcp" };
        let check = match self.wants {
            Wants::Banner => format!("banner_contains:{NEEDLE}"),
            Wants::Success => "status_2xx".to_owned(),
            Wants::Listed => "status:200-209,301".to_owned(),
            Wants::Body => format!("body_contains:{NEEDLE}"),
            _ => "port_open".to_owned(),
        };
        let mut builder = probe(protocol, hosts()[self.host].text, PORT + index as u16)
            .check(&check)
            .timeout(Duration::from_nanos(self.timeout))
            .name(&format!("t{}", self.name));
        if self.is_http() {
            let method = if self.head { "HEAD" } else { "GET" };
            builder = builder.follow_redirects(self.follow).path(self.path).method(method);
        }
        if self.wants == Wants::HalfOpen {
            builder = builder.half_open(true);
        }
        let inner = self.scripted_probe(index).unwrap_or_else(|| builder.build().expect("a probe"));
        ledger.join();
        let monitor = Monitor::new(SpyProbe { inner, target: index, ledger: ledger.clone() })
            .interval(Duration::from_nanos(self.interval))
            .policy(self.policy.clone())
            .initial_state(self.initial)
            .history(self.history);
        in_group(self.rules.apply(monitor), self.group).private(is_private(self.name))
    }
}

impl Rules {
    /// Tells the monitor what is not as usual.
    fn apply(self, mut monitor: Monitor) -> Monitor {
        let span = Duration::from_nanos;
        if self.retries > 0 {
            monitor = monitor.retries(self.retries).retry_interval(span(self.retry_interval));
        }
        if let Some(slow) = self.slow {
            monitor = monitor.slow(span(slow));
        }
        if let Some(clear) = self.slow_clear {
            monitor = monitor.slow_clear(span(clear));
        }
        if let Some(interval) = self.interval_down {
            monitor = monitor.interval_down(span(interval));
        }
        if let Some(interval) = self.interval_fast {
            monitor = monitor.interval_fast(span(interval));
        }
        monitor
    }
}

/// Whether the target of this name hides its details.
pub(super) fn is_private(name: usize) -> bool {
    name % 4 == 3
}

/// The groups of targets.
pub(super) const GROUPS: [Option<&str>; 3] = [None, Some("g0"), Some("g1")];

pub(super) fn in_group(monitor: Monitor, group: Option<&'static str>) -> Monitor {
    match group {
        Some(group) => monitor.group(group),
        None => monitor,
    }
}
