//! Listings of many targets, which clients share: a listing of 10,000 targets has 30 MB.
//!
//! A listing is rendered once per turn of the loop, and is in memory until its last reader has taken it. While
//! two listings of a page with [`LISTINGS_BYTES_MAX`] or more are in memory, a further request shares the
//! latest one up to the age of [`LISTING_AGE_MAX`]; after that, the readers of the oldest one are closed, and
//! the page is rendered again. So a page costs the memory of two listings and is rendered rarely, however many
//! clients read slowly, and each client has at least [`LISTING_AGE_MAX`] for reading.

use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use super::limits::{LISTING_AGE_MAX, LISTINGS_BYTES_MAX};
use crate::api::routes::ListingPage;

#[derive(Default)]
pub(super) struct Listings {
    /// The oldest one first.
    entries: Vec<Entry>,
    /// The listings of this turn, for requests that come after the last reader has taken it.
    current: Vec<Arc<Vec<u8>>>,
}

struct Entry {
    page: ListingPage,
    /// The time and the number of state changes when it was rendered.
    made_at: Instant,
    changes: u64,
    body: Weak<Vec<u8>>,
}

impl Listings {
    pub(super) fn begin_turn(&mut self) {
        self.current.clear();
    }

    pub(super) fn get(&self, page: &ListingPage, changes: u64, now: Instant) -> Option<Arc<Vec<u8>>> {
        let max_age = if self.is_full(page) { LISTING_AGE_MAX } else { Duration::ZERO };
        let entry = self.entries.iter().rfind(|entry| entry.page == *page)?;
        let age = now.saturating_duration_since(entry.made_at);
        let is_current = age.is_zero() && entry.changes == changes;
        let body = entry.body.upgrade()?;
        (is_current || age < max_age).then_some(body)
    }

    /// Removes the listing whose readers must be closed before a page is rendered.
    pub(super) fn take_excess(&mut self, page: &ListingPage) -> Option<Arc<Vec<u8>>> {
        if !self.is_full(page) {
            return None;
        }
        let is_live = |entry: &Entry| entry.page == *page && entry.body.strong_count() > 0;
        let at = self.entries.iter().position(is_live)?;
        let body = self.entries.remove(at).body.upgrade()?;
        self.current.retain(|current| !Arc::ptr_eq(current, &body));
        Some(body)
    }

    pub(super) fn add(&mut self, page: ListingPage, changes: u64, body: Arc<Vec<u8>>, now: Instant) {
        self.entries.retain(|entry| entry.body.strong_count() > 0);
        self.entries.push(Entry { page, made_at: now, changes, body: Arc::downgrade(&body) });
        self.current.push(body);
    }

    fn is_full(&self, page: &ListingPage) -> bool {
        let (count, bytes) = self.size(page);
        count >= 2 && bytes >= LISTINGS_BYTES_MAX
    }

    /// The number of listings of a page in memory, and their bytes.
    fn size(&self, page: &ListingPage) -> (usize, usize) {
        let of_page = self.entries.iter().filter(|entry| entry.page == *page);
        let live = of_page.filter_map(|entry| entry.body.upgrade());
        live.fold((0, 0), |(count, bytes), body| (count + 1, bytes + body.len()))
    }
    #[cfg(any(test, fuzzing))]
    pub(super) fn sizes(&self) -> Vec<(usize, usize)> {
        let mut pages: Vec<&ListingPage> = Vec::new();
        for entry in &self.entries {
            if !pages.contains(&&entry.page) {
                pages.push(&entry.page);
            }
        }
        pages.into_iter().map(|page| self.size(page)).collect()
    }
}
