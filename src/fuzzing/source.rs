//! Fuzzer input as a source of decisions, and ways to split a stream.

/// Each decision consumes bytes from the front. When none are left, all further decisions are zero.
pub(super) struct Source<'a>(&'a [u8]);

impl<'a> Source<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Source(data)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn byte(&mut self) -> u8 {
        self.take(1).first().copied().unwrap_or(0)
    }

    pub(super) fn number(&mut self) -> usize {
        usize::from(self.byte()) << 8 | usize::from(self.byte())
    }

    pub(super) fn choose<'c, T>(&mut self, choices: &'c [T]) -> &'c T {
        &choices[usize::from(self.byte()) % choices.len()]
    }

    /// The next bytes, at most `count`.
    pub(super) fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// A piece preceded by its length in one byte.
    pub(super) fn piece(&mut self) -> &'a [u8] {
        let length = self.byte();
        self.take(length.into())
    }

    /// The remaining bytes.
    pub(super) fn rest(&mut self) -> &'a [u8] {
        self.take(self.0.len())
    }
}

/// The same bytes split in several ways: not at all, at one position, into pieces of one small size, and byte by
/// byte.
pub(super) fn slicings(bytes: &[u8], cut: usize) -> [Vec<&[u8]>; 4] {
    let (one, two) = bytes.split_at(cut % (bytes.len() + 1));
    [vec![bytes], vec![one, two], bytes.chunks(cut % 9 + 2).collect(), bytes.chunks(1).collect()]
}
