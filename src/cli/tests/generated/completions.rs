//! Completions for bash, zsh and fish.

use super::{Flag, FlagScope, Set, flags, has_value, is_file, words};
use crate::probe::kinds::ANY;

/// What URLs begin with.
fn schemes() -> String {
    let schemes = ANY.iter().map(|kind| format!("{}{}", kind.name(), kind.scheme().separator()));
    schemes.collect::<Vec<_>>().join(" ")
}

/// The names of the flags that `matches` selects.
fn names(matches: impl Fn(&Flag) -> bool) -> Vec<String> {
    let short = |flag: &Flag| flag.short.map(|short| format!("-{short}"));
    let flags = flags::all().filter(|(flag, _)| matches(flag));
    flags.flat_map(|(flag, _)| short(flag).into_iter().chain([flag.name.to_owned()])).collect()
}

/// The description of a flag: the first line of that of `--help`.
fn description(flag: &Flag) -> String {
    match flag.help.lines().next() {
        Some(line) => line.trim_end_matches(':').to_owned(),
        None => format!("default: {}", flag.default),
    }
}

/// `words` on lines of at most 100 characters. `end` precedes each line feed.
fn wrapped(words: &[String], separator: &str, end: &str) -> String {
    let (mut text, mut width) = (String::new(), 0);
    for (number, word) in words.iter().enumerate() {
        if number > 0 {
            text.push_str(separator);
            width += separator.len();
        }
        if width + word.len() > 100 {
            text.truncate(text.trim_end().len());
            text.extend([end, "\n                "]);
            width = 0;
        }
        text.push_str(word);
        width += word.len();
    }
    text
}

pub(super) fn bash() -> String {
    let mut text = "\
# Completion of pingstate for bash. Generated from src/cli/flags.rs.

_pingstate() {
    local word=${COMP_WORDS[COMP_CWORD]} flag=${COMP_WORDS[COMP_CWORD - 1]}
    # Bash divides --flag=value into three words.
    if [[ $word == = ]]; then
        word=
    elif [[ $flag == = ]]; then
        flag=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    COMPREPLY=()
    case $flag in
"
    .to_owned();
    for (flag, _) in flags::all().filter(|(flag, _)| !words(flag).is_empty()) {
        let words = words(flag).join(" ");
        let reply = format!("mapfile -t COMPREPLY < <(compgen -W '{words}' -- \"$word\")");
        text += &format!("        {})\n            {reply}\n            return\n            ;;\n", flag.name);
    }
    let files = wrapped(&names(is_file), " | ", " \\");
    let commands = names(|flag| flag.value == "COMMAND").join(" | ");
    let others =
        |flag: &Flag| has_value(flag) && !is_file(flag) && flag.value != "COMMAND" && words(flag).is_empty();
    let others = wrapped(&names(others), " | ", " \\");
    let names = wrapped(&names(|_| true), " ", "");
    let schemes = schemes();
    text + &format!(
        "        {files})
            compopt -o filenames
            mapfile -t COMPREPLY < <(compgen -f -- \"$word\")
            return
            ;;
        {commands})
            mapfile -t COMPREPLY < <(compgen -c -- \"$word\")
            return
            ;;
        {others})
            return
            ;;
    esac
    case $word in
        -*)
            mapfile -t COMPREPLY < <(compgen -W '{names}' -- \"$word\")
            ;;
        *)
            compopt -o nospace
            mapfile -t COMPREPLY < <(compgen -W '{schemes}' -- \"$word\")
            ;;
    esac
}}

complete -F _pingstate pingstate
"
    )
}

pub(super) fn zsh() -> String {
    let mut text =
        "#compdef pingstate\n# Completion of pingstate for zsh. Generated from src/cli/flags.rs.\n\n\
         _arguments -S \\\n"
            .to_owned();
    for (flag, scope) in flags::all() {
        let quoted = |text: &str| {
            let text = text.replace('\\', "\\\\").replace('[', "\\[").replace(']', "\\]").replace(':', "\\:");
            text.replace('\'', "'\\''")
        };
        let described = format!("[{}]", quoted(&description(flag)));
        let action = match &words(flag)[..] {
            [] if is_file(flag) => "_files".to_owned(),
            [] if flag.value == "COMMAND" => "_command_names -e".to_owned(),
            [] => " ".to_owned(),
            words => format!("({})", words.join(" ")),
        };
        let argument = match has_value(flag) {
            true => format!("={described}:{}:{action}", quoted(flag.value.trim_matches('\''))),
            false => described,
        };
        let prefix = match flag.set {
            Set::Help | Set::Version => "(- *)",
            _ if flag.help.contains("repeatable") && scope != FlagScope::Process => "*",
            _ => "",
        };
        if let Some(short) = flag.short {
            text += &format!("    '{prefix}-{short}{argument}' \\\n");
        }
        text += &format!("    '{prefix}{}{argument}' \\\n", flag.name);
    }
    text + &format!("    '*:target:compadd -S \"\" - {}'\n", schemes())
}

pub(super) fn fish() -> String {
    let mut text =
        "# Completion of pingstate for fish. Generated from src/cli/flags.rs.\n\ncomplete -c pingstate -f\n"
            .to_owned();
    for (flag, _) in flags::all() {
        let quoted = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
        let short = flag.short.map(|short| format!(" -s {short}")).unwrap_or_default();
        let argument = match &words(flag)[..] {
            _ if !has_value(flag) => String::new(),
            [] if is_file(flag) => " -r -F".to_owned(),
            [] if flag.value == "COMMAND" => " -x -a '(__fish_complete_command)'".to_owned(),
            [] => " -x".to_owned(),
            words => format!(" -x -a '{}'", words.join(" ")),
        };
        let name = flag.name.trim_start_matches('-');
        text +=
            &format!("complete -c pingstate{short} -l {name}{argument} -d {}\n", quoted(&description(flag)));
    }
    text + &format!("complete -c pingstate -a '{}'\n", schemes())
}
