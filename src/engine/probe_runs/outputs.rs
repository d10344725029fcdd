//! The outputs of attempts and of their connectors.

use super::{ProbeRuns, RunEvent};
use crate::engine::context::Context;
use crate::engine::limits::NO_RESULT_LOG_INTERVAL;
use crate::engine::messages::{CheckResult, Output};
use crate::engine::owners::{ConnOwner, RunOwner};
use crate::engine::probe_runs::Schedule;
use crate::monitor::{Parents, Target, TargetId};
use crate::network::AddressFamily;
use crate::probe;
use crate::probe::connector::{self, Connector};
use crate::probe::durations::seconds;
use crate::probe::guard::discard;
use crate::resolve::Transport;
use crate::result::{Failure, ProbeResult, Reason};

impl ProbeRuns {
    /// Ends an attempt at its deadline. It may still return a result with a more precise detail.
    pub(super) fn expire(&mut self, owner: RunOwner, lookup: Option<String>, cx: &mut Context) {
        let Some(run) = self.table.get_mut(owner) else { return };
        let timed_out = format!("timed out after {}", seconds(run.timeout));
        run.handle_deadline(lookup, &timed_out, cx.now);
        while let Some(output) = run.poll() {
            match output {
                probe::Output::Done(result) => return self.finish(owner, result, cx),
                probe::Output::Send(bytes) => {
                    run.send(bytes, cx);
                }
                probe::Output::BlockingTask(task) => discard(task),
                probe::Output::Exec(_)
                | probe::Output::Connect { .. }
                | probe::Output::ConnectNameServer { .. }
                | probe::Output::SetTimer(_)
                | probe::Output::Content
                | probe::Output::Random => {}
            }
        }
        self.finish(owner, ProbeResult::down(Reason::Custom, &timed_out), cx);
    }

    pub(super) fn poll_attempt(&mut self, owner: RunOwner, cx: &mut Context) {
        while let Some(run) = self.table.get_mut(owner) {
            if let Some(output) = run.connector.as_mut().and_then(Connector::poll_output) {
                self.handle_connector(owner, output, cx);
                continue;
            }
            match run.poll() {
                None => break,
                Some(probe::Output::Done(result)) => return self.finish(owner, result, cx),
                Some(probe::Output::Connect { transport, host, port }) => {
                    self.connect(owner, Connector::new(host, port, cx.now.instant), transport, cx);
                }
                Some(probe::Output::ConnectNameServer { transport }) => {
                    self.connect(owner, Connector::to_name_server(cx.now.instant), transport, cx);
                }
                Some(probe::Output::Send(bytes)) => {
                    if !run.send(bytes, cx) {
                        let failure =
                            Failure::new(Reason::Custom, "the probe sends more than the peer takes");
                        return self.finish(owner, failure.into(), cx);
                    }
                }
                Some(probe::Output::SetTimer(span)) => run.timer = cx.now.instant.checked_add(span),
                Some(probe::Output::Random) => self.events.push_back(RunEvent::Random(owner)),
                Some(probe::Output::Content) => {
                    run.request_content();
                    self.request_content(owner);
                }
                Some(probe::Output::Exec(program)) => {
                    if let Err(failure) = self.start_program(owner, program, cx) {
                        return self.finish(owner, failure.into(), cx);
                    }
                }
                Some(probe::Output::BlockingTask(task)) => {
                    self.last_job.0 += 1;
                    run.jobs.push(self.last_job);
                    cx.outputs.push_back(Output::BlockingTask(self.last_job, task));
                }
            }
        }
        if let Some(run) = self.table.get_mut(owner) {
            let needed = run.connections_needed().min(run.connections);
            self.queue.release(std::mem::replace(&mut run.connections, needed) - needed);
        }
        self.set_timer(owner, cx);
    }

    /// Requests the next piece of a body if the attempt wants it and has sent the previous one.
    pub(super) fn request_content(&mut self, owner: RunOwner) {
        if let (RunOwner::Request(kind), Some(run)) = (owner, self.table.get_mut(owner)) {
            self.events.extend(run.take_content_request().then_some(RunEvent::Content(kind)));
        }
    }

    fn connect(
        &mut self,
        owner: RunOwner,
        connector: Connector,
        transport: probe::Transport,
        cx: &mut Context,
    ) {
        self.disconnect(owner, cx);
        let Some(run) = self.table.get_mut(owner) else { return };
        let family = run.network.as_ref().map_or(AddressFamily::Any, |network| network.family);
        run.connector = Some(connector.with_family(family));
        run.transport = match transport {
            probe::Transport::Tcp => Transport::Tcp,
            probe::Transport::HalfOpenTcp => Transport::HalfOpenTcp,
            probe::Transport::Udp => Transport::Udp,
            probe::Transport::Icmp { hop_limit } => Transport::Icmp { hop_limit },
        };
    }

    fn handle_connector(&mut self, owner: RunOwner, output: connector::Output, cx: &mut Context) {
        let Some(run) = self.table.get_mut(owner) else { return };
        match output {
            connector::Output::Resolve => {
                let Some(connector) = &mut run.connector else { return };
                if let Some(Ok(address)) = connector.host().map(str::parse) {
                    connector.handle_literal(address, cx.now.instant);
                    return;
                }
                run.awaits_files = true;
                self.events.push_back(RunEvent::Resolve(owner));
            }
            connector::Output::Open(attempt, to) => {
                if run.attempts.len() >= run.connections {
                    if !self.queue.take_connection() {
                        let detail = format!("no socket for {to}: too many checks in flight");
                        if let Some(connector) = &mut run.connector {
                            let failure = Failure::exhausted(detail);
                            connector.handle_failed(attempt, failure, cx.now.instant);
                        }
                        return;
                    }
                    run.connections += 1;
                }
                let id = cx.open(
                    ConnOwner::Connecting { run: owner, attempt },
                    run.transport,
                    to,
                    run.network.clone(),
                );
                run.attempts.push((attempt, id));
            }
            connector::Output::Close(attempt) => {
                if let Some(id) = run.take_attempt(attempt) {
                    cx.close(id);
                }
            }
            connector::Output::Connected(attempt, address) => {
                run.conn = run.take_attempt(attempt);
                run.end_connecting(cx.now);
                run.address = Some(address);
                run.handle_input(probe::Input::Connected(address), cx.now);
                if let Some(id) = run.conn {
                    cx.set_owner(id, ConnOwner::Connected(owner));
                }
                self.events.extend(run.lookup.take().map(RunEvent::Cancel));
            }
            connector::Output::Failed(failure) => {
                run.end_connecting(cx.now);
                run.handle_input(probe::Input::Failed(failure), cx.now);
            }
        }
    }

    /// Closes all connections of an attempt, drops its lookup and tasks, and kills its program.
    pub(super) fn disconnect(&mut self, owner: RunOwner, cx: &mut Context) {
        self.kill_program(owner, cx);
        let Some(run) = self.table.get_mut(owner) else { return };
        run.end_connecting(cx.now);
        run.awaits_files = false;
        self.events.extend(run.lookup.take().map(RunEvent::Cancel));
        run.jobs.clear();
        run.close_connections(cx);
    }

    pub(super) fn finish(&mut self, owner: RunOwner, mut result: ProbeResult, cx: &mut Context) {
        self.disconnect(owner, cx);
        if let Some(run) = self.table.remove(owner) {
            self.queue.release(run.connections);
            run.complete(&mut result);
        }
        match owner {
            RunOwner::Target(target) => self.finish_attempt(target, result, cx),
            RunOwner::Delivery(slot) => self.events.push_back(RunEvent::Delivered(slot, Box::new(result))),
            RunOwner::Request(kind) => self.events.push_back(RunEvent::Requested(kind, Box::new(result))),
        }
        self.set_timer(owner, cx);
    }

    pub(super) fn finish_attempt(&mut self, id: TargetId, result: ProbeResult, cx: &mut Context) {
        // A heartbeat is received in a pause, too.
        if cx.targets.get(id).is_none_or(Target::is_paused) {
            return;
        }
        if self.schedule == Schedule::Repeated && blames_the_network(&result) {
            if self.unverified.is_empty() {
                cx.outputs.push_back(Output::CheckAddresses);
            }
            self.unverified.push_back((id, result));
            return;
        }
        self.conclude(id, result, cx);
    }

    fn conclude(&mut self, id: TargetId, result: ProbeResult, cx: &mut Context) {
        let Some(target) = cx.targets.get_mut(id).filter(|target| !target.is_paused()) else { return };
        let is_failed = !result.ok && self.has_result(&result);
        // A failed attempt is reason enough to hold children, whose failures must not wait for its repetitions.
        if !self.has_result(&result) || !target.retry(&result, cx.now.instant) {
            // Only a heartbeat can follow on a failure that is deferred.
            if target.deferred().is_some() {
                self.conclude_deferred(vec![id], cx);
            }
            let parents = match is_failed && self.schedule == Schedule::Repeated {
                true => cx.targets.parents_of(id, &[], cx.now.instant),
                false => Parents::NotDown,
            };
            match parents {
                Parents::Unverified(parents) => self.defer(id, result, parents, cx),
                parents => self.record(id, result, parents == Parents::Down, cx),
            }
        }
        self.note_parent_end(id, is_failed, cx);
    }

    fn has_result(&self, result: &ProbeResult) -> bool {
        self.schedule == Schedule::Once || !result.is_inconclusive
    }

    /// A check has ended. It is held if it failed because all parents are down.
    pub(super) fn record(&mut self, id: TargetId, mut result: ProbeResult, is_held: bool, cx: &mut Context) {
        let has_result = self.has_result(&result);
        let Some(target) = cx.targets.get_mut(id) else { return };
        let mut change = None;
        if has_result {
            target.apply_slow_threshold(&mut result);
            self.unchecked -= usize::from(target.fsm().last().is_none() && target.heartbeat().is_none());
            change = match is_held {
                true => cx.targets.hold(id, &result, cx.now),
                false => cx.targets.fire(id, &result, cx.now),
            };
        } else {
            target.note_no_result();
            self.log_no_result(id, &result.detail, cx);
        }
        if let Some(target) = cx.targets.get_mut(id) {
            target.advance(cx.now.instant);
        }
        if has_result && self.schedule == Schedule::Repeated {
            self.events.push_back(RunEvent::Checked(id, change.clone()));
        }
        cx.outputs.push_back(Output::CheckResult(CheckResult { target: id, result, change }));
    }

    /// The result of [`Output::CheckAddresses`]: while this machine cannot reach others, their failures are its own.
    pub(in crate::engine) fn handle_addresses(&mut self, has_address: bool, cx: &mut Context) {
        while let Some((id, mut result)) = self.unverified.pop_front() {
            result.is_inconclusive |= !has_address;
            self.conclude(id, result, cx);
            self.set_timer(RunOwner::Target(id), cx);
        }
    }

    #[cold]
    fn log_no_result(&mut self, id: TargetId, detail: &str, cx: &mut Context) {
        self.without_result += 1;
        if self.logged_no_result.is_some_and(|at| cx.now.instant < at + NO_RESULT_LOG_INTERVAL) {
            return;
        }
        let name = cx.targets.get(id).map_or("", Target::name);
        let others = match std::mem::take(&mut self.without_result) - 1 {
            0 => String::new(),
            count => format!(" ({count} other checks, too)"),
        };
        self.logged_no_result = Some(cx.now.instant);
        cx.log(format!("{name}: the check has no result, because of this machine: {detail}{others}"));
    }
}

/// Whether the failure of a check can be that of a machine without an address.
fn blames_the_network(result: &ProbeResult) -> bool {
    use Reason::{ConnectTimeout, DnsFailed, DnsNoAnswer, DnsTimeout, Local, NoReply, Unreachable};
    let is_of_network = |reason| {
        matches!(
            reason,
            DnsFailed | DnsTimeout | DnsNoAnswer | Unreachable | ConnectTimeout | NoReply | Local
        )
    };
    !result.is_inconclusive && result.reason.is_some_and(is_of_network)
}
