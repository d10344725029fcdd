//! The memory of answers on their way, and the clients whose answers wait for it.
//!
//! An answer is kept whole until its last byte is sent, so that is what it counts for. Each bulk has an
//! account of its own: whoever takes his time over the listing of a large fleet keeps nobody from a word
//! or a snapshot.

use std::collections::VecDeque;

use super::ConnId;
use super::limits::{ANSWERS_PER_TURN, OWED_MAX};
use crate::api::routes::ResponseSize;

#[derive(Default)]
pub(super) struct ResponseBudget {
    accounts: [Account; 3],
    /// Answers other than words that this turn of the loop has made.
    made: usize,
    /// The client whose answer takes a measurement, which is under way: nobody knows how large it gets.
    measuring: Option<ConnId>,
}

/// What is kept of answers of one bulk.
#[derive(Default)]
struct Account {
    bytes: usize,
    /// First come, first served.
    waiting: VecDeque<ConnId>,
}

impl ResponseBudget {
    /// Whether a further answer has to wait: for room, for one that is being measured for, or for the next
    /// turn of the loop. Words never do: they weigh less than who asks for them.
    pub(super) fn is_full(&self, size: ResponseSize) -> bool {
        let is_busy = self.made >= ANSWERS_PER_TURN || self.measuring.is_some();
        size != ResponseSize::Word && (is_busy || self.bytes(size) >= OWED_MAX)
    }

    /// A turn of the loop begins.
    pub(super) fn begin_turn(&mut self) {
        self.made = 0;
    }

    /// Whether somebody waits for nothing but the next turn.
    pub(super) fn turn_quota_reached(&self) -> bool {
        let waits = |account: &Account| account.bytes < OWED_MAX && !account.waiting.is_empty();
        self.made >= ANSWERS_PER_TURN && self.accounts.iter().any(waits)
    }

    pub(super) fn bytes(&self, size: ResponseSize) -> usize {
        self.accounts[size as usize].bytes
    }

    pub(super) fn add(&mut self, size: ResponseSize, bytes: usize) {
        self.accounts[size as usize].bytes += bytes;
        self.made += usize::from(size != ResponseSize::Word);
    }

    pub(super) fn sub(&mut self, size: ResponseSize, bytes: usize) {
        self.accounts[size as usize].bytes -= bytes;
    }

    pub(super) fn wait(&mut self, size: ResponseSize, id: ConnId) {
        self.accounts[size as usize].waiting.push_back(id);
    }

    /// The client waits no more.
    pub(super) fn leave(&mut self, id: ConnId) {
        self.accounts.iter_mut().for_each(|account| account.waiting.retain(|waiting| *waiting != id));
    }

    /// The process is measured for this client.
    pub(super) fn measure_for(&mut self, id: ConnId) {
        self.measuring = Some(id);
    }

    pub(super) fn is_measured_for(&self, id: ConnId) -> bool {
        self.measuring == Some(id)
    }

    /// It has been measured: for whom?
    pub(super) fn take_measured(&mut self) -> Option<ConnId> {
        self.measuring.take()
    }

    /// Takes the next client for whose answer there is room.
    pub(super) fn next(&mut self) -> Option<ConnId> {
        let open = ResponseSize::ALL.into_iter().filter(|size| !self.is_full(*size));
        let place = open.map(|size| size as usize).find(|place| !self.accounts[*place].waiting.is_empty())?;
        self.accounts[place].waiting.pop_front()
    }

    #[cfg(test)]
    pub(super) fn made(&self) -> usize {
        self.made
    }

    #[cfg(test)]
    pub(super) fn waiting(&self, size: ResponseSize) -> usize {
        self.accounts[size as usize].waiting.len()
    }
}
