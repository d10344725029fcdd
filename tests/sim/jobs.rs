//! Jobs that send heartbeats: on time, late, never, or with a failure.

use super::client::Kind;
use super::plan::{S, Wants};
use super::requests::{Ask, Page};
use super::world::{Event, Sock, World};
use crate::result::{ProbeResult, Reason};

/// What a request reports.
#[derive(Clone, Debug)]
pub(super) struct Report {
    target: usize,
    reason: Option<Reason>,
    detail: String,
}

pub(super) fn token(target: usize) -> String {
    format!("sim-token-{target:010}")
}

impl World {
    pub(super) fn schedule_job(&mut self, target: usize) {
        let interval = self.plan.targets[target].interval;
        let left = match self.schedules[target].pause_end() {
            Some(_) => interval,
            None => self.schedules[target].due().saturating_sub(self.at),
        };
        let after = match self.rng.below(8) {
            0 => left,
            1 => left + self.rng.below(2 * interval),
            2 => self.rng.below(left + 1),
            _ => left - self.rng.below(left / 3 + 1),
        };
        self.schedule(after, Event::Job(target));
    }

    /// The job of a target has finished.
    pub(super) fn end_job(&mut self, target: usize) {
        if !self.present.contains(&target) && self.rng.permille(700) {
            return;
        }
        if self.accept_paused.is_none() {
            let id = self.enter(Kind::Polite, 0);
            let ask = self.ask_to_report(target);
            if let Some(Sock::Client(client)) = self.socks.get_mut(&id) {
                client.to_ask.push_back(ask);
            }
        }
        self.schedule_job(target);
    }

    pub(super) fn any_job(&mut self) -> Option<usize> {
        let jobs: Vec<usize> =
            (0..self.plan.targets.len()).filter(|target| self.plan.targets[*target].is_heartbeat()).collect();
        (!jobs.is_empty()).then(|| self.rng.pick(&jobs))
    }

    /// A request that reports the end of a job.
    pub(super) fn ask_to_report(&mut self, target: usize) -> Ask {
        let failed = Some(Reason::HeartbeatFail);
        let (path, body, reason, detail) = self.rng.pick(&[
            ("", "", None, "heartbeat received"),
            ("", "", None, "heartbeat received"),
            ("/0?msg=3+GB", "", None, "3 GB"),
            ("", "4 GB\nin 3 files", None, "4 GB"),
            ("/fail", "", failed, "the job reports a failure"),
            ("/fail", "disk full", failed, "disk full"),
            ("/7", "", failed, "exit status 7"),
            ("/2?msg=no+space", "ignored", failed, "exit status 2: no space"),
        ]);
        let is_unknown = self.rng.permille(80);
        let mut token = token(target);
        if is_unknown {
            token.pop();
        }
        let method =
            if !body.is_empty() || self.rng.permille(500) { "POST" } else { self.rng.pick(&["GET", "HEAD"]) };
        let last = !body.is_empty() || self.rng.permille(300);
        let close = if last { "Connection: close\r\n" } else { "" };
        let fields = format!("Host: localhost\r\n{close}Content-Length: {}\r\n", body.len());
        let request = format!("{method} /heartbeat/{token}{path} HTTP/1.1\r\n{fields}\r\n{body}");
        let report = Report { target, reason, detail: detail.to_owned() };
        Ask {
            bytes: request.into_bytes(),
            statuses: if is_unknown { &[404] } else { &[200, 404] },
            page: Page::Other,
            head: method == "HEAD",
            last,
            wish: None,
            report: (!is_unknown).then_some(report),
        }
    }

    /// A report was answered: its result must follow if its target is present.
    pub(super) fn note_report(&mut self, report: Report, status: u16) {
        let is_present = self.present.contains(&report.target);
        assert_eq!(status == 200, is_present, "{status} to {report:?}");
        if is_present && self.schedules[report.target].pause_end().is_some() {
            self.counters.add("heartbeats: in a pause");
            let grace = self.plan.targets[report.target].grace().expect("a heartbeat target");
            self.schedules[report.target].expect_again(self.seen, grace);
        } else if is_present {
            self.reports.push_back(report);
        } else {
            self.counters.add("heartbeats: of a target that is gone");
        }
    }

    /// A heartbeat target has a result: that of a report, or of its deadline.
    pub(super) fn take_report(&mut self, target: usize, result: &ProbeResult) {
        assert!(matches!(self.plan.targets[target].wants, Wants::Heartbeat(_)));
        assert!(result.latency.is_none() && result.warnings.is_empty());
        if result.reason == Some(Reason::NoHeartbeat) {
            self.counters.add("heartbeats: missed");
            let due = self.schedules[target].due();
            assert!(self.seen >= due, "a deadline that has not passed: {due}, it is {}", self.seen);
            let since = (self.seen - self.schedules[target].since()) / S;
            let (minutes, seconds) = (since / 60, since % 60);
            let span = match (minutes, seconds) {
                (0, _) => format!("{seconds} s"),
                (_, 0) => format!("{minutes} m"),
                _ => format!("{minutes} m {seconds} s"),
            };
            return assert_eq!(result.detail, format!("no heartbeat for {span}"));
        }
        let report = self.reports.pop_front();
        let report = report.unwrap_or_else(|| panic!("target {target} has the result of no report"));
        assert_eq!((target, result.reason, &result.detail), (report.target, report.reason, &report.detail));
        self.counters.add(match report.reason {
            None => "heartbeats: received",
            Some(_) => "heartbeats: failures",
        });
        let grace = self.plan.targets[target].grace().expect("a heartbeat target");
        self.schedules[target].expect_again(self.seen, grace);
    }

    /// Every report has led to a result.
    pub(super) fn check_reports(&self) {
        assert!(self.reports.is_empty(), "reports without a result: {:?}", self.reports);
    }
}
