//! Man pages: parts of `--help` and of the manual, and the table of flags, as man(7).

use super::{Flag, FlagScope, flags, has_value};
use crate::cli::flags::SECTIONS;
use crate::cli::help;

const MANUAL: &str = include_str!("../../../manual.md");

/// The date of the last change that users see.
const DATE: &str = "2026-11-29";

/// Lines of the source are shorter, as `mandoc -Tlint` demands.
const WIDTH: usize = 76;

pub(super) fn command() -> String {
    let help = help();
    let (head, rest) = help.split_once("\nTarget:\n").expect("a section");
    let paragraphs: Vec<&str> = head.split("\n\n").collect();
    let [description, _usage, targets, file] = &paragraphs[..] else { panic!("{paragraphs:?}") };
    let (_, rest) = rest.split_once("\nThe API serves").expect("a paragraph");
    let (api, rest) = rest.split_once("\n\nExit codes:\n").expect("a section");
    let (codes, examples) = rest.split_once("\n\nExamples:\n").expect("a section");

    let mut page = Page::new("PINGSTATE", 1, "probe targets and serve their state over HTTP");
    page.heading("SYNOPSIS");
    page.raw(".B pingstate\n.RI [ options ]\n.RI [ target ...]\n.br\n.B pingstate\n.RI [ options ]");
    page.raw(".B \\-\\-config\n.I file");
    page.heading("DESCRIPTION");
    [description, targets, file].into_iter().for_each(|text| page.paragraph(text));
    page.heading("OPTIONS");
    for section in &SECTIONS {
        let title = section.title.trim_end_matches(':');
        page.raw(&[".SS ", if title.is_empty() { "This run" } else { title }].concat());
        section.flags.iter().for_each(|flag| page.flag(flag));
    }
    page.heading("STATES");
    page.markdown(section("# States"));
    page.heading("HTTP API");
    page.paragraph(&format!("The API serves{api}"));
    page.heading("SIGNALS");
    page.item("`SIGHUP`", "reads the configuration file again. An invalid file changes nothing.");
    page.item("`SIGINT`, `SIGTERM`", "end the daemon. Running programs of `--on-change` get 2 seconds.");
    page.heading("EXIT STATUS");
    for line in codes.lines() {
        let (code, text) = line.trim_start().split_once("  ").expect("a code");
        page.item(code, text);
    }
    page.heading("ENVIRONMENT");
    page.item("`SSL_CERT_FILE`", "a file with certificates that are trusted, as with `--ca-file`.");
    page.item(
        "`CREDENTIALS_DIRECTORY`",
        "where files with secrets may be, see `LoadCredential=` of systemd.exec(5).",
    );
    page.item(
        "`NOTIFY_SOCKET`, `WATCHDOG_USEC`",
        "of systemd: readiness, state and watchdog, see sd_notify(3).",
    );
    page.item("`PATH`", "where programs of `--on-change` and exec: targets are found.");
    page.paragraph("Programs of `--on-change` have these variables:");
    let programs = section("# Notifications").split_once("\n## Programs\n").expect("a section").1;
    let lines: Vec<&str> = programs.lines().skip_while(|line| !line.starts_with('|')).collect();
    page.table(&lines[..lines.iter().position(|line| line.is_empty()).expect("an end")]);
    page.heading("FILES");
    page.item("`/etc/pingstate.conf`", "the file of the packaged service, see pingstate.conf(5).");
    page.item(
        "`/etc/resolv.conf`, `/etc/hosts`",
        "name servers and addresses of names; read again when they change.",
    );
    page.heading("EXAMPLES");
    page.verbatim(examples.lines().map(|line| line.trim_start()));
    page.heading("SEE ALSO");
    page.raw(".BR pingstate.conf (5)");
    page.text
}

pub(super) fn file() -> String {
    let mut page = Page::new("PINGSTATE.CONF", 5, "configuration file of pingstate");
    page.heading("SYNOPSIS");
    page.raw(".I name url\n.RI [ options ]\n.br\n.I options");
    page.heading("DESCRIPTION");
    page.markdown(section("# Configuration file"));
    page.heading("OPTIONS");
    for (scope, text) in [
        (FlagScope::Target, "After a target, or on a line of flags for the targets below it:"),
        (FlagScope::Daemon, "Of the daemon, on a line of flags:"),
    ] {
        page.paragraph(text);
        let names = flags::all().filter(|(_, of)| *of == scope).map(|(flag, _)| format!("`{}`", flag.name));
        page.paragraph(&(names.collect::<Vec<_>>().join(", ") + "."));
    }
    page.paragraph("pingstate(1) describes them.");
    page.heading("CHECKS");
    let checks = section("# What counts as up");
    page.markdown(checks.split_once("\n## ").map_or(checks, |(checks, _)| checks));
    page.heading("PROGRAMS");
    let text = checks.split_once("\n## Programs and plugins\n").expect("a section").1;
    page.markdown(text.split_once("\n## ").map_or(text, |(text, _)| text));
    page.heading("EXAMPLES");
    page.verbatim(include_str!("../../../../contrib/pingstate.conf").lines());
    page.heading("SEE ALSO");
    page.raw(".BR pingstate (1)");
    page.text
}

/// The section of the manual with this heading, and its subsections.
fn section(heading: &str) -> &'static str {
    let (_, text) = MANUAL.split_once(&format!("\n{heading}\n")).expect(heading);
    // In a block of code, # begins a comment.
    let (mut end, mut is_code) = (0, false);
    for line in text.split_inclusive('\n') {
        is_code ^= line.starts_with("```");
        if line.starts_with("# ") && !is_code {
            break;
        }
        end += line.len();
    }
    &text[..end]
}

struct Page {
    text: String,
}

impl Page {
    fn new(title: &str, number: u8, description: &str) -> Page {
        let version = env!("CARGO_PKG_VERSION");
        let mut page = Page { text: String::new() };
        page.raw(
            ".\\\" Generated from src/cli/flags.rs and src/manual.md: PINGSTATE_BLESS=1 cargo test generated",
        );
        page.raw(&format!(".TH {title} {number} {DATE} \"pingstate {version}\""));
        page.heading("NAME");
        page.raw(&format!("{} \\- {description}", title.to_lowercase()));
        page
    }

    fn raw(&mut self, line: &str) {
        self.text.extend([line, "\n"]);
    }

    fn heading(&mut self, title: &str) {
        self.raw(&[".SH ", title].concat());
    }

    fn begin_paragraph(&mut self) {
        // A heading does it, too.
        if !self.text.lines().last().is_some_and(|line| line.starts_with(".S")) {
            self.raw(".PP");
        }
    }

    fn paragraph(&mut self, text: &str) {
        self.begin_paragraph();
        self.filled(text);
    }

    fn filled(&mut self, text: &str) {
        let text = inline(text);
        let (mut line, mut words) = (String::new(), text.split_whitespace().peekable());
        while let Some(word) = words.next() {
            line.push_str(word);
            if words.peek().is_none_or(|next| line.len() + 1 + next.len() > WIDTH) {
                self.text_line(&line);
                line.clear();
            } else {
                line.push(' ');
            }
        }
    }

    /// A line of text, which may begin like a macro.
    fn text_line(&mut self, line: &str) {
        let is_macro = line.starts_with(['.', '\'']);
        self.raw(&[if is_macro { "\\&" } else { "" }, line].concat());
    }

    /// A line that stays one in the output; a long one is continued on the next lines of the source.
    fn whole_line(&mut self, line: &str) {
        let mut rest = line.to_owned();
        while let Some(at) = (rest.len() > WIDTH).then(|| rest[..WIDTH].rfind(' ')).flatten() {
            let end = rest.split_off(at + 1);
            self.text_line(&[&rest, "\\"].concat());
            rest = end;
        }
        self.text_line(&rest);
    }

    fn item(&mut self, tag: &str, text: &str) {
        self.raw(".TP");
        self.whole_line(&inline(tag));
        self.filled(text);
    }

    fn flag(&mut self, flag: &Flag) {
        let short = flag.short.map(|short| format!("`-{short}`, ")).unwrap_or_default();
        self.raw(".TP");
        let value = match has_value(flag) {
            true => format!(" \\fI{}\\fR", escape(flag.value, true)),
            false => String::new(),
        };
        self.whole_line(&(inline(&format!("{short}`{}`", flag.name)) + &value));
        let mut lines = flag.help.lines();
        let first = lines.next().unwrap_or_default();
        let end = if first.is_empty() || first.ends_with(':') { "" } else { "." };
        let default = match flag.default {
            "" => String::new(),
            default => format!(" Default: {default}."),
        };
        self.filled(&[first, end, &default].concat());
        let lines: Vec<&str> = lines.collect();
        if !lines.is_empty() {
            self.raw(".RS 7\n.EX");
            lines.iter().for_each(|line| self.whole_line(&escape(line, true)));
            self.raw(".EE\n.RE");
        }
    }

    fn verbatim<'a>(&mut self, lines: impl Iterator<Item = &'a str>) {
        self.begin_paragraph();
        self.raw(".RS 4\n.EX");
        lines.for_each(|line| self.whole_line(&escape(line, true)));
        self.raw(".EE\n.RE");
    }

    /// Rows of a table in Markdown, the first two of which are its head.
    fn table(&mut self, rows: &[&str]) {
        for row in &rows[2..] {
            let row = row.replace("\\|", "\u{0}");
            let cells: Vec<String> =
                row.trim_matches('|').split('|').map(|cell| cell.trim().replace('\u{0}', "|")).collect();
            match &cells[..] {
                [name, text] => self.item(name, text),
                [kinds, name, text] if name.is_empty() => self.item(kinds, text),
                [kinds, name, text] => self.item(&format!("{name} ({kinds})"), text),
                _ => panic!("{row}"),
            }
        }
    }

    fn markdown(&mut self, text: &str) {
        let mut lines = text.lines().peekable();
        while let Some(line) = lines.next() {
            let mut block = vec![line];
            if line.is_empty() {
                continue;
            } else if let Some(title) = line.strip_prefix("## ") {
                self.raw(&[".SS ", title].concat());
            } else if line.starts_with("```") {
                let code: Vec<&str> = lines.by_ref().take_while(|line| !line.starts_with("```")).collect();
                self.verbatim(code.into_iter());
            } else if line.starts_with('|') {
                block.extend(std::iter::from_fn(|| lines.next_if(|line| line.starts_with('|'))));
                self.table(&block);
            } else {
                block.extend(std::iter::from_fn(|| lines.next_if(|line| !line.is_empty())));
                self.paragraph(&block.join(" "));
            }
        }
    }
}

/// Text in Markdown: code is bold, links are their text.
fn inline(text: &str) -> String {
    let mut text = text.to_owned();
    while let Some(at) = text.find("](#") {
        let end = at + text[at..].find(')').expect("the end of a link");
        text.replace_range(at..=end, "");
        text.remove(text[..at].rfind('[').expect("the start of a link"));
    }
    let mut result = String::new();
    for (number, part) in text.split('`').enumerate() {
        match number % 2 {
            0 => result.push_str(&escape(part, false)),
            _ => result.extend(["\\fB", &escape(part, true), "\\fR"]),
        }
    }
    result
}

/// Characters that are special in man(7). `is_code`: hyphens and quotes can be copied to a shell.
fn escape(text: &str, is_code: bool) -> String {
    let (mut result, mut previous, mut is_flag) = (String::new(), ' ', false);
    for c in text.chars() {
        is_flag = match c {
            '-' => is_flag || !previous.is_alphanumeric(),
            ' ' | '\n' => false,
            _ => is_flag,
        };
        match c {
            '\\' => result.push_str("\\e"),
            '-' if is_code || is_flag => result.push_str("\\-"),
            '\'' if is_code => result.push_str("\\(aq"),
            '`' => result.push_str("\\(ga"),
            '^' => result.push_str("\\(ha"),
            '~' => result.push_str("\\(ti"),
            c if c.is_ascii() => result.push(c),
            c => result.push_str(&format!("\\[u{:04X}]", u32::from(c))),
        }
        previous = c;
    }
    result
}
