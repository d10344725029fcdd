//! The hosts file and resolv.conf, read again when they change.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

use crate::resolve::hosts::HOSTS_MAX;

/// How much is read of a file: one byte more than is used, so that it is noticed that there is more.
const FILE_MAX: usize = HOSTS_MAX + 1;

/// How often the files are looked at, at the most.
const LOOK: Duration = Duration::from_secs(1);

/// Where names are looked up before and beside the name servers.
pub(super) struct Files {
    hosts: Watched,
    resolv_conf: Watched,
    looked: Option<Instant>,
}

impl Files {
    pub(super) fn new(hosts: PathBuf, resolv_conf: PathBuf) -> Self {
        Files { hosts: Watched::new(hosts), resolv_conf: Watched::new(resolv_conf), looked: None }
    }

    /// The new text of each file that has changed. A file that is gone reads as empty.
    pub(super) fn refresh(&mut self, now: Instant) -> (Option<Vec<u8>>, Option<Vec<u8>>) {
        if self.looked.is_some_and(|at| now.saturating_duration_since(at) < LOOK) {
            return (None, None);
        }
        self.looked = Some(now);
        (self.hosts.refresh(), self.resolv_conf.refresh())
    }
}

/// What tells one version of a file from the next.
#[derive(PartialEq, Eq)]
enum Stamp {
    NeverSeen,
    Missing,
    /// When it was written, its length, and which file it is: another one may have its place.
    Version(Option<SystemTime>, u64, u64),
}

struct Watched {
    path: PathBuf,
    stamp: Stamp,
    /// The file was there before and was missing or empty at the last look: it may be being rewritten.
    doubtful: bool,
}

impl Watched {
    fn new(path: PathBuf) -> Self {
        Watched { path, stamp: Stamp::NeverSeen, doubtful: false }
    }

    fn refresh(&mut self) -> Option<Vec<u8>> {
        let stamp = match fs::metadata(&self.path) {
            Ok(meta) => Stamp::Version(meta.modified().ok(), meta.len(), meta.ino()),
            Err(_) => Stamp::Missing,
        };
        let is_void = matches!(stamp, Stamp::Missing | Stamp::Version(_, 0, _));
        let was_doubtful = std::mem::replace(&mut self.doubtful, is_void);
        if stamp == self.stamp {
            return None;
        }
        if is_void && !was_doubtful && self.stamp != Stamp::NeverSeen {
            // Believed at the next look: until then what was in it serves.
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
    fn another_file_in_its_place_is_noticed() {
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
        assert_eq!(watched.refresh().as_deref(), Some(&b"127.0.0.2 a"[..]), "of the same age and length");
        fs::remove_file(&path).expect("removed");
        watched.refresh();
        assert_eq!(watched.refresh().as_deref(), Some(&b""[..]), "gone");
        assert_eq!(watched.refresh(), None);
    }

    #[test]
    fn a_file_that_is_being_rewritten_still_serves() {
        let path = std::env::temp_dir().join(format!("pingstate-resolv-{}", std::process::id()));
        let mut watched = Watched::new(path.clone());
        assert_eq!(watched.refresh().as_deref(), Some(&b""[..]), "not there at the start");
        fs::write(&path, "nameserver 10.0.0.1").expect("written");
        assert!(watched.refresh().is_some());
        fs::write(&path, "").expect("written");
        assert_eq!(watched.refresh(), None, "caught in the middle");
        fs::write(&path, "nameserver 10.0.0.2").expect("written");
        assert_eq!(watched.refresh().as_deref(), Some(&b"nameserver 10.0.0.2"[..]));
        fs::write(&path, "").expect("written");
        assert_eq!(watched.refresh(), None);
        assert_eq!(watched.refresh().as_deref(), Some(&b""[..]), "really empty");
        let _ = fs::remove_file(&path);
    }
}
