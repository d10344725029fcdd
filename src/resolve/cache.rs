//! A cache of found addresses, by time to live.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Beyond that the name that expires first is evicted.
pub(super) const CACHE_MAX: usize = 16_384;

#[derive(Debug, Default)]
pub(super) struct Cache {
    entries: BTreeMap<Arc<str>, Entry>,
    /// The keys of `entries` in the order of expiry.
    by_expiry: BTreeSet<(Instant, Arc<str>)>,
    /// How long addresses are kept after they have expired, for names that cannot be resolved any more (RFC 8767).
    hold: Duration,
}

#[derive(Debug)]
struct Entry {
    addresses: Vec<IpAddr>,
    fresh_until: Instant,
    /// With the hold.
    expires: Instant,
}

impl Cache {
    pub(super) fn new(hold: Duration) -> Self {
        Cache { hold, ..Cache::default() }
    }

    /// The addresses of a name although they may have expired.
    pub(super) fn held(&self, name: &str, now: Instant) -> Option<&[IpAddr]> {
        let entry = self.entries.get(name)?;
        (entry.expires > now).then_some(&entry.addresses)
    }

    pub(super) fn remove(&mut self, name: &str) {
        if let Some((name, entry)) = self.entries.remove_entry(name) {
            self.by_expiry.remove(&(entry.expires, name));
        }
    }

    pub(super) fn addresses(&self, name: &str, now: Instant) -> Option<&[IpAddr]> {
        let entry = self.entries.get(name)?;
        (entry.fresh_until > now).then_some(&entry.addresses)
    }

    pub(super) fn insert(&mut self, name: &str, addresses: Vec<IpAddr>, fresh_until: Instant, now: Instant) {
        self.remove(name);
        let expires = fresh_until + self.hold;
        if expires <= now {
            return;
        }
        while let Some((earliest, _)) = self.by_expiry.first() {
            if *earliest > now && self.entries.len() < CACHE_MAX {
                break;
            }
            if let Some((_, name)) = self.by_expiry.pop_first() {
                self.entries.remove(&name);
            }
        }
        let name: Arc<str> = name.into();
        self.by_expiry.insert((expires, name.clone()));
        self.entries.insert(name, Entry { addresses, fresh_until, expires });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::test_now;
    use std::time::Duration;

    fn addresses(last: u8) -> Vec<IpAddr> {
        vec![IpAddr::from([192, 0, 2, last])]
    }

    #[test]
    fn an_answer_is_cached_until_it_expires() {
        let now = test_now().instant;
        let second = Duration::from_secs(1);
        let mut cache = Cache::default();
        cache.insert("a", addresses(1), now + 2 * second, now);
        assert_eq!(cache.addresses("a", now + second), Some(addresses(1).as_slice()));
        assert_eq!(cache.addresses("b", now + second), None);
        assert_eq!(cache.addresses("a", now + 2 * second), None);
        cache.insert("a", addresses(2), now + 4 * second, now + second);
        assert_eq!(cache.addresses("a", now + 2 * second), Some(addresses(2).as_slice()));
        cache.insert("a", addresses(3), now, now);
        assert_eq!(cache.addresses("a", now), None);
        assert!(cache.by_expiry.is_empty());
    }

    #[test]
    fn only_expired_entries_are_evicted_below_the_limit() {
        let now = test_now().instant;
        let at = |s| now + Duration::from_secs(s);
        let mut cache = Cache::default();
        for (name, expires) in [("a", 3), ("b", 1), ("c", 4)] {
            cache.insert(name, addresses(1), at(expires), now);
        }
        assert_eq!(cache.entries.len(), 3);
        cache.insert("d", addresses(1), at(4), at(1));
        assert_eq!(cache.entries.keys().map(|name| &**name).collect::<Vec<_>>(), ["a", "c", "d"]);
    }

    #[test]
    fn the_cache_does_not_grow_without_bound() {
        let now = test_now().instant;
        let mut cache = Cache::default();
        for i in 0..2 * CACHE_MAX as u64 {
            let expires = now + Duration::from_secs(if i == 0 { 1 } else { 100 + i });
            cache.insert(&format!("name{i}"), addresses(1), expires, now);
            assert!(cache.entries.len() <= CACHE_MAX && cache.by_expiry.len() == cache.entries.len());
        }
        assert_eq!(cache.entries.len(), CACHE_MAX);
        assert_eq!(cache.addresses("name0", now), None);
        assert!(cache.addresses("name32767", now).is_some());
        // Expired entries are evicted.
        cache.insert(
            "late",
            addresses(1),
            now + Duration::from_secs(99_999),
            now + Duration::from_secs(50_000),
        );
        assert_eq!(cache.entries.len(), 1);
    }
}
