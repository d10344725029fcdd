//! Failed checks of a machine that may have no address.

use super::Engine;
use crate::clock::Now;

impl Engine {
    /// The result of [`Output::CheckAddresses`](super::Output::CheckAddresses): while this machine has no address, failures
    /// of other machines are not theirs.
    pub(crate) fn handle_addresses(&mut self, has_address: bool, now: Now) {
        self.update_clock(now);
        self.runs.handle_addresses(has_address, &mut self.cx);
        self.process_events();
    }
}
