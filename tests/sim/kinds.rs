//! Targets of the kinds icmp, dns, exec and heartbeat: their settings, and how an attempt begins.

use std::time::Duration;

use super::jobs::token;
use super::peers::{Dialing, Expected, Script};
use super::pings::PingRun;
use super::plan::{MS, PORT, Rules, S, TargetPlan, Wants};
use super::programs::ProgramRun;
use super::records::RecordRun;
use super::rng::Rng;
use super::site::{Mood, ProbeRun};
use super::world::World;
use crate::probe::build::{NetProbe, ProbeBuilder, probe};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct PingPlan {
    pub(super) count: usize,
    pub(super) required: usize,
    pub(super) interval: u64,
    pub(super) loss: Option<u8>,
    pub(super) size: usize,
    pub(super) v6: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RecordPlan {
    pub(super) over_tcp: bool,
    /// The first server of resolv.conf is queried.
    pub(super) from_files: bool,
    /// The check is `rcode:NXDOMAIN`.
    pub(super) is_absent: bool,
}

impl PingPlan {
    fn roll(rng: &mut Rng, timeout: u64) -> PingPlan {
        let count = rng.pick(&[1, 1, 2, 3, 5]);
        PingPlan {
            count,
            required: 1 + rng.index(count),
            interval: rng.pick(&[10 * MS, 50 * MS, 200 * MS]).min(timeout / count as u64),
            loss: (count > 1 && rng.permille(400)).then(|| rng.pick(&[0, 20, 50, 99])),
            size: rng.pick(&[16, 17, 56, 1400]),
            v6: rng.permille(400),
        }
    }

    /// The address of a target, which no other target has.
    pub(super) fn address(self, target: usize) -> String {
        if self.v6 { format!("fd00:9::{target:x}") } else { format!("10.9.{}.{}", target >> 8, target & 255) }
    }
}

impl TargetPlan {
    /// Makes it a target of one of these kinds.
    pub(super) fn roll_kind(&mut self, rng: &mut Rng) {
        self.host = 0;
        self.wants = match rng.below(9) {
            0..=2 => Wants::Pings(PingPlan::roll(rng, self.timeout)),
            3..=5 => Wants::Records(RecordPlan {
                over_tcp: rng.permille(200),
                from_files: rng.permille(300),
                is_absent: rng.permille(200),
            }),
            6..=7 => Wants::Program,
            _ => {
                self.rules = Rules::default();
                self.interval = rng.pick(&[500 * MS, S, 3 * S, 5 * S]);
                Wants::Heartbeat(rng.pick(&[None, Some(0), Some(100 * MS), Some(2 * S)]))
            }
        };
    }

    pub(super) fn is_heartbeat(&self) -> bool {
        matches!(self.wants, Wants::Heartbeat(_))
    }

    /// Whether it is of one of these kinds.
    pub(super) fn is_scripted(&self) -> bool {
        matches!(self.wants, Wants::Pings(_) | Wants::Records(_) | Wants::Program | Wants::Heartbeat(_))
    }

    pub(super) fn grace(&self) -> Option<u64> {
        match self.wants {
            Wants::Heartbeat(grace) => Some(grace.unwrap_or(self.interval / 10)),
            _ => None,
        }
    }

    /// The name that a dns target queries.
    pub(super) fn queried(index: usize) -> String {
        format!("t{index}.check.example")
    }

    pub(super) fn scripted_probe(&self, index: usize) -> Option<NetProbe> {
        let span = Duration::from_nanos;
        let mut builder = match self.wants {
            Wants::Pings(plan) => {
                let mut builder = probe("icmp", &plan.address(index), None)
                    .ping_count(plan.count as u32)
                    .ping_required(plan.required as u32)
                    .ping_interval(span(plan.interval))
                    .ping_size(plan.size);
                if let Some(loss) = plan.loss {
                    builder = builder.ping_loss(loss);
                }
                builder
            }
            Wants::Records(plan) => {
                let name = TargetPlan::queried(index);
                let port = usize::from(PORT) + index;
                let url = match plan.from_files {
                    true => format!("dns:{name}"),
                    false => format!("dns://10.8.0.1:{port}/{name}"),
                };
                let check = if plan.is_absent { "rcode:NXDOMAIN" } else { "" };
                ProbeBuilder::from_url(&url).check(check).dns_tcp(plan.over_tcp)
            }
            Wants::Program => probe("exec", &format!("plugin {index}"), None),
            Wants::Heartbeat(grace) => {
                let mut builder = probe("heartbeat", "", None).token(&token(index));
                if let Some(grace) = grace {
                    builder = builder.grace(span(grace));
                }
                builder
            }
            _ => return None,
        };
        if !self.is_heartbeat() {
            builder = builder.timeout(span(self.timeout));
        }
        Some(builder.name(&format!("t{}", self.name)).build().expect("a probe"))
    }

    pub(super) fn counter_of_success(&self) -> Option<&'static str> {
        match self.wants {
            Wants::Pings(_) => Some("up: by replies to pings"),
            Wants::Records(_) => Some("up: by records"),
            Wants::Program => Some("up: by a program"),
            Wants::Heartbeat(_) => Some("up: by a heartbeat"),
            Wants::HalfOpen => Some("up: by a half-open connection"),
            _ => None,
        }
    }
}

impl World {
    /// Begins an attempt of one of these kinds; returns whether it is one.
    pub(super) fn begin_scripted(&mut self, target: usize) -> bool {
        let is_healthy = !self.rng.permille(self.plan.weather.trouble);
        let has_sockets = is_healthy || !self.rng.permille(60);
        let plan = &self.plan.targets[target];
        let script = match plan.wants {
            Wants::Pings(_) => Script::Pings(PingRun::new(is_healthy)),
            Wants::Records(plan) => Script::Records(RecordRun::roll(&mut self.rng, plan, is_healthy)),
            Wants::Program => Script::Program(ProgramRun::roll(&mut self.rng, is_healthy)),
            _ => return false,
        };
        let mut this = ProbeRun::new(self.seen, plan.timeout);
        this.mood = if has_sockets { Mood::Fine } else { Mood::NoSockets };
        this.script = script;
        self.runs[target] = Some(this);
        true
    }
}

impl ProbeRun {
    pub(super) fn new(begun: u64, timeout: u64) -> ProbeRun {
        ProbeRun {
            begun,
            deadline: begun + timeout,
            stalls: 0,
            mood: Mood::Fine,
            cost: 0,
            misled: false,
            dead_v6: false,
            locals: 0,
            names: Vec::new(),
            hops: 0,
            hop: 0,
            path: String::new(),
            script: Script::Site,
            dialing: Dialing::Not,
            expected: None::<Expected>,
            ended: None,
        }
    }
}
