//! The log, on standard error. Errors of writing are ignored.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};

use nix::libc::{MSG_DONTWAIT, O_NOCTTY, O_NONBLOCK};
use socket2::SockRef;

use crate::text::printable;

/// Standard error of this process in procfs.
const STDERR: &str = "/proc/self/fd/2";

/// The priority of a line, as in syslog(3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Priority {
    Error = 3,
    Warning = 4,
    Notice = 5,
    Info = 6,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Log {
    journal: bool,
}

impl Log {
    pub(crate) fn new() -> Log {
        let stream = std::env::var("JOURNAL_STREAM").ok();
        let stderr = std::fs::metadata(STDERR).ok().map(|file| (file.dev(), file.ino()));
        Log { journal: is_journal(stream.as_deref(), stderr) }
    }

    pub(crate) fn line(self, priority: Priority, text: &str) {
        let line = format_log_line(self.journal, priority, text);
        // One write, so that lines of several processes do not mix. A reader that is gone or slow must not stop
        // the daemon.
        let _ = write_at_once(line.as_bytes());
    }

    /// Writes several error lines. May block: the daemon has not started.
    pub(crate) fn errors(self, texts: &[String]) {
        let lines: String =
            texts.iter().map(|text| format_log_line(self.journal, Priority::Error, text)).collect();
        let _ = io::stderr().write_all(lines.as_bytes());
    }
}

/// Writes to standard error without blocking: if a pipe, a terminal or a socket (the journal's) is full, the line is
/// lost.
fn write_at_once(line: &[u8]) -> io::Result<()> {
    let kind = std::fs::metadata(STDERR).map(|file| file.file_type());
    let kind = kind.ok().filter(|_| cfg!(target_os = "linux"));
    if kind.is_some_and(|kind| kind.is_socket()) {
        return SockRef::from(&io::stderr()).send_with_flags(line, MSG_DONTWAIT).map(drop);
    }
    if kind.is_some_and(|kind| kind.is_fifo() || kind.is_char_device()) {
        // Opened again: the flags of the inherited descriptor are shared with other processes.
        let reopened = OpenOptions::new().write(true).custom_flags(O_NONBLOCK | O_NOCTTY).open(STDERR);
        if let Ok(mut stderr) = reopened {
            return stderr.write(line).map(drop);
        }
    }
    io::stderr().write_all(line)
}

/// Writes to standard output.
pub(crate) fn print(text: &str) -> io::Result<()> {
    let mut out = io::stdout();
    out.write_all(text.as_bytes()).and_then(|()| out.flush())
}

/// The system's error message without the error number.
pub(crate) fn plain(error: &io::Error) -> String {
    let mut text = error.to_string();
    if let Some(end) = text.find(" (os error") {
        text.truncate(end);
    }
    text
}

/// Whether the journal reads standard error: `JOURNAL_STREAM` contains the device and inode of systemd's stream. The
/// variable is inherited by processes that write elsewhere, so both are compared (systemd.exec(5)).
fn is_journal(stream: Option<&str>, stderr: Option<(u64, u64)>) -> bool {
    let named = stream.and_then(|stream| stream.split_once(':'));
    let named = named.and_then(|(dev, ino)| Some((dev.parse().ok()?, ino.parse().ok()?)));
    named.is_some() && named == stderr
}

/// The journal adds the process's name itself.
fn format_log_line(journal: bool, priority: Priority, text: &str) -> String {
    let text = printable(text, usize::MAX);
    match journal {
        true => format!("<{}>{text}\n", priority as u8), // sd-daemon(3)
        false => format!("pingstate: {text}\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journal_is_detected_by_device_and_inode() {
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
    fn lines_have_a_prefix_for_their_reader() {
        let text = "tcp://h:1: up → down (connection refused)";
        assert_eq!(format_log_line(false, Priority::Warning, text), format!("pingstate: {text}\n"));
        assert_eq!(format_log_line(true, Priority::Warning, text), format!("<4>{text}\n"));
        assert_eq!(format_log_line(true, Priority::Error, "x"), "<3>x\n");
        assert_eq!(format_log_line(true, Priority::Notice, ""), "<5>\n");
        assert_eq!(format_log_line(true, Priority::Info, ""), "<6>\n");
    }

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(format_log_line(true, Priority::Info, "a\n<0>b\r\x1b"), "<6>a\\n<0>b\\r\\u{1b}\n");
    }
}
