//! Lines for people, on standard error; nothing here fails when nobody reads them.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};

use socket2::SockRef;

use crate::result::printable;

/// Where the system shows this process what its standard error is.
const STDERR: &str = "/proc/self/fd/2";

/// Linux's `O_NONBLOCK` and `O_NOCTTY`, for which the standard library has no names.
const NONBLOCK: i32 = if IS_MIPS { 0o200 } else { 0o4000 };
const NOCTTY: i32 = if IS_MIPS { 0o4000 } else { 0o400 };
const IS_MIPS: bool = cfg!(any(target_arch = "mips", target_arch = "mips64"));

/// Linux's `MSG_DONTWAIT`.
const DONTWAIT: i32 = 0x40;

/// How important a line is, in the words of syslog(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Priority {
    Error,
    Warning,
    Notice,
    Info,
}

impl Priority {
    /// The number as the journal reads it at the start of a line (sd-daemon(3)).
    fn prefix(self) -> &'static str {
        match self {
            Priority::Error => "<3>",
            Priority::Warning => "<4>",
            Priority::Notice => "<5>",
            Priority::Info => "<6>",
        }
    }
}

/// Where lines go, and in what dress.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Log {
    journal: bool,
}

impl Log {
    /// Finds out who reads standard error.
    pub(crate) fn new() -> Log {
        let stream = std::env::var("JOURNAL_STREAM").ok();
        let stderr = std::fs::metadata(STDERR).ok().map(|file| (file.dev(), file.ino()));
        Log { journal: is_journal(stream.as_deref(), stderr) }
    }

    /// Writes one line.
    pub(crate) fn line(self, priority: Priority, text: &str) {
        let line = dressed(self.journal, priority, text);
        // In one piece, so that lines of several processes do not mix. A reader that is gone is no
        // reason to stop watching, and neither is one that sleeps.
        let _ = write_at_once(line.as_bytes());
    }

    /// Writes one line about what went wrong.
    pub(crate) fn error(self, text: &str) {
        self.line(Priority::Error, text);
    }

    /// Writes any number of lines about what is wrong, and waits for their reader: nothing runs yet.
    pub(crate) fn errors(self, texts: &[String]) {
        let lines: String = texts.iter().map(|text| dressed(self.journal, Priority::Error, text)).collect();
        let _ = io::stderr().write_all(lines.as_bytes());
    }
}

/// Writes to standard error in a way that does not wait for its reader, where there is one to wait for:
/// on a pipe, a terminal or a socket (the journal's) that takes nothing more, the line is lost.
fn write_at_once(line: &[u8]) -> io::Result<()> {
    let kind = std::fs::metadata(STDERR).map(|file| file.file_type());
    match kind {
        Ok(kind) if cfg!(target_os = "linux") && kind.is_socket() => {
            SockRef::from(&io::stderr()).send_with_flags(line, DONTWAIT).map(drop)
        }
        Ok(kind) if cfg!(target_os = "linux") && (kind.is_fifo() || kind.is_char_device()) => {
            match reopened() {
                Ok(mut stderr) => stderr.write(line).map(drop),
                Err(_) => io::stderr().write_all(line),
            }
        }
        _ => io::stderr().write_all(line),
    }
}

/// Standard error, opened anew: the flags of the one that was handed down are shared with other processes.
fn reopened() -> io::Result<File> {
    OpenOptions::new().write(true).custom_flags(NONBLOCK | NOCTTY).open(STDERR)
}

/// Prints what was asked for; says whether it could be written.
pub(crate) fn print(text: &str) -> bool {
    let mut out = io::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).is_ok()
}

/// The system's words without the error number.
pub(crate) fn plain(error: &io::Error) -> String {
    let mut text = error.to_string();
    if let Some(end) = text.find(" (os error") {
        text.truncate(end);
    }
    text
}

/// Whether the journal reads standard error: `JOURNAL_STREAM` names the device and inode of the
/// stream that systemd has made, and is inherited by processes that write elsewhere (systemd.exec(5)).
fn is_journal(stream: Option<&str>, stderr: Option<(u64, u64)>) -> bool {
    let named = stream.and_then(|stream| stream.split_once(':'));
    let named = named.and_then(|(dev, ino)| Some((dev.parse().ok()?, ino.parse().ok()?)));
    named.is_some() && named == stderr
}

/// The journal knows the process's name already; everybody else is told. Whatever the text holds, it stays one line.
fn dressed(journal: bool, priority: Priority, text: &str) -> String {
    let mut line = if journal { priority.prefix() } else { "pingstate: " }.to_owned();
    line.push_str(&printable(text, usize::MAX));
    line.push('\n');
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_is_known_by_device_and_inode() {
        assert!(is_journal(Some("9:12345"), Some((9, 12345))));
        for (stream, stderr) in [
            (None, Some((9, 1))),
            (Some("9:1"), None),
            (None, None),
            (Some("9:1"), Some((9, 2))),
            (Some("8:1"), Some((9, 1))),
            (Some(""), Some((9, 1))),
            (Some(":"), Some((9, 1))),
            (Some("9"), Some((9, 1))),
            (Some("9:1:1"), Some((9, 1))),
            (Some("x:y"), None),
            (Some("9:99999999999999999999999"), Some((9, 1))),
        ] {
            assert!(!is_journal(stream, stderr), "{stream:?} {stderr:?}");
        }
    }

    #[test]
    fn lines_are_dressed_for_their_reader() {
        let text = "tcp://h:1: up → down (connection refused)";
        assert_eq!(dressed(false, Priority::Warning, text), format!("pingstate: {text}\n"));
        assert_eq!(dressed(true, Priority::Warning, text), format!("<4>{text}\n"));
        assert_eq!(dressed(true, Priority::Error, "x"), "<3>x\n");
        assert_eq!(dressed(true, Priority::Notice, ""), "<5>\n");
        assert_eq!(dressed(true, Priority::Info, ""), "<6>\n");
    }

    #[test]
    fn no_text_makes_two_lines() {
        assert_eq!(dressed(true, Priority::Info, "a\n<0>b\r\x1b"), "<6>a\\n<0>b\\r\\u{1b}\n");
    }
}
