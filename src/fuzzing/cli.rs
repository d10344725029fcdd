//! User input: URLs, check specs, methods and header fields.

use std::time::Duration;

use super::Source;
use super::source::slicings;
use crate::check::needle::{Needle, Search};
use crate::check::{HttpCheck, TcpCheck};
use crate::probe::Probe;
use crate::probe::build::{ProbeBuilder, probe};
use crate::probe::kinds;
use crate::text::printable;
use crate::wire::http::request::{Read, read};
use crate::wire::http::write::{check_method, parse_header, request_head};
use crate::wire::url::{Form, HTTP, HTTPS, URL_MAX, Url};

/// One byte chooses the property.
pub fn cli(data: &[u8]) {
    let mut source = Source::new(data);
    match source.byte() % 6 {
        0 => {
            let text = String::from_utf8_lossy(source.rest());
            #[cfg(feature = "tls")]
            base64(&text);
            url(&text);
        }
        1 => password(&mut source),
        2 => check(&mut source),
        3 => head(&mut source),
        4 => built(&mut source),
        _ => shown(&mut source),
    }
}

fn parse(text: &str) -> Result<Url, String> {
    kinds::parse_url(text).map(|(_, url)| url)
}

/// An error is one printable line.
fn one_line(error: &str) {
    assert!(!error.contains(char::is_control) && error.chars().count() < 500, "{error:?}");
}

fn url(text: &str) {
    for url in [parse(text), Url::new(&HTTP, text, 80, "/"), Url::new(&HTTPS, "h", 1, text)] {
        let url = match url {
            Ok(url) => url,
            Err(error) => {
                one_line(&error);
                continue;
            }
        };
        if url.scheme.form == Form::Text {
            continue; // Its kind parses it.
        }
        let shown = url.to_string();
        assert!(shown.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'), "{shown}");
        assert!((url.port > 0) == url.scheme.has_port() && !url.host.is_empty() && url.host.len() <= 254);
        assert_eq!(url.path.is_empty(), !url.scheme.has_path());
        assert!(shown.contains(&url.authority()) && url.authority().contains(&url.host_field()));
        if shown.len() <= URL_MAX {
            assert_eq!(parse(&shown), Ok(url), "{shown}");
        }
    }
}

/// A text that is base64 is what its bytes are encoded as.
#[cfg(feature = "tls")]
fn base64(text: &str) {
    for text in text.split(|c: char| c.is_whitespace()) {
        assert!(
            crate::wire::base64::decode(text).is_none_or(|bytes| crate::wire::base64::encode(&bytes) == text)
        );
    }
}

/// A password in a URL is refused, and the error does not repeat it.
fn password(source: &mut Source<'_>) {
    let scheme = *source.choose(&["http", "https", "tcp", "ftp", ""]);
    let rest = String::from_utf8_lossy(source.rest());
    for text in [
        format!("{scheme}://me:Pa55word@{rest}"),
        format!("{scheme}://Pa55word@{rest}"),
        format!("me:Pa55word@{rest}"),
    ] {
        let error = parse(&text).expect_err("it contains a password");
        assert!(!error.contains("Pa55"), "{text:?}: {error}");
        one_line(&error);
    }
}

/// A text is found where a naive search finds it, however the bytes are split.
fn check(source: &mut Source<'_>) {
    let cut = source.number();
    let text = String::from_utf8_lossy(source.piece()).into_owned();
    let bytes = source.rest();
    for error in
        [HttpCheck::parse(&[&text]).err(), TcpCheck::parse(&[&text], "tcp").err()].into_iter().flatten()
    {
        one_line(&error);
    }
    if let Ok(check) = HttpCheck::parse(&[format!("status:{text}")]) {
        let listed: Vec<u16> = (0..=u16::MAX).filter(|status| check.lists(*status)).collect();
        assert!(!listed.is_empty() && listed.iter().all(|status| (100..=999).contains(status)));
        if listed.len() <= 64 {
            let list: Vec<String> = listed.iter().map(ToString::to_string).collect();
            let again = HttpCheck::parse(&[format!("status:{}", list.join(","))]).expect("a list");
            assert!((0..=u16::MAX).all(|status| again.lists(status) == check.lists(status)));
        }
    }
    let Some(needle) = Needle::new(&text) else { return };
    let end = (text.len()..=bytes.len()).find(|end| bytes[..*end].ends_with(text.as_bytes()));
    for pieces in slicings(bytes, cut) {
        let (mut search, mut seen, mut found) = (Search::default(), 0, None);
        for piece in pieces {
            seen += piece.len();
            found = search.find(&needle, &bytes[..seen]);
        }
        assert_eq!(found, end);
    }
}

/// Accepted methods, paths and fields make exactly the intended request.
fn head(source: &mut Source<'_>) {
    let method = String::from_utf8_lossy(source.piece());
    let path = format!("/{}", String::from_utf8_lossy(source.piece()));
    let rest = String::from_utf8_lossy(source.rest());
    let parsed =
        rest.split('\0').take(20).filter_map(|line| parse_header(line).map_err(|e| one_line(&e)).ok());
    let headers: Vec<_> = parsed.filter(|(name, _)| !name.eq_ignore_ascii_case("host")).collect();
    if let Err(error) = check_method(&method) {
        return one_line(&error);
    }
    let head = request_head(&method, &path, "h:1", &headers);
    if head.len() > 8000 {
        return;
    }
    let Read::Request(request, taken) = read(&head) else { panic!("{}", head.escape_ascii()) };
    assert_eq!(taken, head.len(), "{}", head.escape_ascii());
    assert!(request.http11 && !request.keep_alive && request.host.as_deref() == Some("h:1"));
    let line = head.split(|byte| *byte == b'\r').next().unwrap();
    assert!(line.starts_with(format!("{method} /").as_bytes()) && line.ends_with(b" HTTP/1.1"));
    assert!(line.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' '));
    let text = String::from_utf8(head).unwrap();
    for (name, value) in &headers {
        assert_eq!(text.matches(&format!("\r\n{name}: {value}\r\n")).count().min(1), 1, "{name} {value}");
    }
    let fields = text.matches("\r\n").count() - 2;
    assert!(fields >= headers.len() && fields <= headers.len() + 6);
}

/// A probe can be built, or the error is one line.
fn built(source: &mut Source<'_>) {
    let mut text = || String::from_utf8_lossy(source.piece()).into_owned();
    let (target, spec, name, method, header, path) = (text(), text(), text(), text(), text(), text());
    let builders = [ProbeBuilder::from_url(&target), probe("tcp", &target, 22), probe("http", &target, None)];
    for builder in builders {
        let mut builder = builder.check(&spec);
        if !method.is_empty() {
            builder = builder.header(&header, &path).verify_tls(false).method(&method).path(&path);
        }
        if !name.is_empty() {
            builder = builder.name(&name);
        }
        match builder.build() {
            Ok(built) => {
                assert!(built.timeout() > Duration::ZERO);
                for text in [built.name(), built.url()] {
                    assert!(!text.is_empty() && !text.contains(char::is_control), "{text:?}");
                }
            }
            Err(error) => one_line(error.message()),
        }
    }
}

/// Printable text is within its limit and has no control characters; making it printable again does not change it.
fn shown(source: &mut Source<'_>) {
    let limit = usize::from(source.byte()).max(1);
    let text = String::from_utf8_lossy(source.rest());
    let shown = printable(&text, limit);
    assert!(shown.chars().count() <= limit && !shown.contains(char::is_control));
    assert!(!shown.contains(['\u{202e}', '\u{200b}', '\u{2028}', '\u{feff}']));
    assert_eq!(printable(&shown, limit), shown);
}
