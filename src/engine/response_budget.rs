//! Limits the memory of pending responses, and queues the clients whose requests are deferred for it.
//!
//! A response is in memory until its last byte is sent, so it counts in full until then. Each size has a
//! limit of its own: a slow reader of a long listing does not delay smaller responses.

use std::collections::VecDeque;

use super::ConnId;
use super::limits::{ANSWERS_PER_TURN, OWED_MAX};
use crate::api::routes::ResponseSize;

#[derive(Default)]
pub(super) struct ResponseBudget {
    accounts: [Account; 3],
    /// Responses in this turn of the loop, small ones excluded.
    made: usize,
    /// The client whose response needs process statistics: the size of its response is not known yet.
    measuring: Option<ConnId>,
}

/// The responses of one size.
#[derive(Default)]
struct Account {
    bytes: usize,
    /// In the order of their requests.
    waiting: VecDeque<ConnId>,
}

impl ResponseBudget {
    /// Whether a further request must be deferred: for memory, for process statistics, or to the next turn
    /// of the loop. Small ones never are: the response is smaller than the client's own state.
    pub(super) fn is_full(&self, size: ResponseSize) -> bool {
        let is_busy = self.made >= ANSWERS_PER_TURN || self.measuring.is_some();
        size != ResponseSize::Word && (is_busy || self.bytes(size) >= OWED_MAX)
    }

    pub(super) fn begin_turn(&mut self) {
        self.made = 0;
    }

    /// Whether a deferred request waits only for the next turn of the loop.
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

    pub(super) fn leave(&mut self, id: ConnId) {
        self.accounts.iter_mut().for_each(|account| account.waiting.retain(|waiting| *waiting != id));
    }

    pub(super) fn measure_for(&mut self, id: ConnId) {
        self.measuring = Some(id);
    }

    pub(super) fn is_measured_for(&self, id: ConnId) -> bool {
        self.measuring == Some(id)
    }

    pub(super) fn take_measured(&mut self) -> Option<ConnId> {
        self.measuring.take()
    }

    /// Takes the next client whose response fits.
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
