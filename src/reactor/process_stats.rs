//! CPU time, memory and descriptors of this process, from `/proc/self` where it exists.

use std::fs::{File, read_dir};
use std::io::Read;
use std::time::Duration;

use nix::sys::resource::{Resource, getrlimit};

use crate::api::counters::ProcessStats;

const FILE_MAX: u64 = 16 * 1024;

/// The unit of times in `/proc/self/stat` (USER_HZ), 10 ms on Linux regardless of the kernel's tick rate.
const TICK: Duration = Duration::from_millis(10);

#[cold]
pub(super) fn read_process_stats() -> ProcessStats {
    let status = text("/proc/self/status");
    ProcessStats {
        cpu: cpu(&text("/proc/self/stat")),
        resident_bytes: number(&status, "VmRSS:").map(|kib| kib.saturating_mul(1024)),
        virtual_bytes: number(&status, "VmSize:").map(|kib| kib.saturating_mul(1024)),
        open_fds: open_fds().map(|count| count as u64),
        max_fds: number(&text("/proc/self/limits"), "Max open files"),
    }
}

/// The number of file descriptors that this process can still open: up to the soft limit, which is not raised
/// because child processes would inherit it.
#[cold]
pub(crate) fn free_descriptors() -> usize {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft);
    usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(open_fds().unwrap_or(3))
}

fn open_fds() -> Option<usize> {
    // Without the descriptor of the directory itself.
    read_dir("/proc/self/fd").ok().map(|fds| fds.count().saturating_sub(1))
}

fn text(path: &str) -> String {
    let mut text = Vec::new();
    let read = File::open(path).and_then(|file| file.take(FILE_MAX).read_to_end(&mut text));
    // The process name may contain any bytes.
    read.map_or(String::new(), |_| String::from_utf8_lossy(&text).into_owned())
}

/// User and system time. The process name before the numbers may contain spaces and parentheses.
fn cpu(stat: &str) -> Option<Duration> {
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_whitespace().skip(11);
    let mut ticks = || fields.next()?.parse::<u32>().ok();
    TICK.checked_mul(ticks()?.checked_add(ticks()?)?)
}

fn number(text: &str, field: &str) -> Option<u64> {
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_parsed() {
        let stat = "7 (a) b) S 1 7 7 0 -1 4194304 100 0 0 0 1234 66 0 0 20 0 1 0 5 9 8";
        assert_eq!(cpu(stat), Some(Duration::from_secs(13)));
        let status = "Name:\tx\nVmSize:\t    2048 kB\nVmRSS:\t       8 kB\n";
        assert_eq!((number(status, "VmRSS:"), number(status, "VmSize:")), (Some(8), Some(2048)));
        let limits =
            "Limit  Soft Limit  Hard Limit  Units\nMax open files            1024   524288   files\n";
        let max_fds = |limits| number(limits, "Max open files");
        assert_eq!((max_fds(limits), max_fds("Max open files unlimited")), (Some(1024), None));
    }

    #[test]
    fn missing_fields_are_none() {
        for text in ["", "x", ")", "1 (x) S 1 2", "VmRSS:", "VmRSS: x", "Max open files"] {
            assert_eq!((cpu(text), number(text, "VmRSS:")), (None, None), "{text}");
            assert_eq!(number(text, "Max open files"), None, "{text}");
        }
        assert_eq!(text("/proc/self/nothing"), "");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn all_fields_exist_on_linux() {
        let process_stats = read_process_stats();
        assert!(
            process_stats.cpu.is_some()
                && process_stats.max_fds >= process_stats.open_fds
                && process_stats.open_fds > Some(2)
        );
        assert!(
            process_stats.virtual_bytes >= process_stats.resident_bytes
                && process_stats.resident_bytes > Some(100_000)
        );
    }
}
