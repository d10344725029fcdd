//! The hosts file and resolv.conf, reread when they change.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use crate::resolve::hosts::HOSTS_MAX;

/// Bytes read of a file: one more than used, to detect longer files.
const FILE_MAX: usize = HOSTS_MAX + 1;

const REFRESH_INTERVAL: Duration = Duration::from_secs(1);

pub(super) struct Files {
    hosts: Watched,
    resolv_conf: Watched,
    refreshed: Option<Instant>,
}

impl Files {
    pub(super) fn new(hosts: PathBuf, resolv_conf: PathBuf) -> Self {
        Files { hosts: Watched::new(hosts), resolv_conf: Watched::new(resolv_conf), refreshed: None }
    }

    /// Returns the new text of each file that has changed. A missing file is empty.
    pub(super) fn refresh(&mut self, now: Instant) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
        if self.refreshed.is_some_and(|at| now.saturating_duration_since(at) < REFRESH_INTERVAL) {
            return (None, None);
        }
        self.refreshed = Some(now);
        (self.hosts.refresh(), self.resolv_conf.refresh())
    }
}

#[derive(PartialEq, Eq)]
enum Stamp {
    NeverSeen,
    Missing,
    /// Modification time, length and inode: another file may have been renamed to this path.
    Version(Option<SystemTime>, u64, u64),
}

struct Watched {
    path: PathBuf,
    stamp: Stamp,
    /// The file was missing or empty at the last refresh; a program may be rewriting it.
    may_be_partial: bool,
}

impl Watched {
    fn new(path: PathBuf) -> Self {
        Watched { path, stamp: Stamp::NeverSeen, may_be_partial: false }
    }

    fn refresh(&mut self) -> Option<Vec<u8>> {
        let stamp = match fs::metadata(&self.path) {
            Ok(meta) => Stamp::Version(meta.modified().ok(), meta.len(), meta.ino()),
            Err(_) => Stamp::Missing,
        };
        let is_void = matches!(stamp, Stamp::Missing | Stamp::Version(_, 0, _));
        let was_void = std::mem::replace(&mut self.may_be_partial, is_void);
        if stamp == self.stamp {
            return None;
        }
        if is_void && !was_void && self.stamp != Stamp::NeverSeen {
            // Keep the old text until the next refresh confirms this.
            return None;
        }
        let mut text = Vec::new();
        if let Stamp::Version(_, length, _) = stamp {
            let file = File::open(&self.path).ok()?;
            // A buffer that grows by doubling would take twice the size of a large file.
            text.reserve_exact(usize::try_from(length).unwrap_or(FILE_MAX).min(FILE_MAX));
            file.take(FILE_MAX as u64).read_to_end(&mut text).ok()?;
        }
        self.stamp = stamp;
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_replaced_file_is_reread() {
        let name = |what: &str| std::env::temp_dir().join(format!("pingstate-{what}-{}", std::process::id()));
        let (path, other) = (name("hosts"), name("hosts-new"));
        let write = |path: &PathBuf, text: &str| {
            fs::write(path, text).expect("written");
            let file = File::options().write(true).open(path).expect("opened");
            file.set_modified(SystemTime::UNIX_EPOCH).expect("dated");
        };
        write(&path, "127.0.0.1 a");
        let mut watched = Watched::new(path.clone());
        assert_eq!(watched.refresh().as_deref(), Some(&b"127.0.0.1 a"[..]));
        assert_eq!(watched.refresh(), None);
        write(&other, "127.0.0.2 a");
        fs::rename(&other, &path).expect("renamed");
        assert_eq!(watched.refresh().as_deref(), Some(&b"127.0.0.2 a"[..]), "same time and length");
        fs::remove_file(&path).expect("removed");
        watched.refresh();
        assert_eq!(watched.refresh().as_deref(), Some(&b""[..]), "missing");
        assert_eq!(watched.refresh(), None);
    }

    #[test]
    fn the_old_text_of_a_file_that_is_being_rewritten_is_kept() {
        let path = std::env::temp_dir().join(format!("pingstate-resolv-{}", std::process::id()));
        let mut watched = Watched::new(path.clone());
        assert_eq!(watched.refresh().as_deref(), Some(&b""[..]), "missing at the start");
        fs::write(&path, "nameserver 10.0.0.1").expect("written");
        assert!(watched.refresh().is_some());
        fs::write(&path, "").expect("written");
        assert_eq!(watched.refresh(), None, "being rewritten");
        fs::write(&path, "nameserver 10.0.0.2").expect("written");
        assert_eq!(watched.refresh().as_deref(), Some(&b"nameserver 10.0.0.2"[..]));
        fs::write(&path, "").expect("written");
        assert_eq!(watched.refresh(), None);
        assert_eq!(watched.refresh().as_deref(), Some(&b""[..]), "empty twice");
        let _ = fs::remove_file(&path);
    }
}
