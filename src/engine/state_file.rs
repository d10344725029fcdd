//! The history of the targets.

use super::Engine;
use crate::clock::Now;

impl Engine {
    /// Records the history of this many days from now on; 0 for none, which is the default.
    #[cold]
    pub(crate) fn record_history(&mut self, days: u8, now: Now) {
        self.update_clock(now);
        self.cx.targets.record_history(days, self.cx.now);
    }
}
