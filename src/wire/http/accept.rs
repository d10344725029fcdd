//! Proactive content negotiation (RFC 9110 section 12.5.1) between the two representations that the API has.

use super::headers::Headers;
use crate::text::billionths;

/// Whether a client prefers HTML to JSON: it names `text/html`, with at least the weight of JSON.
///
/// A wildcard does not count as HTML: curl, scripts and monitoring send `*/*`, browsers name the type.
pub(super) fn prefers_html(headers: &Headers) -> bool {
    let weight = |ranges: &[&str]| ranges.iter().find_map(|range| weight(headers, range));
    let html = weight(&["text/html"]).unwrap_or(0);
    html > 0 && html >= weight(&["application/json", "application/*", "*/*"]).unwrap_or(0)
}

/// The highest weight of a media range in billionths, if a client sends it. An invalid weight counts as 0.
fn weight(headers: &Headers, range: &str) -> Option<u64> {
    let weights = headers.elements("accept").filter_map(|element| {
        let mut parts = element.split(';').map(|part| part.trim_matches([' ', '\t']));
        if !parts.next()?.eq_ignore_ascii_case(range) {
            return None;
        }
        let mut parameters = parts.filter_map(|part| part.split_once('='));
        let quality = parameters.find(|(name, _)| name.eq_ignore_ascii_case("q"));
        Some(quality.map_or(ONE, |(_, value)| billionths(value).filter(|value| *value <= ONE).unwrap_or(0)))
    });
    weights.max()
}

const ONE: u64 = 1_000_000_000;

#[cfg(test)]
mod tests {
    use super::*;
    use httparse::Header;

    fn prefers(values: &[&str]) -> bool {
        let fields = values.iter().map(|value| Header { name: "aCCept", value: value.as_bytes() });
        prefers_html(&Headers::from_parsed(fields.collect::<Vec<_>>().iter()))
    }

    #[test]
    fn browsers_get_html() {
        for value in [
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
            "text/html, application/xhtml+xml, image/jxr, */*",
            "text/html",
            "TEXT/HTML ; Q=0.001",
            "text/html;level=1;q=0.5",
            "text/html;q=.5, */*;q=0.5",
            "application/json;q=0.2, text/html;q=0.2",
            "application/json;q=0, text/html;q=0.1, */*;q=1",
            "application/*;q=0.3, text/html;q=0.4, */*",
            "text/html;q=0, text/html",
            "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
        ] {
            assert!(prefers(&[value]), "{value}");
        }
        assert!(prefers(&["application/json;q=0.3", "text/html;q=0.4"]));
    }

    #[test]
    fn other_clients_get_json() {
        for value in [
            "",
            ",",
            "*/*",
            "text/*",
            "application/json",
            "application/json, text/plain, */*",
            "application/json, text/html;q=0.9",
            "text/html;q=0.9, application/json",
            "text/html;q=0.5, */*",
            "text/html;q=0.5, application/*;q=0.6",
            "text/html;q=0",
            "text/html;q=0.000",
            "text/html;q=2",
            "text/html;q=x",
            "text/html;q=-1",
            "text/html2",
            "xtext/html",
            "text / html",
            "application/xhtml+xml;a=\"text/html\"",
        ] {
            assert!(!prefers(&[value]), "{value}");
        }
        assert!(!prefers(&[]) && !prefers(&["text/html;q=0.3", "application/json"]));
    }
}
