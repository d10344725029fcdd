//! The last question that a word answered, and the answer: whoever watches the watcher asks the same
//! thing again and again, and gets it without being read anew.

use crate::wire::http::request::Request;

/// The longest head that is remembered, in bytes.
const HEAD_MAX: usize = 512;

/// One request and what it was answered.
#[derive(Default)]
pub(crate) struct ResponseCache {
    /// The request as it was sent; empty if there is none.
    head: Vec<u8>,
    request: Option<Request>,
    answer: Vec<u8>,
    /// When, and of which states, that was the answer.
    moment: CacheKey,
}

/// What the answer to a request depends on besides the request: the second, which is in `Date`, and how
/// often a state has changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CacheKey {
    pub(crate) second: u64,
    pub(crate) changes: u64,
}

impl ResponseCache {
    /// The request that `inbox` starts with, if it is the one remembered, and its length.
    pub(crate) fn lookup(&self, inbox: &[u8]) -> Option<(&Request, usize)> {
        let request = self.request.as_ref().filter(|_| inbox.starts_with(&self.head))?;
        Some((request, self.head.len()))
    }

    /// The request remembered.
    pub(crate) fn request(&self) -> Option<&Request> {
        self.request.as_ref()
    }

    /// The answer to the request remembered, if it still is the answer.
    pub(crate) fn answer(&self, moment: CacheKey) -> Option<&[u8]> {
        (self.moment == moment && !self.answer.is_empty()).then_some(&self.answer)
    }

    /// Remembers a request that was just read from these bytes.
    pub(crate) fn note(&mut self, head: &[u8], request: &Request) {
        *self = ResponseCache::default();
        if head.len() <= HEAD_MAX {
            (self.head, self.request) = (head.to_vec(), Some(request.clone()));
        }
    }

    /// Remembers what the request has been answered.
    pub(crate) fn note_answer(&mut self, request: &Request, answer: &[u8], moment: CacheKey) {
        if self.request.as_ref() == Some(request) {
            (self.answer, self.moment) = (answer.to_vec(), moment);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::http::request::{Read, read};

    fn request(head: &[u8]) -> Request {
        let Read::Request(request, taken) = read(head) else { panic!("no request") };
        assert_eq!(taken, head.len());
        request
    }

    const HEAD: &[u8] = b"GET /state HTTP/1.1\r\nHost: a\r\n\r\n";

    #[test]
    fn a_request_is_recognised_by_all_of_its_bytes_and_nothing_else() {
        let mut response_cache = ResponseCache::default();
        assert_eq!((response_cache.lookup(HEAD), response_cache.lookup(b"")), (None, None));
        response_cache.note(HEAD, &request(HEAD));
        assert_eq!(response_cache.lookup(HEAD), Some((&request(HEAD), HEAD.len())));
        assert_eq!(response_cache.lookup(&[HEAD, b"GET /"].concat()), Some((&request(HEAD), HEAD.len())));
        for end in 0..HEAD.len() {
            assert_eq!(response_cache.lookup(&HEAD[..end]), None);
        }
        assert_eq!(response_cache.lookup(b"GET /state HTTP/1.1\r\nHost: b\r\n\r\n"), None);
    }

    #[test]
    fn an_answer_serves_for_its_request_at_its_moment_only() {
        let (second, changes) = (7, 3);
        let moment = CacheKey { second, changes };
        let other = request(b"GET / HTTP/1.0\r\n\r\n");
        let mut response_cache = ResponseCache::default();
        response_cache.note(HEAD, &request(HEAD));
        assert_eq!(response_cache.answer(moment), None);
        response_cache.note_answer(&other, b"no", moment);
        assert_eq!(response_cache.answer(moment), None);
        response_cache.note_answer(&request(HEAD), b"up", moment);
        assert_eq!(response_cache.answer(moment), Some(&b"up"[..]));
        assert_eq!(response_cache.answer(CacheKey { second: 8, changes }), None);
        assert_eq!(response_cache.answer(CacheKey { second, changes: 4 }), None);
        response_cache.note(HEAD, &request(HEAD));
        assert_eq!(response_cache.answer(moment), None);
    }

    #[test]
    fn long_heads_are_not_remembered() {
        for (len, kept) in [(HEAD_MAX, true), (HEAD_MAX + 1, false)] {
            let padding = "x".repeat(len - HEAD.len() - 5);
            let head = format!("GET /state HTTP/1.1\r\nHost: a\r\nX: {padding}\r\n\r\n");
            let mut response_cache = ResponseCache::default();
            response_cache.note(HEAD, &request(HEAD));
            response_cache.note(head.as_bytes(), &request(head.as_bytes()));
            assert_eq!((head.len(), response_cache.lookup(head.as_bytes()).is_some()), (len, kept));
            assert_eq!(response_cache.lookup(HEAD), None);
        }
    }
}
