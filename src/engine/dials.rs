//! The connections of checks under way: being made, standing, and given up.

use super::limits::PROBE_OUTBOX_MAX;
use super::outbox::Outbox;
use super::{Conn, ConnId, Engine, Input, Output, Transport};
use crate::clock::Now;
use crate::probe;
use crate::probe::dial::{self, Dial};
use crate::verdict::Reason;

impl Engine {
    /// What happened to a connection that is being made.
    pub(super) fn handle_dialed(&mut self, id: ConnId, input: Input<'_>, now: Now) {
        let Some(Conn::Dialed { target, slot, relieved }) = self.conns.get(id) else { return };
        let (target, slot, relieved) = (*target, *slot, *relieved);
        let Some(this) = self.tries[target].as_deref_mut() else { return };
        let Some(dial) = &mut this.dial else { return };
        match input {
            Input::Connected => dial.handle_connected(slot),
            Input::Failed(failure) => {
                // If that was of no use just now, the trouble is another one, and takes time.
                let evicts = failure.reason == Reason::Local && !relieved;
                dial.handle_failed(slot, failure, now.instant);
                this.take_slot(slot);
                self.forget(id);
                if evicts && self.evict() {
                    self.retry(target, now);
                }
            }
            _ => return,
        }
        self.drive(target, now);
    }

    /// A client has given way: its descriptor is for this check, before the next client takes it.
    fn retry(&mut self, target: usize, now: Now) {
        let Some(this) = self.tries[target].as_deref_mut() else { return };
        if let Some(dial) = &mut this.dial {
            this.relieved = true;
            dial.retry(now.instant);
        }
    }

    /// The connection that a check is making.
    pub(super) fn dial(&mut self, target: usize) -> Option<&mut Dial> {
        self.tries[target].as_deref_mut()?.dial.as_mut()
    }

    /// What happened to a connection that stands.
    pub(super) fn handle_probed(&mut self, id: ConnId, target: usize, input: Input<'_>, now: Now) {
        let Some(this) = self.tries[target].as_deref_mut() else { return };
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
            self.forget(id);
        }
        self.drive(target, now);
    }

    pub(super) fn handle_dial(&mut self, target: usize, output: dial::Output, now: Now) {
        let Some(this) = self.tries[target].as_deref_mut() else { return };
        match output {
            dial::Output::Resolve => {
                let Some(dial) = &mut this.dial else { return };
                if let Ok(address) = dial.host().parse() {
                    dial.handle_literal(address, now.instant);
                    return;
                }
                this.wanted = true;
                self.unresolved.push(target);
                self.outputs.push_back(Output::RefreshFiles);
            }
            dial::Output::Open(slot, to) => {
                let relieved = std::mem::take(&mut this.relieved);
                let id = self.add(Conn::Dialed { target, slot, relieved });
                if let Some(this) = self.tries[target].as_deref_mut() {
                    this.slots.push((slot, id));
                }
                self.outputs.push_back(Output::Open { id, transport: Transport::Tcp, to });
            }
            dial::Output::Close(slot) => {
                if let Some(id) = this.take_slot(slot) {
                    self.close(id);
                }
            }
            dial::Output::Connected(slot, address) => {
                let id = this.take_slot(slot);
                this.conn = id;
                this.leave_dial(now);
                this.address = Some(address);
                this.tell(probe::Input::Connected(address), now);
                let lookup = this.lookup.take();
                if let Some(id) = id {
                    self.conns.insert(id, Conn::Probed { target, outbox: Outbox::default() });
                }
                self.drop_lookup(lookup);
            }
            dial::Output::Failed(failure) => {
                this.leave_dial(now);
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
    pub(super) fn hang_up(&mut self, target: usize, now: Now) {
        let Some(this) = self.tries[target].as_deref_mut() else { return };
        this.leave_dial(now);
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
