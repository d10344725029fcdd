//! A minimal tokenizer for Rust sources and the paths in them: enough to see which items a file uses.

/// An identifier, or punctuation: `::`, `!=` or a single character.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Token<'a> {
    pub(crate) text: &'a str,
    pub(crate) line: usize,
}

/// The tokens of `source` without comments, strings, characters and lifetimes.
pub(crate) fn tokens(source: &str) -> Vec<Token<'_>> {
    let mut tokens = Vec::new();
    let (mut rest, mut line) = (source, 1);
    while let Some(c) = rest.chars().next() {
        let name = name_length(rest);
        let (skipped, length) = match literal(rest, name) {
            Some(length) => (true, length),
            None if name > 0 => (false, name),
            None if rest.starts_with("::") || rest.starts_with("!=") => (false, 2),
            None => (c.is_whitespace(), c.len_utf8()),
        };
        let (text, after) = rest.split_at(length);
        if !skipped {
            tokens.push(Token { text, line });
        }
        line += text.matches('\n').count();
        rest = after;
    }
    tokens
}

fn name_length(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())
}

/// The length of the comment, string, character or lifetime at the start of `rest`; `name` is the length
/// of the identifier there, which may be a prefix such as the `br` of `br"bytes"`.
fn literal(rest: &str, name: usize) -> Option<usize> {
    if rest.starts_with("//") {
        return Some(rest.find('\n').unwrap_or(rest.len()));
    }
    if rest.starts_with("/*") {
        return Some(block_comment(rest));
    }
    let (prefix, after) = rest.split_at(name);
    if !matches!(prefix, "" | "b" | "c" | "r" | "br" | "cr") {
        return None;
    }
    if prefix.ends_with('r') {
        let hashes = after.len() - after.trim_start_matches('#').len();
        let body = after[hashes..].strip_prefix('"')?;
        let end = format!("\"{}", "#".repeat(hashes));
        let closed = body.find(&end).map_or(body.len(), |at| at + end.len());
        return Some(name + hashes + 1 + closed);
    }
    let mut chars = after.chars();
    match (chars.next()?, chars.next(), chars.next()) {
        ('"', ..) => Some(name + quoted(after, '"')),
        ('\'', Some('\\'), _) => Some(name + quoted(after, '\'')),
        ('\'', Some(c), Some('\'')) => Some(name + 2 + c.len_utf8()),
        ('\'', ..) => Some(name + 1 + name_length(&after[1..])),
        _ => None,
    }
}

/// The length of the string at the start of `text`, including both quotes.
fn quoted(text: &str, quote: char) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// The length of the comment at the start of `text`; comments can be nested.
fn block_comment(text: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < text.len() {
        match text.as_bytes().get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return at;
        }
    }
    text.len()
}

/// The tokens without the items that are compiled for tests only.
pub(crate) fn without_tests(tokens: Vec<Token<'_>>) -> Vec<Token<'_>> {
    let texts: Vec<&str> = tokens.iter().map(|token| token.text).collect();
    let (mut kept, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        let attribute = texts[at..].iter().position(|text| *text == "]").map_or(at, |end| at + end);
        let inside = &texts[at..attribute];
        let is_test = inside.starts_with(&["#", "[", "cfg", "("]) && inside.contains(&"test");
        if is_test && !inside.contains(&"not") {
            at = item_end(&texts, attribute + 1);
        } else {
            kept.push(tokens[at]);
            at += 1;
        }
    }
    kept
}

/// The index after the item that begins at `at`: after its semicolon or its body.
fn item_end(texts: &[&str], mut at: usize) -> usize {
    let mut depth = 0;
    while at < texts.len() {
        match texts[at] {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth -= 1,
            _ => {}
        }
        at += 1;
        if depth < 0 || (depth == 0 && matches!(texts[at - 1], ";" | "}")) {
            break;
        }
    }
    at
}

/// Every path in the tokens with its line, groups expanded. A single identifier is a path of one part,
/// and the exclamation mark of a macro is a part of its own.
pub(crate) fn paths<'a>(tokens: &[Token<'a>]) -> Vec<(usize, Vec<&'a str>)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while at < tokens.len() {
        at = if name_length(tokens[at].text) > 0 { tree(tokens, at, Vec::new(), &mut found) } else { at + 1 };
    }
    found
}

/// Expands the path or tree of paths that begins at `at`; returns the index after it.
fn tree<'a>(
    tokens: &[Token<'a>],
    mut at: usize,
    mut prefix: Vec<&'a str>,
    found: &mut Vec<(usize, Vec<&'a str>)>,
) -> usize {
    while let Some(token) = tokens.get(at) {
        let next = tokens.get(at + 1).map_or("", |next| next.text);
        match token.text {
            "{" => {
                at += 1;
                while let Some(token) = tokens.get(at) {
                    match token.text {
                        "}" => return at + 1,
                        "," => at += 1,
                        _ => at = tree(tokens, at, prefix.clone(), found).max(at + 1),
                    }
                }
                return at;
            }
            text if text == "*" || name_length(text) > 0 => {
                prefix.push(text);
                at += 1;
                if next == "!" {
                    prefix.push(next);
                }
                if next != "::" {
                    found.push((token.line, prefix));
                    return if next == "as" { at + 2 } else { at };
                }
                at += 1;
            }
            _ => {
                // Generic arguments follow: `Vec::<u8>::new`.
                found.push((token.line, prefix));
                return at;
            }
        }
    }
    at
}
