//! What targets with the same settings share, made once.

use std::hash::{DefaultHasher, Hash, Hasher};

/// A number that is the same for equal values. Different values collide with a probability of 2^-64.
pub(super) fn fingerprint(value: &impl Hash) -> u64 {
    hash(value, &mut DefaultHasher::new())
}

/// Like [`fingerprint`], for comparison with that of another version of this program: zeros have no effect, so that a
/// setting that is added and has its default changes nothing.
pub(super) fn lasting_fingerprint(value: &impl Hash) -> u64 {
    hash(value, &mut LastingHasher(0xcbf2_9ce4_8422_2325))
}

/// The hashers share the code that visits a value.
fn hash(value: &impl Hash, mut hasher: &mut dyn Hasher) -> u64 {
    value.hash(&mut hasher);
    hasher.finish()
}

/// FNV-1a of the bytes that are not zero.
struct LastingHasher(u64);

impl Hasher for LastingHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes.iter().filter(|byte| **byte != 0) {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Values by the fingerprints of the settings that they are made of. There are few: a map for each type would add 7 kB
/// of code.
pub(super) struct Shared<T> {
    /// `None` for a value that could not be made.
    made: Vec<(u64, Option<T>)>,
}

impl<T> Default for Shared<T> {
    fn default() -> Self {
        Shared { made: Vec::new() }
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
        if let Some((_, made)) = self.made.iter().find(|(known, _)| *known == key) {
            return made.clone().ok_or(None);
        }
        let made = make();
        self.made.push((key, made.as_ref().ok().cloned()));
        made.map_err(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_do_not_change_a_lasting_fingerprint() {
        let before = lasting_fingerprint(&("https://nas/", Some(3_u32), vec!["a"]));
        assert_eq!(
            lasting_fingerprint(&("https://nas/", Some(3_u32), vec!["a"], None::<u8>, false, 0)),
            before
        );
        assert_ne!(lasting_fingerprint(&("https://nas/", Some(4_u32), vec!["a"])), before);
        assert_ne!(lasting_fingerprint(&("https://nas/", Some(3_u32), vec!["a"], true)), before);
        assert_ne!(lasting_fingerprint(&("https://nas", Some(3_u32), vec!["/a"])), before);
        // In the files of present versions.
        assert_eq!(before, 11_756_994_597_139_858_677);
    }
}
