//! Where a redirect leads (RFC 3986 section 5).

use super::{Scheme, Url, check_length, quote, refuse_control_characters, split_authority, without_fragment};

pub(super) fn join(base: &Url, location: &str) -> Result<Url, String> {
    check_length(location)?;
    refuse_control_characters(location)?;
    let reference = without_fragment(location.trim_matches(' '));
    let (scheme, rest) = read_scheme(base.scheme, reference)?;
    if let Some(rest) = rest.strip_prefix("//") {
        let (authority, path) = split_authority(rest);
        let (host, port) = super::host::read_authority(scheme, authority)?;
        return finish(scheme, &host, port, path);
    }
    if rest.len() != reference.len() {
        return Err(format!("{} has no host", quote(reference)));
    }
    let (base_path, _) = split_query(&base.path);
    let (path, query) = split_query(rest);
    let merged = match path {
        "" if query.is_empty() => base.path.clone(),
        "" => format!("{base_path}{query}"),
        _ if path.starts_with('/') => rest.to_owned(),
        // Relative to the directory of the page that redirects (section 5.2.3).
        _ => format!("{}{rest}", base_path.rsplit_once('/').map_or("/", |(dir, _)| &base_path[..=dir.len()])),
    };
    finish(base.scheme, &base.host, base.port, &merged)
}

/// The scheme that the redirect names, or the one it is relative to, and the text after it.
fn read_scheme(base: Scheme, reference: &str) -> Result<(Scheme, &str), String> {
    let before = &reference[..reference.find(['/', '?']).unwrap_or(reference.len())];
    let scheme = match before.split_once(':') {
        None => base,
        Some((name, _)) => match Scheme::parse(name) {
            Ok(scheme) if scheme != Scheme::Tcp => scheme,
            _ => return Err(format!("{} is neither http nor https", quote(name))),
        },
    };
    if scheme == Scheme::Tcp {
        return Err("only http and https redirect".to_owned());
    }
    let rest = before.split_once(':').map_or(reference, |(name, _)| &reference[name.len() + 1..]);
    Ok((scheme, rest))
}

/// Cleans the path of the target; everything else of it has been read.
fn finish(scheme: Scheme, host: &str, port: u16, path: &str) -> Result<Url, String> {
    let (path, query) = split_query(path);
    let path = if path.is_empty() { "/" } else { path };
    let path = percent_encoded(&(remove_dot_segments(path) + query));
    check_length(&path)?;
    Ok(Url { scheme, host: host.to_owned(), port, path })
}

/// The path, and the query with its question mark.
fn split_query(path: &str) -> (&str, &str) {
    path.split_at(path.find('?').unwrap_or(path.len()))
}

/// Section 5.2.4, for a path that begins with `/`.
fn remove_dot_segments(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        if segment == ".." {
            out.truncate(out.rfind('/').unwrap_or(0));
        }
        let is_dots = matches!(segment, "." | "..");
        if !is_dots {
            out.push('/');
            out.push_str(segment);
        } else if segments.peek().is_none() {
            out.push('/');
        }
    }
    out
}

/// `text` with everything encoded that can not stand in a request line; existing escapes stay.
fn percent_encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_graphic() {
            out.push(c);
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            out.push('%');
            for nibble in [byte >> 4, byte & 15] {
                out.extend(char::from_digit(nibble.into(), 16).map(|digit| digit.to_ascii_uppercase()));
            }
        }
    }
    out
}
