//! Who is told what besides the API's clients: people by lines, and the targets' hooks and webhooks.

use super::{Engine, Output};
use crate::clock::Now;
use crate::fsm::Change;

impl Engine {
    /// Tells people.
    pub(super) fn say(&mut self, line: String) {
        self.outputs.push_back(Output::Say(line));
    }

    /// Tells everybody who is concerned that a target has changed its state.
    pub(super) fn spread(&mut self, target: usize, change: &Change, now: Now) {
        self.call_hook(target, change, now);
        self.post(target, change, now);
    }
}
