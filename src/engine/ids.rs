//! Connection ids, and a map by id with O(1) access.

/// One connection: an index in the low bits, the index's generation above.
///
/// Indexes are reused, ids are not while an event with the id can be queued: a stale event matches nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ConnId(pub(crate) usize);

/// Bits of the index: more connections than a process can have descriptors.
const PLACE_BITS: u32 = if usize::BITS > 32 { 32 } else { 20 };

impl ConnId {
    /// Lower ids are reserved for the reactor.
    pub(crate) const FIRST: ConnId = ConnId(16);

    /// A small number, unique among open connections.
    pub(crate) fn place(self) -> usize {
        self.0 & ((1 << PLACE_BITS) - 1)
    }

    /// The same index in the next generation.
    fn next(self) -> ConnId {
        ConnId(self.0.wrapping_add(1 << PLACE_BITS))
    }
}

/// A map from connections to values.
pub(crate) struct ById<T> {
    places: Vec<Option<(ConnId, T)>>,
}

impl<T> ById<T> {
    pub(crate) fn new() -> Self {
        ById { places: Vec::new() }
    }

    pub(crate) fn insert(&mut self, id: ConnId, value: T) {
        let place = id.place();
        if place >= self.places.len() {
            self.places.resize_with(place + 1, || None);
        }
        self.places[place] = Some((id, value));
    }

    pub(crate) fn get(&self, id: ConnId) -> Option<&T> {
        let (named, value) = self.places.get(id.place())?.as_ref()?;
        (*named == id).then_some(value)
    }

    pub(crate) fn get_mut(&mut self, id: ConnId) -> Option<&mut T> {
        let (named, value) = self.places.get_mut(id.place())?.as_mut()?;
        (*named == id).then_some(value)
    }

    pub(crate) fn remove(&mut self, id: ConnId) -> Option<T> {
        let place = self.places.get_mut(id.place())?;
        Some(place.take_if(|(named, _)| *named == id)?.1)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (ConnId, &T)> {
        self.places.iter().flatten().map(|(id, value)| (*id, value))
    }
}

/// Allocates ids.
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

    pub(super) fn give_back(&mut self, id: ConnId) {
        self.free.push(id.next());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_used_again_and_names_are_not() {
        let mut ids = Ids::new();
        let (a, b) = (ids.take(), ids.take());
        assert_eq!((a, a.place(), b.place()), (ConnId::FIRST, 16, 17));
        ids.give_back(a);
        let c = ids.take();
        assert_eq!(c.place(), a.place());
        assert_ne!(c, a);
        assert_eq!(ids.take().place(), 18);
        let last = ConnId(usize::MAX);
        assert_eq!((last.next().place(), last.next().0 >> PLACE_BITS), (last.place(), 0));
    }

    #[test]
    fn what_belongs_to_another_name_of_the_same_place_is_not_found() {
        let (old, new) = (ConnId(20), ConnId(20).next());
        let mut things = ById::new();
        things.insert(new, 'a');
        assert_eq!(things.get(new), Some(&'a'));
        assert_eq!(things.get_mut(new), Some(&mut 'a'));
        assert!(things.get(old).is_none() && things.get_mut(old).is_none() && things.remove(old).is_none());
        assert!(things.get(ConnId(99)).is_none() && things.remove(ConnId(99)).is_none());
        things.insert(ConnId(17), 'b');
        assert_eq!(things.iter().collect::<Vec<_>>(), [(ConnId(17), &'b'), (new, &'a')]);
        assert_eq!((things.remove(new), things.remove(new)), (Some('a'), None));
        assert_eq!(things.iter().count(), 1);
    }
}
