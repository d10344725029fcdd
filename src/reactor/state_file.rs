//! Reads the state file, and writes each piece of it on a thread of its own, so that a slow disk delays nothing else.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::threads::ThreadResult;
use super::{Reactor, clock, io_error};
use crate::clock::Now;
use crate::engine::StatePiece;
use crate::snapshot::state_file::{LINE_MAX, parse_header, parse_target};
use crate::text::printable;

/// How long the last write may take when the daemon stops.
pub(super) const STOP_TIMEOUT: Duration = Duration::from_secs(5);

/// The open file, unless the last piece was written.
pub(super) type Written = Result<Option<File>, String>;

pub(super) struct StateFile {
    path: PathBuf,
    /// The incomplete file, between the writes of two pieces.
    open: Option<File>,
}

impl Reactor {
    /// Restores the targets from this file, and writes it at this interval from now on.
    #[cold]
    pub(crate) fn keep_state(&mut self, path: PathBuf, interval: Duration) {
        let now = clock::now();
        if let Err(problem) = self.restore_state(&path, now) {
            self.notices
                .push(["state file ", &printable(&path.to_string_lossy(), 4096), ": ", &problem].concat());
        }
        self.state_file = Some(StateFile { path, open: None });
        self.update(|engine, now| engine.attach_state_file(interval, now));
    }

    /// The error is what must be logged.
    fn restore_state(&mut self, path: &Path, now: Now) -> Result<(), String> {
        match fs::metadata(path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            // Opening a pipe would block.
            Ok(file) if !file.is_file() => return Err("is not a regular file".to_owned()),
            _ => {}
        }
        let mut file = BufReader::with_capacity(4 * LINE_MAX, File::open(path).map_err(describe)?);
        let mut line = Vec::new();
        read_line(&mut file, &mut line).map_err(describe)?;
        let header = match parse_header(&line) {
            Ok(header) => header,
            Err(problem) => {
                let bad = with_suffix(path, ".bad");
                let outcome = match fs::rename(path, &bad) {
                    Ok(()) => ["it was renamed to ", &printable(&bad.to_string_lossy(), 4096)].concat(),
                    Err(error) => ["it cannot be renamed: ", &describe(error)].concat(),
                };
                return Err([&problem.describe(), "; ", &outcome].concat());
            }
        };
        let (mut read, mut valid, mut expected) = (0_u64, 0, 0);
        while read_line(&mut file, &mut line).map_err(describe)? {
            read += 1;
            if let Some(saved) = parse_target(&line) {
                valid += 1;
                self.engine.restore(saved, &mut expected, now);
            }
        }
        let total = header.targets.max(read);
        match total - valid {
            0 => Ok(()),
            lost => Err(format!("{lost} of {total} lines are damaged or missing: these targets start anew")),
        }
    }

    #[cold]
    pub(super) fn write_state(&mut self, piece: StatePiece, now: Now) {
        let Some(file) = &mut self.state_file else { return };
        let (path, open) = (file.path.clone(), file.open.take());
        let write = move || {
            ThreadResult::State(write(&path, open, &piece).map_err(|error| {
                // A part of a file has no use, and the disk may be full.
                let _ = fs::remove_file(temporary(&path));
                let path = printable(&path.to_string_lossy(), 4096);
                [&path, " cannot be written: ", &describe(error)].concat()
            }))
        };
        if let Err(error) = self.start_thread("pingstate-state", Box::new(write)) {
            let problem = ["cannot be written: ", &describe(error)].concat();
            self.engine.handle_state_written(Err(problem), now);
        }
    }

    #[cold]
    pub(super) fn handle_state_written(&mut self, written: Written, now: Now) {
        let Some(file) = &mut self.state_file else { return };
        let result = written.map(|open| file.open = open);
        self.engine.handle_state_written(result, now);
    }
}

/// The old file stays until the new one is complete and on the disk.
fn write(path: &Path, open: Option<File>, piece: &StatePiece) -> io::Result<Option<File>> {
    let temporary = temporary(path);
    let open = if piece.is_first {
        match fs::remove_file(&temporary) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?
    } else {
        open.ok_or(ErrorKind::NotFound)?
    };
    (&open).write_all(&piece.bytes)?;
    if !piece.is_last {
        return Ok(Some(open));
    }
    open.sync_all()?;
    fs::rename(&temporary, path)?;
    match File::open(directory(path))?.sync_all() {
        // Not all file systems can do this.
        Err(error) if !matches!(error.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Err(error),
        _ => Ok(None),
    }
}

/// Reads a line, without its line feed, or [`LINE_MAX`] and one bytes of it. Returns false at the end of the file.
fn read_line(file: &mut impl BufRead, line: &mut Vec<u8>) -> io::Result<bool> {
    line.clear();
    let max = LINE_MAX as u64 + 1;
    if file.by_ref().take(max).read_until(b'\n', line)? == 0 {
        return Ok(false);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if line.len() > LINE_MAX {
        file.skip_until(b'\n')?;
    }
    Ok(true)
}

fn describe(error: io::Error) -> String {
    io_error::text(&error)
}

fn temporary(path: &Path) -> PathBuf {
    with_suffix(path, ".tmp")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path = OsString::from(path);
    path.push(suffix);
    path.into()
}

fn directory(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

/// Why a state file cannot be written at this path, as far as that can be known without doing so.
#[cfg(feature = "cli")]
pub(crate) fn check_state_path(path: &Path) -> Result<(), String> {
    use nix::unistd::{AccessFlags, access};
    let directory = directory(path);
    let name = printable(&directory.to_string_lossy(), 4096);
    match access(directory, AccessFlags::W_OK | AccessFlags::X_OK) {
        Ok(()) if !directory.is_dir() => Err([&name, ": is not a directory"].concat()),
        Ok(()) if path.is_dir() => Err("is a directory".to_owned()),
        Ok(()) => Ok(()),
        Err(error) => Err([&name, ": ", &describe(error.into())].concat()),
    }
}

#[cfg(test)]
mod tests;
