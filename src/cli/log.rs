//! The log, on standard error. Errors of writing are ignored.

use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt};
use std::time::Duration;

use nix::libc::{MSG_DONTWAIT, O_NOCTTY, O_NONBLOCK};
use socket2::SockRef;

use crate::clock::rfc3339;
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

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum LogFormat {
    /// One of the others, depending on the reader.
    #[default]
    Auto,
    Plain,
    /// With the time.
    Time,
    /// For the journal, which has its own times.
    Journal,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Log {
    /// The automatic format.
    auto: LogFormat,
    /// `None` before the settings are known.
    format: Option<LogFormat>,
}

impl Log {
    pub(crate) fn new() -> Log {
        let stream = std::env::var("JOURNAL_STREAM").ok();
        let stderr = std::fs::metadata(STDERR).ok().map(|file| (file.dev(), file.ino()));
        let is_journal = is_journal(stream.as_deref(), stderr);
        Log { auto: if is_journal { LogFormat::Journal } else { LogFormat::Plain }, format: None }
    }

    /// The log of a daemon: with the time, unless its reader adds it or is at a terminal.
    pub(crate) fn of_daemon(self) -> Log {
        match self.auto {
            LogFormat::Plain if !io::stderr().is_terminal() => Log { auto: LogFormat::Time, ..self },
            _ => self,
        }
    }

    /// The log in this format. The first one applies until the end.
    pub(crate) fn with_format(self, format: LogFormat) -> Log {
        let format = if format == LogFormat::Auto { self.auto } else { format };
        Log { format: self.format.or(Some(format)), ..self }
    }

    pub(crate) fn line(self, priority: Priority, text: &str) {
        let time = crate::reactor::now().unix;
        let line = format_log_line(self.format.unwrap_or(self.auto), priority, text, time);
        // One write, so that lines of several processes do not mix. A reader that is gone or slow must not stop
        // the daemon.
        let _ = write_at_once(line.as_bytes());
    }

    /// Writes several error lines, without the time. May block: the daemon has not started.
    pub(crate) fn errors(self, texts: &[String]) {
        let format = if self.auto == LogFormat::Journal { LogFormat::Journal } else { LogFormat::Plain };
        let line = |text: &String| format_log_line(format, Priority::Error, text, Duration::ZERO);
        let lines: String = texts.iter().map(line).collect();
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
fn format_log_line(format: LogFormat, priority: Priority, text: &str, time: Duration) -> String {
    let text = printable(text, usize::MAX);
    match format {
        LogFormat::Journal => format!("<{}>{text}\n", priority as u8), // sd-daemon(3)
        LogFormat::Plain | LogFormat::Auto => format!("pingstate: {text}\n"),
        LogFormat::Time => format!("{} pingstate: {text}\n", rfc3339(time)),
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
        let line =
            |format, priority, text| format_log_line(format, priority, text, Duration::from_secs(86_400));
        assert_eq!(line(LogFormat::Plain, Priority::Warning, text), format!("pingstate: {text}\n"));
        let timed = line(LogFormat::Time, Priority::Warning, text);
        assert_eq!(timed, format!("1970-01-02T00:00:00Z pingstate: {text}\n"));
        assert_eq!(line(LogFormat::Journal, Priority::Warning, text), format!("<4>{text}\n"));
        assert_eq!(line(LogFormat::Journal, Priority::Error, "x"), "<3>x\n");
        assert_eq!(line(LogFormat::Journal, Priority::Notice, ""), "<5>\n");
        assert_eq!(line(LogFormat::Journal, Priority::Info, ""), "<6>\n");
    }

    #[test]
    fn the_first_format_applies() {
        let log = |auto| Log { auto, format: None };
        for auto in [LogFormat::Plain, LogFormat::Time, LogFormat::Journal] {
            let automatic = log(auto).with_format(LogFormat::Auto);
            assert_eq!(automatic.format, Some(auto));
            assert_eq!(
                automatic.with_format(LogFormat::Plain).format,
                Some(auto),
                "a reload does not change it"
            );
            let timed = log(auto).with_format(LogFormat::Time).with_format(LogFormat::Auto);
            assert_eq!(timed.format, Some(LogFormat::Time));
        }
        assert_eq!(log(LogFormat::Journal).of_daemon().auto, LogFormat::Journal);
    }

    #[test]
    fn control_characters_are_escaped() {
        let line = format_log_line(LogFormat::Journal, Priority::Info, "a\n<0>b\r\x1b", Duration::ZERO);
        assert_eq!(line, "<6>a\\n<0>b\\r\\u{1b}\n");
    }
}
