//! Resolves redirects (RFC 3986 section 5); invalid references are read like curl does.

use super::{
    HTTP, HTTPS, Scheme, Url, check_length, percent_encoded, quote, refuse_control_characters, scheme_of,
};
use super::{host, split_authority, without_fragment};

pub(super) fn join(base: &Url, location: &str) -> Result<Url, String> {
    check_length(location)?;
    refuse_control_characters(location)?;
    let reference = without_fragment(location.trim_matches(' '));
    let (scheme, rest) = read_scheme(base.scheme, reference)?;
    let is_absolute = rest.len() != reference.len();
    let slashes = rest.bytes().take_while(|byte| *byte == b'/').count();
    if is_absolute && slashes == 0 {
        return Err(format!("{} has no host", quote(reference)));
    }
    if is_absolute || slashes > 1 {
        // Servers that concatenate URLs omit a slash or add one.
        let (authority, path) = split_authority(rest.get(slashes.min(3)..).unwrap_or(rest));
        let (host, port) = host::read_lenient_authority(scheme, authority)?;
        return finish(scheme, &host, port, path);
    }
    let (base_path, _) = split_query(&base.path);
    let (path, query) = split_query(rest);
    let merged = match path {
        "" if query.is_empty() => base.path.clone(),
        "" => format!("{base_path}{query}"),
        _ if path.starts_with('/') => rest.to_owned(),
        // Relative to the directory of the redirecting URL (section 5.2.3).
        _ => format!("{}{rest}", base_path.rsplit_once('/').map_or("/", |(dir, _)| &base_path[..=dir.len()])),
    };
    finish(base.scheme, &base.host, base.port, &merged)
}

/// The scheme of the redirect, or else of its base, and the text after it. Text before a colon that is not a
/// valid scheme name belongs to the path.
fn read_scheme<'a>(base: &'static Scheme, reference: &'a str) -> Result<(&'static Scheme, &'a str), String> {
    let is_in_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    match reference.split_once(':') {
        Some((name, rest)) if !name.is_empty() && name.chars().all(is_in_scheme) => {
            let scheme = scheme_of(name, &[&HTTP, &HTTPS]);
            scheme
                .map(|scheme| (scheme, rest))
                .map_err(|_| format!("{} is neither http nor https", quote(name)))
        }
        _ => Ok((base, reference)),
    }
}

/// Normalizes the path.
fn finish(scheme: &'static Scheme, host: &str, port: u16, path: &str) -> Result<Url, String> {
    let (path, query) = split_query(path);
    let path = if path.is_empty() { "/" } else { path };
    // Like curl, drop an empty query.
    let query = if query == "?" { "" } else { query };
    let path = percent_encoded((remove_dot_segments(path) + query).as_bytes());
    check_length(&path)?;
    Ok(Url { scheme, host: host.to_owned(), port, path })
}

/// Splits the path from the query, which keeps its `?`.
fn split_query(path: &str) -> (&str, &str) {
    path.split_at(path.find('?').unwrap_or(path.len()))
}

/// RFC 3986 section 5.2.4, for a path that starts with `/`.
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
