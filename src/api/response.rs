//! A response of the API and its wire format.

use std::time::{Duration, UNIX_EPOCH};

use crate::snapshot::SECONDS_MAX;

pub(crate) const JSON: &str = "application/json";
pub(crate) const TEXT: &str = "text/plain";

const HEAD_CAPACITY: usize = 192;
/// Bodies up to this size, in bytes, are copied behind the head even if they are shared.
pub(crate) const BODY_COPY_MAX: usize = 4096;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) content_type: &'static str,
    /// An additional header line with CRLF, or empty.
    pub(crate) field: &'static str,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Response { status, content_type, field: "", body: body.into() }
    }

    /// A response whose body is the reason phrase. 503 means that the daemon is at a limit and includes
    /// `Retry-After` (RFC 9110 section 10.2.3).
    pub(crate) fn error(status: u16) -> Self {
        let line = status_words(status)[4..].to_ascii_lowercase() + "\n";
        let field = if status == 503 { "Retry-After: 1\r\n" } else { "" };
        Response { field, ..Response::new(status, TEXT, line) }
    }

    /// `head_only` sends the length of the omitted body (RFC 9110 section 9.3.2). The default for persistent
    /// connections depends on `http11`, the version of the request (RFC 9112 section 9.3). The status line has
    /// the version of the server (RFC 9110 section 2.5).
    pub(crate) fn write(self, head_only: bool, keep_alive: bool, http11: bool, date: &str) -> Vec<u8> {
        let Response { status, content_type, field, mut body } = self;
        let mut head = head(status, content_type, field, body.len(), keep_alive, http11, date);
        if !head_only {
            head.append(&mut body);
        }
        head
    }
}

pub(crate) fn head(
    status: u16,
    content_type: &str,
    field: &str,
    body_len: usize,
    keep_alive: bool,
    http11: bool,
    date: &str,
) -> Vec<u8> {
    let mut head = String::with_capacity(HEAD_CAPACITY + body_len.min(BODY_COPY_MAX));
    let mut write = |pieces: &[&str]| pieces.iter().for_each(|piece| head.push_str(piece));
    write(&["HTTP/1.1 ", status_words(status), "\r\nDate: ", date, "\r\nContent-Type: ", content_type]);
    write(&["\r\nContent-Length: ", &body_len.to_string(), "\r\n", field]);
    write(&["Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n"]);
    write(&[match (keep_alive, http11) {
        (false, _) => "Connection: close\r\n\r\n",
        (true, false) => "Connection: keep-alive\r\n\r\n",
        (true, true) => "\r\n",
    }]);
    head.into_bytes()
}

/// The `Date` field (RFC 9110 section 5.6.7), formatted once per second.
#[derive(Default)]
pub(crate) struct Date {
    second: Option<u64>,
    text: String,
}

impl Date {
    /// Formats `unix`, the time since 1970. The format ends with the year 9999.
    pub(crate) fn at(&mut self, unix: Duration) -> &str {
        let second = unix.as_secs().min(SECONDS_MAX);
        if self.second != Some(second) {
            self.second = Some(second);
            self.text = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(second));
        }
        &self.text
    }
}

fn status_words(status: u16) -> &'static str {
    match status {
        200 => "200 OK",
        202 => "202 Accepted",
        400 => "400 Bad Request",
        401 => "401 Unauthorized",
        403 => "403 Forbidden",
        404 => "404 Not Found",
        405 => "405 Method Not Allowed",
        408 => "408 Request Timeout",
        421 => "421 Misdirected Request",
        431 => "431 Request Header Fields Too Large",
        503 => "503 Service Unavailable",
        505 => "505 HTTP Version Not Supported",
        _ => "500 Internal Server Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::test_now;

    fn written(response: Response, head_only: bool, keep_alive: bool, http11: bool) -> String {
        let bytes = response.write(head_only, keep_alive, http11, Date::default().at(test_now().unix));
        String::from_utf8(bytes).expect("all of it is ASCII here")
    }

    fn up() -> Response {
        Response::new(200, TEXT, "up\n")
    }

    const HEAD: &str = "HTTP/1.1 200 OK\r\nDate: Thu, 30 Jan 2025 01:20:00 GMT\r\nContent-Type: text/plain\r\n\
        Content-Length: 3\r\nCache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";

    #[test]
    fn says_how_the_connection_goes_on_where_the_version_does_not() {
        assert_eq!(written(up(), false, true, true), format!("{HEAD}\r\nup\n"));
        assert_eq!(written(up(), false, true, false), format!("{HEAD}Connection: keep-alive\r\n\r\nup\n"));
        for http11 in [true, false] {
            assert_eq!(written(up(), false, false, http11), format!("{HEAD}Connection: close\r\n\r\nup\n"));
        }
    }

    #[test]
    fn head_is_the_answer_to_get_without_its_body() {
        for keep_alive in [true, false] {
            for http11 in [true, false] {
                let get = written(up(), false, keep_alive, http11);
                assert_eq!(written(up(), true, keep_alive, http11) + "up\n", get);
            }
        }
    }

    #[test]
    fn refusals_say_what_they_mean_in_one_line() {
        for (status, words) in [
            (400, "Bad Request"),
            (401, "Unauthorized"),
            (403, "Forbidden"),
            (404, "Not Found"),
            (405, "Method Not Allowed"),
            (408, "Request Timeout"),
            (421, "Misdirected Request"),
            (431, "Request Header Fields Too Large"),
            (500, "Internal Server Error"),
            (503, "Service Unavailable"),
            (505, "HTTP Version Not Supported"),
        ] {
            let text = written(Response::error(status), false, false, true);
            assert!(text.starts_with(&format!("HTTP/1.1 {status} {words}\r\n")), "{text}");
            assert!(text.contains(&format!("\r\nContent-Length: {}\r\n", words.len() + 1)), "{text}");
            assert!(text.ends_with(&format!("\r\n\r\n{}\n", words.to_ascii_lowercase())), "{text}");
        }
    }

    #[test]
    fn a_further_field_stands_where_it_is_set() {
        let response = Response { field: "Allow: GET, HEAD\r\n", ..Response::error(405) };
        assert!(written(response, false, true, true).contains("\r\nAllow: GET, HEAD\r\n"));
        assert!(!written(up(), false, true, true).contains("Allow"));
    }

    #[test]
    fn a_503_for_lack_of_room_says_when_to_try_again() {
        assert!(written(Response::error(503), false, false, true).contains("\r\nRetry-After: 1\r\n"));
        assert!(!written(Response::new(503, TEXT, "down\n"), false, true, true).contains("Retry-After"));
    }

    #[test]
    fn dates_end_with_the_last_year_of_four_digits() {
        let mut date = Date::default();
        assert_eq!(date.at(Duration::ZERO), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(date.at(Duration::from_secs(SECONDS_MAX)), "Fri, 31 Dec 9999 23:59:59 GMT");
        assert_eq!(date.at(Duration::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
