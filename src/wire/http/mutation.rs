//! For tests: deterministic mutations of messages.

pub(super) struct Mutation {
    random: u32,
}

impl Mutation {
    pub(super) fn new() -> Self {
        Mutation { random: 1 }
    }

    /// A number below `limit` (xorshift).
    pub(super) fn below(&mut self, limit: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 17;
        self.random ^= self.random << 5;
        self.random as usize % limit
    }

    /// The message with one to three bytes replaced by bytes of `odd`, inserted or removed.
    pub(super) fn of(&mut self, message: &[u8], odd: &[u8]) -> Vec<u8> {
        let mut bytes = message.to_vec();
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len());
            match self.below(3) {
                0 => bytes[at] = odd[self.below(odd.len())],
                1 => bytes.insert(at, odd[self.below(odd.len())]),
                _ => drop(bytes.remove(at)),
            }
        }
        bytes
    }
}
