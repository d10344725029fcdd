//! The connections of checks under way: being made, standing, and given up.

use super::limits::PROBE_OUTBOX_MAX;
use super::outbox::Outbox;
use super::{Conn, ConnId, Engine, Input, Output, Transport};
use crate::clock::Now;
use crate::probe;
use crate::probe::connector::{self, Connector};
use crate::result::Reason;

impl Engine {
    /// What happened to a connection that is being made.
    pub(super) fn handle_connecting(&mut self, id: ConnId, input: Input<'_>, now: Now) {
        let Some(Conn::Connecting { target, slot, retried_after_eviction }) = self.conns.get(id) else {
            return;
        };
        let (target, slot, retried_after_eviction) = (*target, *slot, *retried_after_eviction);
        let Some(this) = self.runs[target].as_deref_mut() else { return };
        let Some(connector) = &mut this.connector else { return };
        match input {
            Input::Connected => connector.handle_connected(slot),
            Input::Failed(failure) => {
                // If that was of no use just now, the trouble is another one, and takes time.
                let evicts = failure.reason == Reason::Local && !retried_after_eviction;
                connector.handle_failed(slot, failure, now.instant);
                this.take_slot(slot);
                self.drop_conn(id);
                if evicts && self.evict() {
                    self.retry(target, now);
                }
            }
            _ => return,
        }
        self.poll_attempt(target, now);
    }

    /// A client has given way: its descriptor is for this check, before the next client takes it.
    fn retry(&mut self, target: usize, now: Now) {
        let Some(this) = self.runs[target].as_deref_mut() else { return };
        if let Some(connector) = &mut this.connector {
            this.retried_after_eviction = true;
            connector.retry(now.instant);
        }
    }

    /// The connection that a check is making.
    pub(super) fn connector(&mut self, target: usize) -> Option<&mut Connector> {
        self.runs[target].as_deref_mut()?.connector.as_mut()
    }

    /// What happened to a connection that stands.
    pub(super) fn handle_probed(&mut self, id: ConnId, target: usize, input: Input<'_>, now: Now) {
        let Some(this) = self.runs[target].as_deref_mut() else { return };
        let input = match input {
            Input::Received(bytes) => probe::Input::Received(bytes),
            Input::Closed => probe::Input::Closed,
            Input::Failed(failure) => {
                this.conn = None;
                probe::Input::Failed(failure)
            }
            Input::Connected | Input::Datagram(..) | Input::Sent(_) => return,
        };
        let gone = matches!(input, probe::Input::Failed(_));
        this.tell(input, now);
        if gone {
            self.drop_conn(id);
        }
        self.poll_attempt(target, now);
    }

    pub(super) fn handle_connector(&mut self, target: usize, output: connector::Output, now: Now) {
        let Some(this) = self.runs[target].as_deref_mut() else { return };
        match output {
            connector::Output::Resolve => {
                let Some(connector) = &mut this.connector else { return };
                if let Ok(address) = connector.host().parse() {
                    connector.handle_literal(address, now.instant);
                    return;
                }
                this.wanted = true;
                self.unresolved.push(target);
                self.outputs.push_back(Output::RefreshFiles);
            }
            connector::Output::Open(slot, to) => {
                let retried_after_eviction = std::mem::take(&mut this.retried_after_eviction);
                let id = self.add(Conn::Connecting { target, slot, retried_after_eviction });
                if let Some(this) = self.runs[target].as_deref_mut() {
                    this.slots.push((slot, id));
                }
                self.outputs.push_back(Output::Open { id, transport: Transport::Tcp, to });
            }
            connector::Output::Close(slot) => {
                if let Some(id) = this.take_slot(slot) {
                    self.close(id);
                }
            }
            connector::Output::Connected(slot, address) => {
                let id = this.take_slot(slot);
                this.conn = id;
                this.end_connecting(now);
                this.address = Some(address);
                this.tell(probe::Input::Connected(address), now);
                let lookup = this.lookup.take();
                if let Some(id) = id {
                    self.conns.insert(id, Conn::Probed { target, outbox: Outbox::default() });
                }
                self.drop_lookup(lookup);
            }
            connector::Output::Failed(failure) => {
                this.end_connecting(now);
                this.tell(probe::Input::Failed(failure), now);
            }
        }
    }

    /// Queues bytes for a check's connection, if it has one; says whether they found room.
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

    /// Closes whatever connection a check has or is making.
    pub(super) fn disconnect(&mut self, target: usize, now: Now) {
        let Some(this) = self.runs[target].as_deref_mut() else { return };
        this.end_connecting(now);
        this.wanted = false;
        let lookup = this.lookup.take();
        for job in std::mem::take(&mut this.jobs) {
            self.jobs.remove(&job);
        }
        let (slots, conn) = (std::mem::take(&mut this.slots), this.conn.take());
        self.drop_lookup(lookup);
        slots.into_iter().map(|(_, id)| id).chain(conn).for_each(|id| self.close(id));
    }
}
