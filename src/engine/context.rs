//! What all concerns of the engine share: time, targets, deadlines, outputs, connections and counters.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use super::ids::{ById, ConnId, Ids};
use super::messages::Output;
use super::owners::{ConnOwner, Owner};
use super::timers::Timers;
use crate::api::counters::Counters;
use crate::clock::Now;
use crate::monitor::Targets;
use crate::network::Network;
use crate::resolve::Transport;

pub(super) struct Context {
    pub(super) now: Now,
    pub(super) targets: Targets,
    pub(super) timers: Timers<Owner>,
    pub(super) outputs: VecDeque<Output>,
    pub(super) counters: Counters,
    pub(super) accept_paused: bool,
    conns: ById<ConnOwner>,
    ids: Ids,
}

impl Context {
    pub(super) fn new(targets: Targets, now: Now) -> Self {
        Context {
            now,
            targets,
            timers: Timers::new(now.instant),
            outputs: VecDeque::new(),
            counters: Counters::default(),
            accept_paused: false,
            conns: ById::new(),
            ids: Ids::new(),
        }
    }

    pub(super) fn open(
        &mut self,
        owner: ConnOwner,
        transport: Transport,
        to: SocketAddr,
        network: Option<Arc<Network>>,
    ) -> ConnId {
        let id = self.add(owner);
        self.outputs.push_back(Output::Open { id, transport, to, network });
        id
    }

    pub(super) fn add(&mut self, owner: ConnOwner) -> ConnId {
        let id = self.ids.take();
        self.conns.insert(id, owner);
        id
    }

    pub(super) fn owner(&self, id: ConnId) -> Option<ConnOwner> {
        self.conns.get(id).copied()
    }

    pub(super) fn set_owner(&mut self, id: ConnId, owner: ConnOwner) {
        if let Some(known) = self.conns.get_mut(id) {
            *known = owner;
        }
    }

    pub(super) fn conns(&self) -> impl Iterator<Item = (ConnId, ConnOwner)> {
        self.conns.iter().map(|(id, owner)| (id, *owner))
    }

    pub(super) fn close(&mut self, id: ConnId) {
        if self.drop_conn(id) {
            self.outputs.push_back(Output::Close(id));
        }
    }

    /// Removes a connection that is closed already. Returns whether it existed.
    pub(super) fn drop_conn(&mut self, id: ConnId) -> bool {
        let existed = self.conns.remove(id).is_some();
        if existed {
            self.ids.release(id);
            if self.accept_paused {
                self.resume_accept();
            }
        }
        existed
    }

    pub(super) fn resume_accept(&mut self) {
        self.accept_paused = false;
        self.timers.set(Owner::Accept, None);
        self.outputs.push_back(Output::Accept);
    }

    pub(super) fn log(&mut self, line: String) {
        self.outputs.push_back(Output::Log(line));
    }
}
