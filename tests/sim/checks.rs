//! The laws, held against the engine after every step.

use std::hash::Hasher;
use std::time::Duration;

use super::counters::label;
use super::event_log::Entry;
use super::names::{How, hosts};
use super::peers::Peer;
use super::plan::{MS, PORT, Wants};
use super::site::{Mood, ProbeRun, Site};
use super::world::{Sock, World};
use crate::engine::CheckResult;
use crate::engine::limits::{LISTINGS_BYTES_MAX, PROBE_OUTBOX_MAX, STALLS_MAX, STREAMS_MAX};
use crate::probe::connector::ADDRESSES_MAX;
use crate::result::{ProbeResult, Reason};
use crate::wire::http::request::HEAD_MAX;

/// Queries that may be in flight.
const QUERIES_MAX: usize = 128;

/// The longest answer of a name server over TCP.
const TCP_ANSWER_MAX: usize = 64 * 1024 - 1;

/// What may wait for a stream: more than a batch, or a single event.
const STREAM_OUTBOX_MAX: usize = 4 * 1024;

/// More than a listing of all targets in these worlds.
const LISTING_MAX: usize = 256 * 1024;

/// What a check may need beside the time that the world takes.
const MARGIN: u64 = 2 * MS;

/// What must come of a try.
#[derive(Debug)]
enum Due {
    Up,
    /// For one of these reasons.
    Down(Vec<Reason>),
    Anything,
}

/// How long a query may go on for which nobody waits any more; no stall is shorter than a part of it.
const UNWANTED_MAX: u64 = 1_200 * MS;

impl World {
    /// Tries that have begun during the last call: when they are due, one at a time.
    pub(super) fn notice_begins(&mut self) {
        for place in 0..self.present.len() {
            let target = self.present[place];
            let begins = self.ledger.tracks()[target].begins;
            if begins == self.begins[target] {
                continue;
            }
            assert_eq!(begins, self.begins[target] + 1, "target {target} began twice in one call");
            self.begins[target] = begins;
            if self.runs[target].is_some() && self.begin_again(target) {
                continue;
            }
            let schedule = &mut self.schedules[target];
            let (due, is_urgent) = (schedule.due(), self.urgent.remove(&target));
            let is_due = self.seen >= due || is_urgent;
            if let Some(late) = schedule.begin(self.seen) {
                self.delay = (self.delay.0 + late, self.delay.1 + 1);
            }
            if !is_due {
                self.note_early_begin(target);
            } else if !is_urgent && !self.is_parent(target) {
                self.check_order(target, due);
            }
            self.begin_run(target);
        }
    }

    /// Tries that have ended during the last call. One that is repeated has no result.
    pub(super) fn notice_ends(&mut self) {
        for place in 0..self.present.len() {
            let target = self.present[place];
            let Some(this) = &self.runs[target] else { continue };
            if self.ledger.tracks()[target].busy || this.ended.is_some() {
                continue;
            }
            let result = self.ledger.tracks()[target].done.clone();
            let result = result.or_else(|| self.unkillable(target));
            let result = result.unwrap_or_else(|| panic!("target {target} ended without a word"));
            self.notice_end(target, result);
        }
    }

    /// A check has ended: was that the truth?
    pub(super) fn check_result(&mut self, check: CheckResult) {
        let CheckResult { target: id, result, change } = check;
        let target = self.present.iter().copied().find(|target| self.ids[*target] == id);
        let target = target.unwrap_or_else(|| panic!("{id:?} has a result and is not watched"));
        let is_heartbeat = self.plan.targets[target].is_heartbeat();
        let this = self.take_run(target).or_else(|| is_heartbeat.then(|| ProbeRun::new(self.seen, 0)));
        let this = this.unwrap_or_else(|| panic!("target {target} has a result and no try"));
        let raw = if is_heartbeat {
            self.take_report(target, &result);
            &result
        } else {
            let raw = this.ended.as_ref();
            let raw = raw.unwrap_or_else(|| panic!("target {target} has a result before its end"));
            self.hold_against_truth(target, &this, raw);
            self.check_measured(target, &this, &result);
            raw
        };
        self.counters.add(result.reason.map_or("result: ok", label));
        // A failure that waits for the parents of the target has been verified before.
        let has_no_result = !self.is_waiting(target) && self.has_no_result(raw);
        assert_eq!(result.is_inconclusive, has_no_result, "{}", self.shown(target, &this, &result));
        if result.is_inconclusive {
            assert_eq!(change, None);
            return self.note_no_result(target, id);
        }
        if result.ok {
            self.counters.add(self.way(target));
        }
        let model = &mut self.models[target];
        let was_slow = model.is_slow;
        let detail = model.weigh(raw);
        assert_eq!(
            (result.ok, result.reason, result.latency, &result.detail),
            (raw.ok, raw.reason, raw.latency, &detail),
            "the result of target {target}"
        );
        self.counters.add(match (was_slow, model.is_slow) {
            (false, true) => "slow: begins",
            (true, false) => "slow: ends",
            (true, true) => "slow: goes on",
            (false, false) => "slow: not at all",
        });
        self.hasher.write_u8(u8::from(result.ok));
        let real = self.engine.targets().get(id).expect("it is watched");
        let unix = real.fsm().last().expect("it has just been checked").at.unix;
        let moments = [self.at, self.seen].map(|at| self.moment(at).unix);
        assert!(moments.contains(&unix), "the time of {}", self.shown(target, &this, &result));
        let changed = self.fire_model(target, &result, &detail, unix);
        let told =
            change.map(|change| (change.from, change.to, change.previous_state_duration.as_nanos() as u64));
        assert_eq!(told, changed, "change of target {target}");
        let real = self.engine.targets().get(id).expect("it is watched");
        self.models[target].compare(real.fsm(), target, self.moment(self.seen), self.seen);
        self.check_history(target);
        let interval = self.schedules[target].end_check(self.models[target].mind, self.seen);
        self.counters.add(interval);
        assert_eq!(real.skipped(), self.schedules[target].skipped, "skipped checks of target {target}");
        self.journal.note(Entry {
            seq: 0,
            name: Some(self.plan.targets[target].name),
            unix,
            reason: result.reason,
            from: changed.map(|(from, ..)| from),
            state: self.models[target].state,
            detail: detail.clone(),
        });
        self.note_notification(target, changed.map(|(from, ..)| from), &detail);
    }

    /// What came of a try, whether it counts or is repeated.
    pub(super) fn hold_against_truth(&mut self, target: usize, this: &ProbeRun, result: &ProbeResult) {
        if self.plan.targets[target].is_scripted() {
            return self.check_scripted(target, this, result);
        }
        let due = self.due(target, this);
        let shown = || self.shown(target, this, result);
        match &due {
            Due::Up => assert!(result.ok, "a false alarm: {}", shown()),
            Due::Down(reasons) => {
                let reason = result.reason.unwrap_or_else(|| panic!("a false up: {}", shown()));
                assert!(reasons.contains(&reason), "an odd reason, not of {reasons:?}: {}", shown());
            }
            Due::Anything => {}
        }
        assert_eq!(result.ok, result.reason.is_none());
        assert!(result.detail.chars().count() <= 256);
        if result.detail.contains("timed out after") {
            assert!(self.seen >= this.deadline, "timed out before the time: {}", shown());
        }
        if let Some(latency) = result.latency {
            assert!(latency <= Duration::from_nanos(self.seen - this.begun), "{}", shown());
        }
        self.counters.add(match (&due, result.reason) {
            (Due::Up, _) => "truth: healthy, and said to be",
            (Due::Down(_), _) => "truth: broken, and said to be",
            (Due::Anything, _) => "truth: uncertain",
        });
    }

    /// What was measured and seen during the last try of a check.
    fn check_measured(&self, target: usize, this: &ProbeRun, result: &ProbeResult) {
        if self.plan.targets[target].is_scripted() {
            return;
        }
        let shown = || self.shown(target, this, result);
        let (phases, is_http) = (&result.phases, self.plan.targets[target].is_http());
        let sum: Duration = phases.each().iter().filter_map(|(_, span)| *span).sum();
        assert!(sum <= Duration::from_nanos(self.seen - this.begun), "{}", shown());
        let is_literal = |name: &usize| hosts()[*name].how == How::Literal;
        let resolves =
            (this.names.first().is_some_and(|name| !is_literal(name)), !this.names.iter().all(is_literal));
        let resolved = phases.resolve.is_some();
        assert!(resolved >= resolves.0 && resolved <= resolves.1, "resolved? {}", shown());
        assert_eq!(phases.connect.is_some(), result.address.is_some(), "{}", shown());
        let port = usize::from(PORT) + target;
        assert!(result.address.is_none_or(|address| usize::from(address.port()) == port), "{}", shown());
        assert!(phases.tls.is_none() && result.tls_not_after.is_none());
        let answered = [phases.first_byte.is_some(), phases.transfer.is_some(), result.http_status.is_some()];
        let expected = if result.ok && is_http { [true; 3] } else { [is_http; 3] };
        assert!(answered == expected || !result.ok && answered <= expected, "{}", shown());
    }

    fn shown(&self, target: usize, this: &ProbeRun, result: &ProbeResult) -> String {
        let plan = &self.plan.targets[target];
        format!(
            "target {target} ({:?} {:?} at {}), {:?}, held up {} ms of {}, misled {}, begun at {} ms, now {}: {result:?}",
            plan.wants,
            plan.how(),
            hosts()[plan.host].text,
            this.mood,
            this.cost / MS,
            plan.timeout / MS,
            this.misled,
            this.begun / MS,
            self.seen / MS,
        )
    }

    fn due(&self, target: usize, this: &ProbeRun) -> Due {
        let plan = &self.plan.targets[target];
        if this.stalls == STALLS_MAX {
            return Due::Anything; // Time that is lost from now on counts against the target.
        }
        let short = this.cost + MARGIN >= plan.timeout;
        let mut reasons = match this.mood {
            _ if !hosts()[plan.host].exists() => vec![Reason::DnsNotFound],
            Mood::Wild => return Due::Anything,
            // The address that works may have to wait for a connection.
            Mood::Patchy | Mood::OneFamily if self.plan.is_limited() => return Due::Anything,
            Mood::Refuse => vec![Reason::Refused],
            Mood::Unreachable => vec![Reason::Unreachable],
            Mood::Blackhole => vec![Reason::ConnectTimeout],
            Mood::NoSockets => vec![Reason::Local],
            Mood::OneFamily if this.names.iter().any(|name| self.asked[*name].partial_until > this.begun) => {
                return Due::Anything;
            }
            Mood::Fine | Mood::Patchy | Mood::OneFamily => Vec::new(),
            _ if matches!(plan.wants, Wants::Connection | Wants::HalfOpen) => Vec::new(),
            Mood::Reset => vec![Reason::Reset],
            Mood::Mute if plan.wants == Wants::Banner => vec![Reason::Banner],
            Mood::Mute | Mood::Stuck => vec![Reason::HttpTimeout],
            Mood::Hangup | Mood::Wrong if plan.wants == Wants::Banner => vec![Reason::Banner],
            Mood::Wrong => vec![Reason::Status, Reason::Body],
            Mood::Cut => vec![Reason::HttpProtocol, Reason::Reset, Reason::Body],
            Mood::Hangup | Mood::Foreign => vec![Reason::HttpProtocol],
            Mood::Loop | Mood::BadLocation | Mood::TooFar => vec![Reason::Redirect],
        };
        if reasons.is_empty() {
            return if short || this.misled { Due::Anything } else { Due::Up };
        }
        if this.misled {
            reasons.extend([Reason::DnsNotFound, Reason::DnsFailed, Reason::DnsTimeout, Reason::Local]);
        }
        // Silence is a lie, too, and costs time.
        if short || this.misled {
            reasons.extend([
                Reason::ConnectTimeout,
                Reason::DnsTimeout,
                Reason::DnsFailed,
                Reason::HttpTimeout,
                Reason::Banner,
                Reason::Unreachable,
                Reason::Refused,
            ]);
        }
        if this.locals > 0 {
            reasons.extend([Reason::Local, Reason::ConnectTimeout]);
        }
        Due::Down(reasons)
    }

    /// Whatever has happened: both sides know the same connections, and no cap is passed.
    pub(super) fn check_step(&mut self) {
        assert!(
            self.engine.connections().iter().eq(self.socks.keys()),
            "the engine has {:?}, the world {:?}",
            self.engine.connections(),
            self.socks.keys().collect::<Vec<_>>()
        );
        let audit = self.engine.audit();
        assert!(audit.clients <= self.plan.shares.clients && audit.queries <= QUERIES_MAX);
        for (count, bytes) in &audit.listings {
            assert!(*count <= 2 || *bytes <= LISTINGS_BYTES_MAX + LISTING_MAX, "too many listings");
        }
        assert!(audit.probe_outbox <= PROBE_OUTBOX_MAX);
        assert!(audit.streams <= STREAMS_MAX && audit.stream_outbox <= STREAM_OUTBOX_MAX);
        assert!(
            audit.client_inbox <= HEAD_MAX && audit.query_inbox <= TCP_ANSWER_MAX + 2,
            "an inbox overflows"
        );
        self.check_queue(audit.connections, audit.waiting.len() - audit.waiting_programs);
        self.check_programs(audit.programs);
        if audit.queries == QUERIES_MAX {
            self.counters.add("caps: steps with all queries in flight");
        }
        if audit.client_inbox > 4 * 1024 {
            self.counters.add("caps: steps with a client's inbox half full");
        }
        if audit.client_inbox > 8 * 1024 {
            self.counters.add("caps: steps with a large head");
        }
        if audit.query_inbox > 0 {
            self.counters.add("caps: steps with a part of an answer over TCP");
        }
        if audit.are_listings_full() {
            self.counters.add("caps: steps with as many listings as there may be");
            self.excuse_clients();
        }
        assert_eq!(self.engine.targets().worst(), self.worst());
        let lag = self.engine.targets().delay;
        assert_eq!((lag.sum.as_nanos() as u64, lag.count), self.delay, "how late checks began");
        let skipped: u64 = self.schedules.iter().map(|schedule| schedule.skipped).sum();
        assert_eq!(self.engine.targets().skipped(), skipped, "skipped checks of all there have been");
        self.check_owners();
    }

    /// Every connection belongs to a try that has use for it.
    fn check_owners(&mut self) {
        let (tracks, seen) = (self.ledger.tracks(), self.seen);
        let mut dials = vec![0; tracks.len()];
        for sock in self.socks.values_mut() {
            match sock {
                Sock::Client(_) | Sock::Post(_) => {}
                Sock::Target(Site { target, .. }) | Sock::Peer(Peer { target, .. }) => {
                    let track = &tracks[*target];
                    assert!(track.busy, "target {target} has no try, but a connection");
                    dials[*target] += 1;
                    assert!(dials[*target] <= if track.standing { 1 } else { ADDRESSES_MAX });
                }
                Sock::Query(query) => {
                    let wanted = tracks.iter().filter_map(|track| track.dialing.as_deref());
                    let mut names = query.names.iter().map(|name| hosts()[*name].text);
                    let wanted: Vec<&str> = wanted.collect();
                    if names.any(|name| wanted.contains(&name)) {
                        query.unwanted_since = None;
                    } else {
                        let since = *query.unwanted_since.get_or_insert(seen);
                        assert!(seen - since <= UNWANTED_MAX, "a query that nobody waits for");
                    }
                }
            }
        }
        for (target, (track, this)) in tracks.iter().zip(&self.runs).enumerate() {
            let is_in_flight = this.is_some() && !self.is_waiting(target);
            assert_eq!(track.busy, is_in_flight, "target {target}: begins and results differ");
        }
    }

    /// After the deadlines of this moment nothing is overdue.
    pub(super) fn check_deadlines(&mut self, now: u64) {
        let now = now.max(self.seen);
        let due = self.engine.poll_timeout().map(|due| self.since_start(due));
        assert!(due.is_none_or(|due| due > now), "the loop would spin");
        let (audit, mut programs) = (self.engine.audit(), Vec::new());
        for target in self.present.iter().copied() {
            if audit.waiting.contains(&self.ids[target]) {
                programs.extend((self.plan.targets[target].wants == Wants::Program).then_some(target));
                continue;
            }
            let at = match &self.runs[target] {
                // It has failed, and the result follows.
                Some(this) if this.ended.is_some() => continue,
                Some(this) => this.deadline.min(self.timer_of(target).unwrap_or(u64::MAX)),
                None => self.schedules[target].due(),
            };
            assert!(at > now, "target {target} is overdue since {at}, it is {now}");
            let is_noted = at == u64::MAX || due.is_some_and(|due| due <= at);
            assert!(is_noted, "target {target} would be forgotten");
        }
        assert!(self.accept_paused.is_none_or(|until| until > now), "accepting was not resumed");
        self.check_waiting_programs(&programs, now, audit.connections);
        self.check_clients_due(now);
        self.check_hooks(now);
        self.check_posts(now);
        self.check_waits(now);
    }
}
