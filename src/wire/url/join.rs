//! Resolves redirects (RFC 3986 section 5); invalid references are read like curl does.

use super::{HTTP, HTTPS, Scheme, Url, check_length, percent_encoded, refuse_control_characters, scheme_of};
use super::{host, split_authority, without_fragment};
use crate::text::quote;

impl Url {
    /// Resolves the `location` of a redirect against this URL. Only http and https are accepted. User and
    /// password are dropped. Spaces and non-ASCII characters are percent-encoded, as in browsers.
    pub(crate) fn join(&self, location: &str) -> Result<Url, String> {
        check_length(location)?;
        refuse_control_characters(location)?;
        let reference = without_fragment(location.trim_matches(' '));
        let (scheme, rest) = read_scheme(self.scheme, reference)?;
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
        let (base_path, _) = split_query(&self.path);
        let (path, query) = split_query(rest);
        let merged = match path {
            "" if query.is_empty() => self.path.clone(),
            "" => format!("{base_path}{query}"),
            _ if path.starts_with('/') => rest.to_owned(),
            // Relative to the directory of the redirecting URL (section 5.2.3).
            _ => format!(
                "{}{rest}",
                base_path.rsplit_once('/').map_or("/", |(dir, _)| &base_path[..=dir.len()])
            ),
        };
        finish(self.scheme, &self.host, self.port, &merged)
    }
}

/// The scheme of the redirect, or else of its base, and the text after it. Text before a colon that is not a
/// valid scheme name belongs to the path.
fn read_scheme<'a>(base: &'static Scheme, reference: &'a str) -> Result<(&'static Scheme, &'a str), String> {
    let is_in_scheme = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.');
    match reference.split_once(':') {
        Some((name, rest)) if !name.is_empty() && name.chars().all(is_in_scheme) => {
            let refused = |_| format!("{} is neither http nor https", quote(name));
            Ok((scheme_of(name, &[&HTTP, &HTTPS]).map_err(refused)?, rest))
        }
        _ => Ok((base, reference)),
    }
}

fn finish(scheme: &'static Scheme, host: &str, port: u16, path: &str) -> Result<Url, String> {
    let (path, query) = split_query(path);
    let path = if path.is_empty() { "/" } else { path };
    // Like curl, drop an empty query.
    let query = if query == "?" { "" } else { query };
    let path = percent_encoded((remove_dot_segments(path) + query).as_bytes());
    check_length(&path)?;
    Ok(Url { scheme, host: host.to_owned(), zone: None, port, path })
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

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text, &[&HTTP, &HTTPS]).unwrap()
    }

    /// RFC 3986 section 5.4, except what cannot be probed; fragments are dropped.
    #[test]
    fn redirects_lead_where_the_rfc_says() {
        let base = url("http://a/b/c/d;p?q");
        for (location, target) in [
            ("http://g/", "http://g:80/"),
            ("g", "/b/c/g"),
            ("./g", "/b/c/g"),
            ("g/", "/b/c/g/"),
            ("/g", "/g"),
            ("//g", "http://g:80/"),
            ("?y", "/b/c/d;p?y"),
            ("g?y", "/b/c/g?y"),
            ("#s", "/b/c/d;p?q"),
            ("g#s", "/b/c/g"),
            ("g?y#s", "/b/c/g?y"),
            (";x", "/b/c/;x"),
            ("g;x", "/b/c/g;x"),
            ("g;x?y#s", "/b/c/g;x?y"),
            ("", "/b/c/d;p?q"),
            (".", "/b/c/"),
            ("./", "/b/c/"),
            ("..", "/b/"),
            ("../", "/b/"),
            ("../g", "/b/g"),
            ("../..", "/"),
            ("../../", "/"),
            ("../../g", "/g"),
            ("../../../g", "/g"),
            ("../../../../g", "/g"),
            ("/./g", "/g"),
            ("/../g", "/g"),
            ("g.", "/b/c/g."),
            (".g", "/b/c/.g"),
            ("g..", "/b/c/g.."),
            ("..g", "/b/c/..g"),
            ("./../g", "/b/g"),
            ("./g/.", "/b/c/g/"),
            ("g/./h", "/b/c/g/h"),
            ("g/../h", "/b/c/h"),
            ("g;x=1/./y", "/b/c/g;x=1/y"),
            ("g;x=1/../y", "/b/c/y"),
            ("g?", "/b/c/g"),
            ("?", "/b/c/d;p"),
            ("g?y/./x", "/b/c/g?y/./x"),
            ("g?y/../x", "/b/c/g?y/../x"),
            ("g#s/../x", "/b/c/g"),
        ] {
            let joined = base.join(location).unwrap_or_else(|e| panic!("{location:?}: {e}")).to_string();
            let target =
                if target.starts_with('/') { format!("http://a:80{target}") } else { target.to_owned() };
            assert_eq!(joined, target, "{location:?}");
        }
    }

    #[test]
    fn redirects_change_scheme_host_and_port() {
        let base = url("http://a:8080/x");
        for (location, target) in [
            ("https://A/", "https://a:443/"),
            ("HTTPS://b:8443", "https://b:8443/"),
            ("//[::1]:81/y", "http://[::1]:81/y"),
            ("//b", "http://b:80/"),
            ("/y", "http://a:8080/y"),
            ("https://b/../x/.?u=/../", "https://b:443/x/?u=/../"),
            ("/a//b/../c", "http://a:8080/a//c"),
            ("?a:b", "http://a:8080/x?a:b"),
            ("./a:b", "http://a:8080/a:b"),
            ("/a:b", "http://a:8080/a:b"),
            ("/a b/ü?ö=ä x", "http://a:8080/a%20b/%C3%BC?%C3%B6=%C3%A4%20x"),
            ("  /y  ", "http://a:8080/y"),
            ("/%20%zz", "http://a:8080/%20%zz"),
            ("/😀", "http://a:8080/%F0%9F%98%80"),
        ] {
            assert_eq!(base.join(location).map(|url| url.to_string()), Ok(target.to_owned()), "{location:?}");
        }
        assert_eq!(url("https://a/").join("//b").unwrap().port, 443);
    }

    /// As curl: servers that build a Location from parts write these.
    #[test]
    fn one_to_three_slashes_are_before_the_host() {
        let base = url("http://a:8080/x");
        for (location, target) in [
            ("http:/b/y", "http://b:80/y"),
            ("http:///b/y", "http://b:80/y"),
            ("https:/b:81", "https://b:81/"),
            ("HTTPS:///b?y", "https://b:443/?y"),
            ("///b:81/y", "http://b:81/y"),
            ("//b//y", "http://b:80//y"),
        ] {
            assert_eq!(base.join(location).map(|url| url.to_string()), Ok(target.to_owned()), "{location:?}");
        }
    }

    #[test]
    fn user_and_password_of_a_redirect_are_dropped() {
        let base = url("http://a:8080/x");
        for (location, target) in [
            ("http://u:p@b/y", "http://b:80/y"),
            ("//u@b:81", "http://b:81/"),
            ("//@b/", "http://b:80/"),
            ("//u:p:q@[::1]:81/@z", "http://[::1]:81/@z"),
            ("//u%40x:p@b/", "http://b:80/"),
            ("//b\\@c/", "http://c:80/"),
        ] {
            assert_eq!(base.join(location).map(|url| url.to_string()), Ok(target.to_owned()), "{location:?}");
        }
    }

    #[test]
    fn what_is_no_scheme_is_a_path() {
        let base = url("http://a:8080/b/x");
        for (location, target) in [
            (":y", "/b/:y"),
            ("://h/y", "/b/://h/y"),
            ("a b:c", "/b/a%20b:c"),
            ("<http://h/>", "/b/<http://h/>"),
            ("\\\\h:80/", "/b/\\\\h:80/"),
            ("y/http://h/", "/b/y/http://h/"),
        ] {
            let target = format!("http://a:8080{target}");
            assert_eq!(base.join(location).map(|url| url.to_string()), Ok(target), "{location:?}");
        }
    }

    #[test]
    fn redirects_that_lead_nowhere_are_refused() {
        let base = url("http://a/x");
        for (location, said) in [
            ("ftp://h/", "`ftp` is neither http nor https"),
            ("tcp://h:22", "neither http nor https"),
            ("javascript:alert(1)", "neither http nor https"),
            ("foo:bar", "neither http nor https"),
            ("http:g", "`http:g` has no host"),
            ("http:g/", "`http:g/` has no host"),
            ("localhost:80/", "`localhost` is neither http nor https"),
            ("http:", "has no host"),
            ("http://", "there is no host"),
            ("https:///", "there is no host"),
            ("//", "there is no host"),
            ("////x", "there is no host"),
            ("http:////x", "there is no host"),
            ("http:/", "there is no host"),
            ("//u:p@/", "there is no host"),
            ("//h:0/", "not between"),
            ("//me:secret@x@h/", "cannot hold a user"),
            ("//me:secret@h:0/", "not between"),
            ("//ü/", "punycode"),
            ("//a b/", "space"),
            ("//[::1", "bracket"),
            ("/a\tb", "control character"),
            ("/a\r\nSet-Cookie: x", "control character"),
            ("/\0", "control character"),
        ] {
            let error = base.join(location).expect_err(location);
            assert!(error.contains(said), "{location:?}: {error}");
        }
    }
}
