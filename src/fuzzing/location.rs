//! Redirects.

use super::Source;
use crate::wire::url::{HTTP, HTTPS, URL_MAX, Url};

/// The URL of the redirecting resource, preceded by its length in one byte, then the `Location` value.
pub fn location(data: &[u8]) {
    let mut source = Source::new(data);
    let (base, location) = (String::from_utf8_lossy(source.piece()), String::from_utf8_lossy(source.rest()));
    let parse = |text: &str| Url::parse(text, &[&HTTP, &HTTPS]);
    let Ok(base) = parse(&base).or_else(|_| parse("http://a/b/c/d;p?q")) else { return };
    let url = match base.join(&location) {
        Ok(url) => url,
        Err(error) => return assert!(error.chars().count() < 400 && !error.contains(char::is_control)),
    };
    assert!(url.port > 0);
    assert!(url.path.starts_with('/') && url.path.len() <= URL_MAX);
    assert!(url.to_string().bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'), "{url}");
    let (path, _) = split_query(&url.path);
    assert!(path.split('/').all(|segment| segment != "." && segment != ".."), "{url}");
    let shown = url.to_string();
    if shown.len() <= URL_MAX {
        assert_eq!(parse(&shown).as_ref(), Ok(&url));
        // A redirect reads a hexadecimal number as an IPv4 address, a target as a name.
        let is_hexadecimal = url.host.split('.').any(|part| part.starts_with("0x"));
        if !is_hexadecimal {
            assert_eq!(base.join(&shown).as_ref(), Ok(&url), "an absolute URL resolves to itself");
        }
        assert_eq!(url.join("").as_ref(), Ok(&url), "an empty location resolves to the base");
    }
    same_path(&base, &location, &url);
}

/// For a location that is only a path: the algorithms of RFC 3986 sections 5.2.3 and 5.2.4.
fn same_path(base: &Url, location: &str, url: &Url) {
    let reference = location.trim_matches(' ').split('#').next().unwrap_or_default();
    let (path, query) = split_query(reference);
    let query = if query == "?" { "" } else { query };
    let is_in_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let has_scheme =
        path.split_once(':').is_some_and(|(name, _)| !name.is_empty() && name.chars().all(is_in_scheme));
    if path.is_empty() || path.starts_with("//") || has_scheme {
        return;
    }
    let base_path = split_query(&base.path).0;
    let merged = match path.strip_prefix('/') {
        Some(_) => path.to_owned(),
        None => base_path[..=base_path.rfind('/').unwrap()].to_owned() + path,
    };
    let expected = remove_dot_segments(&merged) + query;
    let encode = |c: char| match c.is_ascii_graphic() {
        true => c.to_string(),
        false => c.to_string().bytes().map(|byte| format!("%{byte:02X}")).collect(),
    };
    assert_eq!(url.path, expected.chars().map(encode).collect::<String>());
    assert_eq!((url.scheme, &url.host, url.port), (base.scheme, &base.host, base.port));
}

/// RFC 3986 section 5.2.4 with its two buffers.
fn remove_dot_segments(path: &str) -> String {
    let (mut input, mut output) = (path.to_owned(), String::new());
    while !input.is_empty() {
        if input.starts_with("/./") {
            input.replace_range(..3, "/");
        } else if input == "/." {
            input = "/".to_owned();
        } else if input.starts_with("/../") {
            input.replace_range(..4, "/");
            output.truncate(output.rfind('/').unwrap_or(0));
        } else if input == "/.." {
            input = "/".to_owned();
            output.truncate(output.rfind('/').unwrap_or(0));
        } else {
            let end = input[1..].find('/').map_or(input.len(), |at| at + 1);
            output.push_str(&input[..end]);
            input.drain(..end);
        }
    }
    output
}

fn split_query(text: &str) -> (&str, &str) {
    text.split_at(text.find('?').unwrap_or(text.len()))
}
