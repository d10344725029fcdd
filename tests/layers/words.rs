//! Words that must not be used in the source, the README and the manual, because readers who know the field
//! would have to learn them: metaphors, and persons where a peer, a process or a socket is meant.
//!
//! Identifiers count as their words: `hang_up`, `HangUp` and "hang up" are the same. The text of `--help` is
//! in `src/cli`.

use std::path::Path;

/// Words and phrases in lower case.
const WORDS: &[&str] = &[
    "anybody",
    "beat",
    "beats",
    "breath",
    "bulk",
    "can not",
    "carry out",
    "denial",
    "dial",
    "dials",
    "farewell",
    "fleet",
    "give up",
    "give way",
    "gives way",
    "grid",
    "hang up",
    "hangs up",
    "heeded",
    "hung up",
    "idlest",
    "inquiry",
    "is to be",
    "journal",
    "judged",
    "judgement",
    "news",
    "nobody",
    "owe",
    "owed",
    "owes",
    "patience",
    "pulse",
    "relieved",
    "sign of life",
    "somebody",
    "stopper",
    "stray",
    "successor",
    "successors",
    "the original",
    "tired",
    "told",
    "trouble",
    "unless told otherwise",
    "vitals",
    "weigh",
    "weighs",
    "who",
    "whom",
    "witness",
];

/// Places where a word is a standard term or part of an external name: a text that the line contains, and
/// the word.
const EXCEPTIONS: &[(&str, &str)] = &[
    ("pingstate_beats_skipped_total", "beats"), // the name of a metric
];

/// Files where a word is a standard term.
const FILE_EXCEPTIONS: &[(&str, &str)] = &[
    ("src/cli/tests/generated.rs", "journal"), // of systemd
    ("src/cli/log.rs", "journal"),             // of systemd
    ("src/cli/flags/daemon.rs", "journal"),    // a value of --log-format
    ("src/cli/values.rs", "journal"),          // a value of --log-format
    ("src/cli/tests.rs", "journal"),           // a value of --log-format
    ("src/manual.md", "journal"),              // of systemd
    ("README.md", "journal"),                  // of systemd
];

/// Words still in use, with the number of lines. The list may only become shorter.
const REMAINING: &[(&str, usize)] = &[];

#[test]
fn words_are_those_of_the_field() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = crate::sources(&["src"]);
    for name in ["README.md", "src/manual.md"] {
        files.push((name.to_owned(), std::fs::read_to_string(root.join(name)).expect("a readable file")));
    }
    let found: Vec<(&str, String)> = files.iter().flat_map(|(name, text)| violations(name, text)).collect();
    let mut errors = Vec::new();
    for word in WORDS {
        let lines: Vec<&str> =
            found.iter().filter(|(used, _)| used == word).map(|(_, line)| &**line).collect();
        let limit = REMAINING.iter().find(|(remaining, _)| remaining == word).map_or(0, |(_, limit)| *limit);
        if lines.len() > limit {
            errors.push(format!(
                "{word:?} is on {} lines (limit: {limit}):\n{}",
                lines.len(),
                lines.join("\n")
            ));
        }
    }
    assert!(errors.is_empty(), "\n{}\n", errors.join("\n"));
}

/// The words of the list that `text` uses, each with the line.
fn violations(name: &str, text: &str) -> Vec<(&'static str, String)> {
    let mut found = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let words = words(line);
        for word in WORDS {
            let is_exempt = EXCEPTIONS.iter().any(|(text, exempt)| exempt == word && line.contains(text))
                || FILE_EXCEPTIONS.iter().any(|(file, exempt)| exempt == word && *file == name);
            if words.contains(&format!(" {word} ")) && !is_exempt {
                found.push((*word, format!("{name}:{number}: {}", line.trim())));
            }
        }
    }
    found
}

/// The words of `line` in lower case, with a space before and after each. Identifiers are split.
fn words(line: &str) -> String {
    let mut words = String::from(" ");
    let mut after_lower = false;
    for c in line.chars() {
        let is_word = c.is_ascii_alphanumeric();
        if (!is_word || (after_lower && c.is_ascii_uppercase())) && !words.ends_with(' ') {
            words.push(' ');
        }
        if is_word {
            words.push(c.to_ascii_lowercase());
        }
        after_lower = c.is_ascii_lowercase();
    }
    words.push(' ');
    words
}

#[test]
fn every_word_of_the_list_is_found() {
    for word in WORDS {
        let snake = word.replace(' ', "_");
        let camel: String = word.split(' ').map(|part| part[..1].to_uppercase() + &part[1..]).collect();
        for line in [format!("// This, {word}."), format!("fn on_{snake}() {{"), format!("struct My{camel};")]
        {
            let found = violations("src/x.rs", &line);
            assert!(found.iter().any(|(used, _)| used == word), "{line}: {found:?}");
        }
        for line in [format!("// {word}x"), format!("fn x{snake}() {{")] {
            let found = violations("src/x.rs", &line);
            assert!(found.iter().all(|(used, _)| used != word), "{line}: {found:?}");
        }
    }
    assert_eq!(violations("src/x.rs", "\"pingstate_beats_skipped_total\""), []);
    assert_eq!(violations("src/cli/log.rs", "journal: bool"), []);
    assert_eq!(violations("src/x.rs", "journal: bool").len(), 1);
}
