//! Cache of the last request with a small response: monitoring systems repeat the same request, which is then
//! neither parsed nor formatted again.

use crate::wire::http::request::Request;

/// The longest head that is cached, in bytes.
const HEAD_MAX: usize = 512;

#[derive(Default)]
pub(crate) struct ResponseCache {
    /// The request's bytes; empty if there is none.
    head: Vec<u8>,
    request: Option<Request>,
    answer: Vec<u8>,
    key: CacheKey,
}

/// What a response depends on besides the request: the second, which is in `Date`, and the number of state
/// changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CacheKey {
    pub(crate) second: u64,
    pub(crate) changes: u64,
}

impl ResponseCache {
    /// The cached request and its length, if `inbox` starts with it.
    pub(crate) fn lookup(&self, inbox: &[u8]) -> Option<(&Request, usize)> {
        let request = self.request.as_ref().filter(|_| inbox.starts_with(&self.head))?;
        Some((request, self.head.len()))
    }

    pub(crate) fn request(&self) -> Option<&Request> {
        self.request.as_ref()
    }

    /// The cached response, if it is still valid.
    pub(crate) fn answer(&self, key: CacheKey) -> Option<&[u8]> {
        (self.key == key && !self.answer.is_empty()).then_some(&self.answer)
    }

    /// Stores a request that was parsed from `head`.
    pub(crate) fn note(&mut self, head: &[u8], request: &Request) {
        *self = ResponseCache::default();
        if head.len() <= HEAD_MAX {
            (self.head, self.request) = (head.to_vec(), Some(request.clone()));
        }
    }

    /// Stores the response to the cached request.
    pub(crate) fn note_answer(&mut self, request: &Request, answer: &[u8], key: CacheKey) {
        if self.request.as_ref() == Some(request) {
            (self.answer, self.key) = (answer.to_vec(), key);
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
    fn a_request_is_matched_by_all_of_its_bytes() {
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
    fn a_response_is_valid_for_its_request_and_key_only() {
        let (second, changes) = (7, 3);
        let key = CacheKey { second, changes };
        let other = request(b"GET / HTTP/1.0\r\n\r\n");
        let mut response_cache = ResponseCache::default();
        response_cache.note(HEAD, &request(HEAD));
        assert_eq!(response_cache.answer(key), None);
        response_cache.note_answer(&other, b"no", key);
        assert_eq!(response_cache.answer(key), None);
        response_cache.note_answer(&request(HEAD), b"up", key);
        assert_eq!(response_cache.answer(key), Some(&b"up"[..]));
        assert_eq!(response_cache.answer(CacheKey { second: 8, changes }), None);
        assert_eq!(response_cache.answer(CacheKey { second, changes: 4 }), None);
        response_cache.note(HEAD, &request(HEAD));
        assert_eq!(response_cache.answer(key), None);
    }

    #[test]
    fn long_heads_are_not_cached() {
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
