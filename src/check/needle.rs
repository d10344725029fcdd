//! Searching for a text in a byte stream, in linear time.

/// A text to search for (Knuth, Morris and Pratt), never empty.
#[derive(Clone, Debug)]
pub(crate) struct Needle {
    text: Box<[u8]>,
    /// For each length of a partial match, the next shorter one to try.
    shorter: Box<[usize]>,
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Search {
    seen: usize,
    matched: usize,
}

impl Needle {
    /// `None` if `text` is empty.
    pub(crate) fn new(text: &str) -> Option<Needle> {
        if text.is_empty() {
            return None;
        }
        let mut needle = Needle { text: text.as_bytes().into(), shorter: vec![0; text.len() + 1].into() };
        let mut matched = 0;
        for (at, byte) in text.bytes().enumerate().skip(1) {
            matched = needle.step(matched, byte);
            needle.shorter[at + 1] = matched;
        }
        Some(needle)
    }

    pub(crate) fn len(&self) -> usize {
        self.text.len()
    }

    fn step(&self, mut matched: usize, byte: u8) -> usize {
        while self.text.get(matched) != Some(&byte) {
            if matched == 0 {
                return 0;
            }
            matched = self.shorter.get(matched).copied().unwrap_or(0);
        }
        matched + 1
    }
}

impl Search {
    /// Returns the end of the first occurrence. `bytes` begin with all bytes of earlier calls.
    pub(crate) fn find(&mut self, needle: &Needle, bytes: &[u8]) -> Option<usize> {
        for byte in bytes.get(self.seen..).unwrap_or_default() {
            if self.matched == needle.len() {
                break;
            }
            self.matched = needle.step(self.matched, *byte);
            self.seen += 1;
        }
        (self.matched == needle.len()).then_some(self.seen)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The result of a search over segments of `size` bytes.
    fn find(text: &str, bytes: &[u8], size: usize) -> Option<usize> {
        let needle = Needle::new(text).expect("not empty");
        let mut search = Search::default();
        let mut found = None;
        for end in (0..bytes.len()).step_by(size).chain([bytes.len()]) {
            found = search.find(&needle, &bytes[..end]);
            if found.is_some() {
                break;
            }
        }
        found
    }

    #[test]
    fn agrees_with_a_naive_search_for_every_segmentation() {
        let texts = ["a", "ab", "aab", "abab", "aabaaab", "abcabd", "bbbb", "ababababa"];
        // All strings of nine characters over {a, b}, and some with other characters.
        let words = (0..1u32 << 10)
            .map(|bits| (0..9).map(|i| if bits >> i & 1 == 1 { b'a' } else { b'b' }).collect::<Vec<_>>());
        let more = ["abcabcabd", "xaabaaabaaab", "", "c"].map(|s| s.as_bytes().to_vec());
        for word in words.chain(more) {
            for text in texts {
                let naive = (text.len()..=word.len()).find(|end| word[..*end].ends_with(text.as_bytes()));
                for size in 1..=word.len().max(1) {
                    assert_eq!(find(text, &word, size), naive, "{text} in {word:?} by {size}");
                }
            }
        }
    }

    #[test]
    fn a_match_is_final() {
        let needle = Needle::new("b").expect("not empty");
        let mut search = Search::default();
        assert_eq!(search.find(&needle, b"ab"), Some(2));
        assert_eq!(search.find(&needle, b"abcb"), Some(2));
        assert!(Needle::new("").is_none());
    }

    #[test]
    fn a_periodic_text_is_searched_in_linear_time() {
        let text = "a".repeat(4000) + "b";
        let body = vec![b'a'; 300_000];
        assert_eq!(find(&text, &body, 1), None);
    }
}
