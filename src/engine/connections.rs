//! Connections of checks in flight: connecting, established and closed.

use super::limits::PROBE_OUTBOX_MAX;
use super::outbox::Outbox;
use super::owners::{ConnOwner, RunOwner};
use super::{ConnId, Engine, Input, Output, Transport};
use crate::clock::Now;
use crate::probe;
use crate::probe::connector::{self, AttemptId, Connector};
use crate::result::{Failure, Reason};

impl Engine {
    pub(super) fn handle_connecting(
        &mut self,
        id: ConnId,
        owner: RunOwner,
        attempt: AttemptId,
        input: Input<'_>,
        now: Now,
    ) {
        let Some(run) = self.runs.get_mut(owner) else { return };
        let Some(connector) = &mut run.connector else { return };
        match input {
            Input::Connected => connector.handle_connected(attempt),
            Input::Failed(failure) => {
                connector.handle_failed(attempt, failure, now.instant);
                run.take_attempt(attempt);
                self.cx.drop_conn(id);
            }
            _ => return,
        }
        self.poll_attempt(owner, now);
    }

    pub(super) fn connector(&mut self, owner: RunOwner) -> Option<&mut Connector> {
        self.runs.get_mut(owner)?.connector.as_mut()
    }

    pub(super) fn handle_probed(&mut self, id: ConnId, owner: RunOwner, input: Input<'_>, now: Now) {
        let Some(run) = self.runs.get_mut(owner) else { return };
        let input = match input {
            Input::Received(bytes) => probe::Input::Received(bytes),
            Input::Closed => probe::Input::Closed,
            Input::Failed(failure) => {
                run.conn = None;
                run.outbox = Outbox::default();
                probe::Input::Failed(failure)
            }
            Input::Connected | Input::Datagram(..) | Input::Sent(_) => return,
        };
        let gone = matches!(input, probe::Input::Failed(_));
        run.handle_input(input, now);
        if gone {
            self.cx.drop_conn(id);
        }
        self.poll_attempt(owner, now);
    }

    pub(super) fn handle_connector(&mut self, owner: RunOwner, output: connector::Output, now: Now) {
        let Some(run) = self.runs.get_mut(owner) else { return };
        match output {
            connector::Output::Resolve => {
                let Some(connector) = &mut run.connector else { return };
                if let Ok(address) = connector.host().parse() {
                    connector.handle_literal(address, now.instant);
                    return;
                }
                run.awaits_files = true;
                self.lookups.unresolved.push(owner);
                self.cx.outputs.push_back(Output::RefreshFiles);
            }
            connector::Output::Open(attempt, to) => {
                if run.attempts.len() >= run.connections {
                    if !self.queue.take_connection() {
                        let detail = format!("no socket for {to}: too many checks in flight");
                        if let Some(connector) = &mut run.connector {
                            connector.handle_failed(
                                attempt,
                                Failure::new(Reason::Local, detail),
                                now.instant,
                            );
                        }
                        return;
                    }
                    run.connections += 1;
                }
                let conn = ConnOwner::Connecting { run: owner, attempt };
                run.attempts.push((attempt, self.cx.open(conn, Transport::Tcp, to)));
            }
            connector::Output::Close(attempt) => {
                if let Some(id) = run.take_attempt(attempt) {
                    self.cx.close(id);
                }
            }
            connector::Output::Connected(attempt, address) => {
                let id = run.take_attempt(attempt);
                run.conn = id;
                run.end_connecting(now);
                run.address = Some(address);
                run.handle_input(probe::Input::Connected(address), now);
                let lookup = run.lookup.take();
                if let Some(id) = id {
                    self.cx.set_owner(id, ConnOwner::Connected(owner));
                }
                self.drop_lookup(lookup);
            }
            connector::Output::Failed(failure) => {
                run.end_connecting(now);
                run.handle_input(probe::Input::Failed(failure), now);
            }
        }
    }

    /// Queues bytes for a check's connection, if any. Returns `false` beyond [`PROBE_OUTBOX_MAX`].
    pub(super) fn send(&mut self, owner: RunOwner, bytes: Vec<u8>) -> bool {
        let Some(run) = self.runs.get_mut(owner) else { return true };
        let (Some(id), outbox) = (run.conn, &mut run.outbox) else { return true };
        if outbox.len() + bytes.len() > PROBE_OUTBOX_MAX {
            return false;
        }
        if outbox.push(bytes) {
            self.cx.outputs.push_back(Output::Write(id));
        }
        true
    }

    /// Closes all connections of a check and drops its lookup and tasks.
    pub(super) fn disconnect(&mut self, owner: RunOwner, now: Now) {
        let Some(run) = self.runs.get_mut(owner) else { return };
        run.end_connecting(now);
        run.awaits_files = false;
        let lookup = run.lookup.take();
        for job in std::mem::take(&mut run.jobs) {
            self.jobs.remove(&job);
        }
        let (attempts, conn) = (std::mem::take(&mut run.attempts), run.conn.take());
        let outbox = std::mem::take(&mut run.outbox);
        self.drop_lookup(lookup);
        attempts.into_iter().for_each(|(_, id)| self.cx.close(id));
        if let Some(id) = conn {
            if !outbox.is_empty() {
                self.cx.outputs.push_back(Output::FinalWrite(id, outbox.unsent().to_vec()));
            }
            self.cx.close(id);
        }
    }
}
