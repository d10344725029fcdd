//! Connections of checks in flight: connecting, established and closed.

use super::limits::PROBE_OUTBOX_MAX;
use super::outbox::Outbox;
use super::{Conn, ConnId, Engine, Input, Output, Transport};
use crate::clock::Now;
use crate::probe;
use crate::probe::connector::{self, Connector};
use crate::result::Reason;

impl Engine {
    pub(super) fn handle_connecting(&mut self, id: ConnId, input: Input<'_>, now: Now) {
        let Some(Conn::Connecting { target, slot, retried_after_eviction }) = self.conns.get(id) else {
            return;
        };
        let (target, slot, retried_after_eviction) = (*target, *slot, *retried_after_eviction);
        let Some(run) = self.runs[target].as_deref_mut() else { return };
        let Some(connector) = &mut run.connector else { return };
        match input {
            Input::Connected => connector.handle_connected(slot),
            Input::Failed(failure) => {
                // If eviction did not help the last time, the cause is another one and may last.
                let evicts = failure.reason == Reason::Local && !retried_after_eviction;
                connector.handle_failed(slot, failure, now.instant);
                run.take_slot(slot);
                self.drop_conn(id);
                if evicts && self.evict() {
                    self.retry(target, now);
                }
            }
            _ => return,
        }
        self.poll_attempt(target, now);
    }

    /// Retries at once, before a new client takes the descriptor of the evicted one.
    fn retry(&mut self, target: usize, now: Now) {
        let Some(run) = self.runs[target].as_deref_mut() else { return };
        if let Some(connector) = &mut run.connector {
            run.retried_after_eviction = true;
            connector.retry(now.instant);
        }
    }

    pub(super) fn connector(&mut self, target: usize) -> Option<&mut Connector> {
        self.runs[target].as_deref_mut()?.connector.as_mut()
    }

    pub(super) fn handle_probed(&mut self, id: ConnId, target: usize, input: Input<'_>, now: Now) {
        let Some(run) = self.runs[target].as_deref_mut() else { return };
        let input = match input {
            Input::Received(bytes) => probe::Input::Received(bytes),
            Input::Closed => probe::Input::Closed,
            Input::Failed(failure) => {
                run.conn = None;
                probe::Input::Failed(failure)
            }
            Input::Connected | Input::Datagram(..) | Input::Sent(_) => return,
        };
        let gone = matches!(input, probe::Input::Failed(_));
        run.handle_input(input, now);
        if gone {
            self.drop_conn(id);
        }
        self.poll_attempt(target, now);
    }

    pub(super) fn handle_connector(&mut self, target: usize, output: connector::Output, now: Now) {
        let Some(run) = self.runs[target].as_deref_mut() else { return };
        match output {
            connector::Output::Resolve => {
                let Some(connector) = &mut run.connector else { return };
                if let Ok(address) = connector.host().parse() {
                    connector.handle_literal(address, now.instant);
                    return;
                }
                run.awaits_files = true;
                self.unresolved.push(target);
                self.outputs.push_back(Output::RefreshFiles);
            }
            connector::Output::Open(slot, to) => {
                let retried_after_eviction = std::mem::take(&mut run.retried_after_eviction);
                let id = self.add(Conn::Connecting { target, slot, retried_after_eviction });
                if let Some(run) = self.runs[target].as_deref_mut() {
                    run.slots.push((slot, id));
                }
                self.outputs.push_back(Output::Open { id, transport: Transport::Tcp, to });
            }
            connector::Output::Close(slot) => {
                if let Some(id) = run.take_slot(slot) {
                    self.close(id);
                }
            }
            connector::Output::Connected(slot, address) => {
                let id = run.take_slot(slot);
                run.conn = id;
                run.end_connecting(now);
                run.address = Some(address);
                run.handle_input(probe::Input::Connected(address), now);
                let lookup = run.lookup.take();
                if let Some(id) = id {
                    self.conns.insert(id, Conn::Probed { target, outbox: Outbox::default() });
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
    pub(super) fn send(&mut self, conn: Option<ConnId>, bytes: Vec<u8>) -> bool {
        let Some(id) = conn else { return true };
        let Some(Conn::Probed { outbox, .. }) = self.conns.get_mut(id) else { return true };
        if outbox.len() + bytes.len() > PROBE_OUTBOX_MAX {
            return false;
        }
        if outbox.push(bytes) {
            self.outputs.push_back(Output::Write(id));
        }
        true
    }

    /// Closes all connections of a check and drops its lookup and tasks.
    pub(super) fn disconnect(&mut self, target: usize, now: Now) {
        let Some(run) = self.runs[target].as_deref_mut() else { return };
        run.end_connecting(now);
        run.awaits_files = false;
        let lookup = run.lookup.take();
        for job in std::mem::take(&mut run.jobs) {
            self.jobs.remove(&job);
        }
        let (slots, conn) = (std::mem::take(&mut run.slots), run.conn.take());
        self.drop_lookup(lookup);
        slots.into_iter().map(|(_, id)| id).chain(conn).for_each(|id| self.close(id));
    }
}
