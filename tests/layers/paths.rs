//! The paths of items that a source file mentions. Assumes the layout of rustfmt; text in strings counts as
//! code, which can only report too much.

/// Every path in the code that is not only compiled for tests, with its line. Groups are expanded:
/// `use std::{fs, net::TcpStream}` consists of `std::fs` and `std::net::TcpStream`.
pub(crate) fn paths(source: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    // The prefix of each open brace: not empty inside a group of paths.
    let (mut prefixes, mut path) = (Vec::new(), String::new());
    for (line, code) in code(source) {
        let mut chars = code.chars().chain(['\n']).peekable();
        while let Some(c) = chars.next() {
            let is_macro = c == '!' && !path.is_empty() && chars.peek() != Some(&'=');
            if c.is_alphanumeric() || matches!(c, '_' | ':' | '*') || is_macro {
                path.push(c);
                continue;
            }
            if c == '{' && path.ends_with("::") {
                prefixes.push(path.clone());
                continue;
            }
            let prefix = prefixes.last().map_or("", String::as_str);
            let text = path.trim_start_matches(':');
            if path != prefix && text.starts_with(|c: char| c.is_alphabetic() || c == '_') {
                found.push((line, text.to_owned()));
            }
            match c {
                '{' => prefixes.push(String::new()),
                '}' => drop(prefixes.pop()),
                _ => {}
            }
            path = prefixes.last().cloned().unwrap_or_default();
        }
    }
    found
}

/// The lines of `source`, numbered from 1, without comments and without items for tests.
fn code(source: &str) -> Vec<(usize, &str)> {
    let (mut lines, mut item) = (Vec::new(), None);
    for (number, line) in (1..).zip(source.lines()) {
        let indent = line.len() - line.trim_start().len();
        let text = line.trim_start();
        match item {
            // The item ends with a line that is indented as its first one.
            Some(start) => {
                let is_end = indent == start && !text.starts_with('#') && text.ends_with([';', '}', ',']);
                item = (!is_end).then_some(start);
            }
            None if text.starts_with("#[cfg(") && text.contains("test") && !text.contains("not(") => {
                item = Some(indent);
            }
            None => lines.push((number, without_comment(line))),
        }
    }
    lines
}

/// The part of `line` before `//`, unless that belongs to a URL.
fn without_comment(line: &str) -> &str {
    let is_comment = |at: &usize| !line[..*at].ends_with(':');
    let comment = line.match_indices("//").map(|(at, _)| at).find(is_comment);
    &line[..comment.unwrap_or(line.len())]
}
