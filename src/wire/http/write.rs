//! Writes the requests of probes and validates methods and headers of the user.

use super::is_token_byte;
use crate::wire::url::percent_encoded;

pub(crate) const METHOD_MAX: usize = 32;
const EXCERPT_MAX: usize = 40;

const TRANSFER_ENCODING: &str = "Transfer-Encoding";

/// The bytes of a chunk of at most 4 GiB besides its data.
const CHUNK_FRAME: usize = 12;

/// The head of a request without a body, with `Connection: close`. `headers` replace default fields with the
/// same name; others follow the defaults. Method and headers must have been validated by [`check_method`] and
/// [`parse_header`].
pub(crate) fn request_head(method: &str, path: &str, host: &str, headers: &[(String, String)]) -> Vec<u8> {
    // RFC 9110 section 8.6: methods that anticipate content send a length of 0 without it.
    let is_chunked = headers.iter().any(|(name, _)| name == TRANSFER_ENCODING);
    let sends_length = matches!(method, "POST" | "PUT" | "PATCH") && !is_chunked;
    let content_length = sends_length.then_some(("Content-Length", "0"));
    let defaults = [
        ("Host", host),
        ("User-Agent", concat!("pingstate/", env!("CARGO_PKG_VERSION"))),
        ("Accept", "*/*"),
        ("Accept-Encoding", "identity"),
        ("Connection", "close"),
    ];
    let defaults = defaults.into_iter().chain(content_length);

    // Paths also come from redirects: a hostile server must not be able to end the request line and inject
    // fields or requests.
    let mut head = String::with_capacity(256);
    // `format!` would take a tenth of the time of a check.
    let mut push = |parts: [&str; 4]| parts.into_iter().for_each(|part| head.push_str(part));
    push([method, " ", &percent_encoded(path.as_bytes()), " HTTP/1.1\r\n"]);
    for (name, value) in defaults.clone() {
        let own = headers.iter().filter(|header| header.0.eq_ignore_ascii_case(name));
        if own.clone().next().is_none() {
            push([name, ": ", value, "\r\n"]);
        }
        for (name, value) in own {
            push([name, ": ", value, "\r\n"]);
        }
    }
    for (name, value) in headers {
        if !defaults.clone().any(|default| default.0.eq_ignore_ascii_case(name)) {
            push([name, ": ", value, "\r\n"]);
        }
    }
    head += "\r\n";
    head.into_bytes()
}

/// The header field of a body that [`chunk`] writes.
pub(crate) fn chunked() -> (String, String) {
    (TRANSFER_ENCODING.to_owned(), "chunked".to_owned())
}

/// One chunk of a body (RFC 9112 section 7.1). An empty one ends it.
pub(crate) fn chunk(bytes: &[u8]) -> Vec<u8> {
    let mut chunk = Vec::with_capacity(bytes.len() + CHUNK_FRAME);
    chunk.extend_from_slice(format!("{:x}\r\n", bytes.len()).as_bytes());
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

/// The error is one line for the user.
pub(crate) fn check_method(method: &str) -> Result<(), String> {
    if method.is_empty() {
        return Err("the method is empty".to_owned());
    }
    if method.len() > METHOD_MAX {
        return Err(format!("the method is longer than {METHOD_MAX} characters"));
    }
    match find_non_token(method) {
        Some(c) => Err(format!("a method cannot contain {c:?}")),
        None => Ok(()),
    }
}

/// Parses `Name: value`. The error is one line for the user.
pub(crate) fn parse_header(text: &str) -> Result<(String, String), String> {
    let Some((name, value)) = text.split_once(':') else {
        return Err(format!("no colon in {:?}: a header is 'Name: value'", excerpt(text)));
    };
    let value = value.trim_matches([' ', '\t']);
    if name.is_empty() {
        return Err("a header needs a name before the colon".to_owned());
    }
    if let Some(c) = find_non_token(name) {
        return Err(format!("the header name {:?} contains {c:?}", excerpt(name)));
    }
    if let Some(c) = value.chars().find(|c| c.is_control() && *c != '\t') {
        return Err(format!("the value of the header {} contains {c:?}", excerpt(name)));
    }
    // These define the framing: a request has no body and its own connection.
    let own = ["Content-Length", "Transfer-Encoding", "Connection"];
    if own.iter().any(|own| own.eq_ignore_ascii_case(name)) {
        return Err(format!("the header {name} is pingstate's own and cannot be set"));
    }
    Ok((name.to_owned(), value.to_owned()))
}

fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT_MAX).collect()
}

/// The first character that a token cannot contain (RFC 9110 section 5.6.2).
fn find_non_token(text: &str) -> Option<char> {
    text.chars().find(|c| !u8::try_from(*c).is_ok_and(is_token_byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(method: &str, path: &str, headers: &[(&str, &str)]) -> String {
        let headers: Vec<_> =
            headers.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        String::from_utf8(request_head(method, path, "example.com:8080", &headers)).expect("ASCII")
    }

    #[test]
    fn requests_have_default_fields() {
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(
            written("GET", "/healthz?x=1", &[]),
            format!(
                "GET /healthz?x=1 HTTP/1.1\r\nHost: example.com:8080\r\nUser-Agent: pingstate/{version}\r\n\
                 Accept: */*\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
            )
        );
    }

    #[test]
    fn headers_of_the_user_replace_the_defaults_or_follow_them() {
        let head = written(
            "GET",
            "/",
            &[
                ("X-Token", "s3cret"),
                ("user-agent", "me"),
                ("HOST", "other"),
                ("Accept", "a"),
                ("accept", "b"),
            ],
        );
        assert_eq!(
            head,
            "GET / HTTP/1.1\r\nHOST: other\r\nuser-agent: me\r\nAccept: a\r\naccept: b\r\n\
             Accept-Encoding: identity\r\nConnection: close\r\nX-Token: s3cret\r\n\r\n"
        );
    }

    #[test]
    fn methods_that_anticipate_a_body_send_its_length() {
        for method in ["POST", "PUT", "PATCH"] {
            assert!(written(method, "/", &[]).ends_with("close\r\nContent-Length: 0\r\n\r\n"));
        }
        for method in ["GET", "HEAD", "DELETE", "OPTIONS"] {
            assert!(!written(method, "/", &[]).contains("Content-Length"));
        }
    }

    #[test]
    fn a_chunked_body_has_no_length() {
        let head = request_head("POST", "/", "h", &[chunked()]);
        let head = String::from_utf8(head).expect("ASCII");
        assert!(head.ends_with("\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n"), "{head}");
        assert!(!head.contains("Content-Length"), "{head}");
        assert_eq!(chunk(b"0123456789abcdef"), b"10\r\n0123456789abcdef\r\n");
        assert_eq!(chunk(b""), b"0\r\n\r\n");
    }

    #[test]
    fn paths_cannot_end_the_request_line() {
        assert!(
            written("GET", "/a b\r\nX: y\0ü%20", &[])
                .starts_with("GET /a%20b%0D%0AX:%20y%00%C3%BC%20 HTTP/1.1\r\n")
        );
    }

    #[test]
    fn methods_are_tokens() {
        for method in ["GET", "M-SEARCH", "get", &"A".repeat(32)] {
            assert_eq!(check_method(method), Ok(()));
        }
        assert_eq!(check_method(""), Err("the method is empty".to_owned()));
        assert_eq!(check_method("GET /"), Err("a method cannot contain ' '".to_owned()));
        assert_eq!(check_method("G\r\n"), Err("a method cannot contain '\\r'".to_owned()));
        assert_eq!(check_method(&"A".repeat(33)), Err("the method is longer than 32 characters".to_owned()));
        assert!(check_method("GÉT").is_err());
    }

    #[test]
    fn headers_are_read_as_typed() {
        for (text, name, value) in [
            ("X: y", "X", "y"),
            ("X:y", "X", "y"),
            ("X-Empty:", "X-Empty", ""),
            ("Referer: \t http://a/:b \t", "Referer", "http://a/:b"),
            ("X: a\tb grün", "X", "a\tb grün"),
        ] {
            assert_eq!(parse_header(text), Ok((name.to_owned(), value.to_owned())), "{text:?}");
        }
    }

    #[test]
    fn headers_that_would_break_the_request_are_refused() {
        for (text, error) in [
            ("X", "no colon in \"X\": a header is 'Name: value'"),
            (": y", "a header needs a name before the colon"),
            ("X : y", "the header name \"X \" contains ' '"),
            ("X\n: y", "the header name \"X\\n\" contains '\\n'"),
            ("X: a\r\nY: b", "the value of the header X contains '\\r'"),
            ("X: a\u{85}", "the value of the header X contains '\\u{85}'"),
            ("X: a\0", "the value of the header X contains '\\0'"),
            ("X: a\n", "the value of the header X contains '\\n'"),
            ("content-length: 5", "the header content-length is pingstate's own and cannot be set"),
            ("Transfer-Encoding: x", "the header Transfer-Encoding is pingstate's own and cannot be set"),
            ("CONNECTION: x", "the header CONNECTION is pingstate's own and cannot be set"),
        ] {
            assert_eq!(parse_header(text), Err(error.to_owned()), "{text:?}");
        }
    }

    #[test]
    fn errors_about_headers_are_short() {
        let long = "\u{4}".repeat(10_000);
        for text in [long.clone(), format!("{long}:"), format!("{}:\0", "X".repeat(10_000))] {
            assert!(parse_header(&text).is_err_and(|error| error.len() < 300), "{}", text.len());
        }
        for len in [40, 41] {
            let error = parse_header(&"x".repeat(len)).unwrap_err();
            assert!(error.contains(&format!(" \"{}\":", "x".repeat(40))), "{error}");
        }
    }
}
