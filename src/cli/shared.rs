//! What targets with the same settings share, made once.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

/// A number that is the same for equal values. Different values collide with a probability of 2^-64.
pub(super) fn fingerprint(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

/// Values by the fingerprints of the settings that they are made of.
pub(super) struct Shared<T> {
    /// `None` for a value that could not be made.
    made: BTreeMap<u64, Option<T>>,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Shared { made: BTreeMap::new() }
    }
}

impl<T: Clone> Shared<T> {
    /// The error is that of `make`; it is `None` if it was reported before, since all targets with the same settings
    /// have the same error.
    pub(super) fn get(
        &mut self,
        key: u64,
        make: impl FnOnce() -> Result<T, String>,
    ) -> Result<T, Option<String>> {
        if let Some(made) = self.made.get(&key) {
            return made.clone().ok_or(None);
        }
        let made = make();
        self.made.insert(key, made.as_ref().ok().cloned());
        made.map_err(Some)
    }
}
