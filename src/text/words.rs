//! Lines of words, quoted as in a shell: lines of the configuration file, and commands that run without a shell.

use super::quote;

/// Programs that are shells, or may be one.
const SHELLS: [&str; 5] = ["sh", "bash", "ash", "dash", "busybox"];

/// Words that only a shell interprets.
const OPERATORS: [&str; 11] = ["|", ">", ">>", "<", "&&", "||", ";", "&", "2>", "2>>", "2>&1"];

/// Splits a line into words, up to a comment.
pub(crate) fn split(text: &str) -> Result<Vec<String>, String> {
    let mut reader = shlex::Shlex::new(text);
    let words = reader.by_ref().collect();
    match reader.had_error {
        false => Ok(words),
        true if text.ends_with('\\') => Err("trailing backslash: a line cannot be continued".to_owned()),
        true => Err("unclosed quote".to_owned()),
    }
}

/// A command and its arguments. Shell syntax is refused unless the program is a shell.
pub(crate) fn command(text: &str) -> Result<Vec<String>, String> {
    let words = split(text)?;
    match words.first() {
        Some(program) if !program.is_empty() => refuse_shell_syntax(&words).map(|()| words),
        _ => Err("the command is empty".to_owned()),
    }
}

fn refuse_shell_syntax(words: &[String]) -> Result<(), String> {
    let program = words.first().and_then(|word| word.rsplit('/').next()).unwrap_or_default();
    let is_redirection =
        |word: &str| ["/", "./"].iter().any(|file| word.trim_start_matches(['>', '<']).starts_with(file));
    let is_syntax = |word: &str| {
        OPERATORS.contains(&word)
            || ["$PINGSTATE_", "${PINGSTATE_"].iter().any(|start| word.starts_with(start))
            || (word.starts_with(['>', '<']) && is_redirection(word))
            || (word.starts_with("2>") && is_redirection(&word[1..]))
    };
    match words.iter().find(|word| is_syntax(word)) {
        Some(word) if !SHELLS.contains(&program) => Err(format!(
            "{} is shell syntax, but the command runs without a shell: write sh -c '…'",
            quote(word)
        )),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shell_syntax_is_refused_unless_a_shell_reads_it() {
        let read = |text: &str| command(text).map(drop);
        for text in [
            "echo down | mail ops",
            "echo down > /tmp/log",
            "echo down >> /tmp/log",
            "mail ops < /tmp/text",
            "true && false",
            "true || false",
            "true ; false",
            "/usr/bin/logger $PINGSTATE_TARGET",
            "$PINGSTATE_TO x",
            "logger \"${PINGSTATE_TARGET} is down\"",
            "tell me &",
            "tell me 2>&1",
            "tell me >/dev/null",
            "tell me 2>/dev/null",
            "tell me >>./log",
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains("is shell syntax") && error.contains("sh -c '…'"), "{error}");
        }
        for text in [
            "sh -c 'echo $PINGSTATE_TO | mail ops'",
            "/bin/sh -c 'a' '|' $PINGSTATE_TO",
            "bash -c x ';'",
            "/bin/busybox sh -c x '>'",
            "/usr/bin/env sh -c 'a | b > c'",
            "curl -d 'a > b; c' http://h/?a&b",
            "logger '> 5' 'a;' '2>x' 2/3 <x> state=$PINGSTATE_TO",
        ] {
            assert_eq!(read(text), Ok(()), "{text}");
        }
    }
}
