//! The hosts file and resolv.conf, read again when they change.

use std::fs::{self, File};
use std::io::Read;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};

/// How much is read of a file.
const FILE_MAX: u64 = 4 * 1024 * 1024;

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
    Version(Option<SystemTime>, u64),
}

struct Watched {
    path: PathBuf,
    stamp: Stamp,
}

impl Watched {
    fn new(path: PathBuf) -> Self {
        Watched { path, stamp: Stamp::NeverSeen }
    }

    fn refresh(&mut self) -> Option<Vec<u8>> {
        let stamp = match fs::metadata(&self.path) {
            Ok(meta) => Stamp::Version(meta.modified().ok(), meta.len()),
            Err(_) => Stamp::Missing,
        };
        if stamp == self.stamp {
            return None;
        }
        let mut text = Vec::new();
        if stamp != Stamp::Missing {
            let file = File::open(&self.path).ok()?;
            file.take(FILE_MAX).read_to_end(&mut text).ok()?;
        }
        self.stamp = stamp;
        Some(text)
    }
}
