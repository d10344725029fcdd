//! Connection ids, and a map by id with O(1) access.

/// One connection: an index in the low bits, the index's generation above.
///
/// Indexes are reused, ids are not while an event with the id can be queued: a stale event matches nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConnId(pub(crate) usize);

/// Bits of the index: more connections than a process can have descriptors.
const INDEX_BITS: u32 = if usize::BITS > 32 { 32 } else { 20 };

impl ConnId {
    /// Lower ids are reserved for the reactor.
    pub(crate) const FIRST: ConnId = ConnId(16);

    /// A small number, unique among open connections.
    pub(crate) fn index(self) -> usize {
        self.0 & ((1 << INDEX_BITS) - 1)
    }

    fn next(self) -> ConnId {
        ConnId(self.0.wrapping_add(1 << INDEX_BITS))
    }
}

pub(crate) struct ById<T> {
    entries: Vec<Option<(ConnId, T)>>,
}

impl<T> ById<T> {
    pub(crate) fn new() -> Self {
        ById { entries: Vec::new() }
    }

    pub(crate) fn insert(&mut self, id: ConnId, value: T) {
        let index = id.index();
        if index >= self.entries.len() {
            self.entries.resize_with(index + 1, || None);
        }
        self.entries[index] = Some((id, value));
    }

    pub(crate) fn get(&self, id: ConnId) -> Option<&T> {
        let (known, value) = self.entries.get(id.index())?.as_ref()?;
        (*known == id).then_some(value)
    }

    pub(crate) fn get_mut(&mut self, id: ConnId) -> Option<&mut T> {
        let (known, value) = self.entries.get_mut(id.index())?.as_mut()?;
        (*known == id).then_some(value)
    }

    pub(crate) fn remove(&mut self, id: ConnId) -> Option<T> {
        let entry = self.entries.get_mut(id.index())?;
        Some(entry.take_if(|(known, _)| *known == id)?.1)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConnId, &T)> {
        self.entries.iter().flatten().map(|(id, value)| (*id, value))
    }
}

pub(super) struct Ids {
    /// Ids of released indexes, in their next generation.
    free: Vec<ConnId>,
    /// The first id that was never used.
    fresh: ConnId,
}

impl Ids {
    pub(super) fn new() -> Self {
        Ids { free: Vec::new(), fresh: ConnId::FIRST }
    }

    pub(super) fn take(&mut self) -> ConnId {
        self.free.pop().unwrap_or_else(|| {
            let id = self.fresh;
            self.fresh.0 += 1;
            id
        })
    }

    pub(super) fn release(&mut self, id: ConnId) {
        self.free.push(id.next());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn indexes_are_reused_and_ids_are_not() {
        let mut ids = Ids::new();
        let (a, b) = (ids.take(), ids.take());
        assert_eq!((a, a.index(), b.index()), (ConnId::FIRST, 16, 17));
        ids.release(a);
        let c = ids.take();
        assert_eq!(c.index(), a.index());
        assert_ne!(c, a);
        assert_eq!(ids.take().index(), 18);
        let last = ConnId(usize::MAX);
        assert_eq!((last.next().index(), last.next().0 >> INDEX_BITS), (last.index(), 0));
    }

    #[test]
    fn ids_of_other_generations_are_not_found() {
        let (old, new) = (ConnId(20), ConnId(20).next());
        let mut map = ById::new();
        map.insert(new, 'a');
        assert_eq!(map.get(new), Some(&'a'));
        assert_eq!(map.get_mut(new), Some(&mut 'a'));
        assert!(map.get(old).is_none() && map.get_mut(old).is_none() && map.remove(old).is_none());
        assert!(map.get(ConnId(99)).is_none() && map.remove(ConnId(99)).is_none());
        map.insert(ConnId(17), 'b');
        assert_eq!(map.iter().collect::<Vec<_>>(), [(ConnId(17), &'b'), (new, &'a')]);
        assert_eq!((map.remove(new), map.remove(new)), (Some('a'), None));
        assert_eq!(map.iter().count(), 1);
    }
}
