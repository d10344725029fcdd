//! The recorded history against the time that passed.

use std::time::Duration;

use super::world::World;
use crate::fsm::State;
use crate::monitor::{History, Slot};

impl World {
    /// Known and unknown time together are the time that passed; a clock that is set adds none.
    pub(super) fn check_history(&self, target: usize) {
        let real = self.engine.targets().get(self.ids[target]).expect("it is watched");
        let history = real.history().expect("it is recorded");
        let now = self.moment(self.seen);
        let spent = |state| real.fsm().time_in(state, now);
        let measured: Duration = [State::Up, State::Degraded, State::Down].map(spent).iter().sum();
        let days: Vec<Slot> = history.days(now).collect();
        let known: u64 = days.iter().map(|slot| u64::from(slot.known_s())).sum();
        assert!(known <= measured.as_secs(), "{known} s of target {target} are known after {measured:?}");
        assert!(days.iter().all(|slot| u64::from(slot.known_s()) <= History::DAY_S));
        assert!(history.half_hours(now).all(|slot| u64::from(slot.known_s()) <= History::HALF_HOUR_S));
        if self.counters.of("clock: stepped") > 0 {
            return;
        }
        assert_eq!(known, measured.as_secs(), "the known time of target {target}");
        let seconds = days.iter().fold([0, 0, 0], |[up, degraded, down], slot| {
            [up + slot.up_s(), degraded + slot.degraded_s(), down + slot.down_s()]
        });
        for (state, known) in [State::Up, State::Degraded, State::Down].into_iter().zip(seconds) {
            let known = u64::from(known);
            let difference = spent(state).abs_diff(Duration::from_secs(known));
            assert!(difference < Duration::from_secs(3), "{state}: {known} s of {:?}", spent(state));
        }
    }
}
