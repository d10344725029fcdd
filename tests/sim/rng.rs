//! The one source of chance: everything that happens in a run follows from its seed, or from the bytes of a
//! fuzzer.

use std::sync::{Arc, Mutex, PoisonError};

/// SplitMix64, or bytes as long as there are some.
pub(super) struct Rng {
    state: u64,
    bytes: Option<Bytes>,
}

/// The rest of a fuzzer's input. All generators of a run share it.
#[derive(Clone)]
pub(super) struct Bytes(Arc<Mutex<Vec<u8>>>);

impl Bytes {
    pub(super) fn new(data: &[u8]) -> Self {
        Bytes(Arc::new(Mutex::new(data.iter().rev().copied().collect())))
    }

    /// Less than `end`; `None` if there are too few bytes.
    fn below(&self, end: u64) -> Option<u64> {
        let mut rest = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let count = (1..8).find(|count| end - 1 < 1 << (8 * count)).unwrap_or(8);
        let start = rest.len().checked_sub(count)?;
        Some(rest.drain(start..).fold(0, |number, byte| number << 8 | u64::from(byte)) % end)
    }
}

impl Rng {
    pub(super) fn new(seed: u64) -> Self {
        Rng { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x2545_f491_4f6c_dd1d, bytes: None }
    }

    /// Takes numbers from `bytes` first.
    pub(super) fn with(seed: u64, bytes: Option<&Bytes>) -> Self {
        Rng { bytes: bytes.cloned(), ..Rng::new(seed) }
    }

    pub(super) fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Less than `end`, which is not zero.
    pub(super) fn below(&mut self, end: u64) -> u64 {
        let chosen = self.bytes.as_ref().and_then(|bytes| bytes.below(end));
        chosen.unwrap_or_else(|| self.next() % end)
    }

    /// From `low` to `high`, both included.
    pub(super) fn range(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low + 1)
    }

    /// True so many times in a thousand.
    pub(super) fn permille(&mut self, times: u64) -> bool {
        self.below(1000) < times
    }

    pub(super) fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.index(list.len())]
    }

    /// A place in a list of this length.
    pub(super) fn index(&mut self, len: usize) -> usize {
        self.below(len as u64) as usize
    }

    /// `bytes` cut anywhere: whole, in a few pieces or byte by byte. No piece is empty.
    pub(super) fn cut(&mut self, bytes: &[u8]) -> Vec<Vec<u8>> {
        let longest = match self.below(8) {
            0 if bytes.len() < 60 => 1,
            0..=2 => bytes.len() / 2 + 1,
            3 => 40 + bytes.len() / 8,
            _ => return if bytes.is_empty() { Vec::new() } else { vec![bytes.to_vec()] },
        };
        let mut pieces = Vec::new();
        let mut rest = bytes;
        while !rest.is_empty() {
            let at = (1 + self.index(longest)).min(rest.len());
            let (piece, after) = rest.split_at(at);
            pieces.push(piece.to_vec());
            rest = after;
        }
        pieces
    }
}
