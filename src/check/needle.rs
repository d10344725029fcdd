//! Finding a text in bytes that arrive in pieces, each byte looked at once.

/// A text to look for, never empty.
///
/// The search is that of Knuth, Morris and Pratt: whatever the text and however the bytes are cut,
/// its cost is linear in the bytes, and all it remembers between two pieces is one number.
#[derive(Clone, Debug)]
pub(crate) struct Needle {
    text: Box<[u8]>,
    /// For each length of a partial match that fails: the next shorter one that may still hold.
    shorter: Box<[usize]>,
}

/// How far the search for one [`Needle`] has come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Search {
    /// How many bytes have been looked at.
    seen: usize,
    /// How many bytes of the text the last bytes seen agree with.
    matched: usize,
}

impl Needle {
    /// A search for `text`; `None` if that is empty, which everything would contain.
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

    /// How long the match is after one more byte.
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
    /// Looks at what is new in `bytes`, which begin with all bytes shown before; says where the
    /// first occurrence of the text ends, once it is there.
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

    /// Where the search ends if the bytes come in pieces of `size`.
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
    fn agrees_with_a_naive_search_however_the_bytes_are_cut() {
        let texts = ["a", "ab", "aab", "abab", "aabaaab", "abcabd", "bbbb", "ababababa"];
        // All strings over {a, b} up to nine letters, and some with the odd letter out.
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
    fn an_answer_stays_once_given() {
        let needle = Needle::new("b").expect("not empty");
        let mut search = Search::default();
        assert_eq!(search.find(&needle, b"ab"), Some(2));
        assert_eq!(search.find(&needle, b"abcb"), Some(2));
        assert!(Needle::new("").is_none());
    }

    #[test]
    fn a_periodic_text_costs_no_more_than_any_other() {
        let text = "a".repeat(4000) + "b";
        let body = vec![b'a'; 300_000];
        assert_eq!(find(&text, &body, 1), None);
    }
}
