//! Child processes and their resource usage as reported by `/proc`.

use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::thread;

/// A child process that is killed on drop.
pub(crate) struct Process(Child);

impl Process {
    /// Starts `command` with its output discarded.
    pub(crate) fn spawn(command: &mut Command) -> Process {
        let command = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Process(command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    pub(crate) fn id(&self) -> u32 {
        self.0.id()
    }

    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    /// CPU time of all threads so far, in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        cpu(self.id())
    }

    pub(crate) fn memory(&self) -> Memory {
        let value = |file: &str, name: &str| proc_value(self.id(), file, name);
        Memory {
            resident: value("status", "VmRSS:"),
            private: value("smaps_rollup", "Private_Dirty:"),
            peak: value("status", "VmHWM:"),
        }
    }

    /// Voluntary context switches: how often the main thread has blocked.
    pub(crate) fn wakeups(&self) -> f64 {
        proc_value(self.id(), "status", "voluntary_ctxt_switches:")
    }
}

/// In KiB.
pub(crate) struct Memory {
    pub(crate) resident: f64,
    pub(crate) private: f64,
    pub(crate) peak: f64,
}

fn proc_value(pid: u32, file: &str, name: &str) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}")).expect("read /proc");
    let line = text.lines().find(|line| line.starts_with(name)).expect("field in /proc");
    line.split_whitespace().nth(1).and_then(|word| word.parse().ok()).expect("a number")
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) fn binary() -> OsString {
    std::env::var_os("PINGSTATE_BINARY").unwrap_or_else(|| env!("CARGO_BIN_EXE_pingstate").into())
}

/// A command that runs pingstate with its API on a free port.
pub(crate) fn pingstate(args: &[String]) -> Command {
    let mut command = Command::new(binary());
    command.env_remove("JOURNAL_STREAM").env_remove("SSL_CERT_FILE").args(["--api-port", "0"]).args(args);
    command
}

/// Starts pingstate, drains its stderr, and returns it with the address of its API.
pub(crate) fn pingstate_with_api(args: &[String]) -> (Process, SocketAddr) {
    let mut child =
        pingstate(args).stdin(Stdio::null()).stderr(Stdio::piped()).spawn().expect("start pingstate");
    let mut lines =
        BufReader::new(child.stderr.take().expect("stderr is piped")).lines().map_while(Result::ok);
    let first = lines.next().expect("first line of the log");
    thread::spawn(move || lines.for_each(drop));
    let (_, address) = first.rsplit_once("http://").expect("URL of the API");
    (Process(child), address.trim_end_matches('/').parse().expect("an address"))
}

/// User and system CPU time of all threads, in seconds. Uses nanosecond counters (schedstat) if the kernel
/// provides them, otherwise 10 ms ticks.
fn cpu(pid: u32) -> f64 {
    let run_time = |task: fs::DirEntry| -> Option<f64> {
        let text = fs::read_to_string(task.path().join("schedstat")).ok()?;
        text.split(' ').next()?.parse().ok()
    };
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("read /proc");
    let nanos: Option<f64> = tasks.flatten().map(run_time).sum();
    nanos.map_or_else(|| cpu_ticks(pid) / 100.0, |nanos| nanos / 1e9)
}

fn cpu_ticks(pid: u32) -> f64 {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).expect("read /proc");
    // The process name in parentheses may contain any character. Field 3 (state) follows it.
    let (_, fields) = text.rsplit_once(") ").expect("process name");
    fields.split(' ').skip(11).take(2).map(|field| field.parse::<f64>().expect("a number")).sum()
}

/// TCP connections opened on this machine since boot.
pub(crate) fn active_opens() -> usize {
    let text = fs::read_to_string("/proc/net/snmp").expect("read /proc/net/snmp");
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Tcp: "));
    let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
    let index = names.split(' ').position(|name| name == "ActiveOpens").expect("field in /proc");
    values.split(' ').nth(index).and_then(|value| value.parse().ok()).expect("a number")
}

/// Whether the binary under test links glibc, statically or dynamically; otherwise it links musl.
pub(crate) fn is_glibc() -> bool {
    let bytes = fs::read(binary()).expect("read file");
    memchr::memmem::find(&bytes, b"glibc").is_some() || memchr::memmem::find(&bytes, b"GLIBC").is_some()
}

/// One line: CPU, kernel and the binary under test.
pub(crate) fn description() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let info = read("/proc/cpuinfo");
    let model = info.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("");
    let cpus = thread::available_parallelism().map_or(0, usize::from);
    let binary = binary();
    let size = fs::metadata(&binary).map_or(0, |meta| meta.len());
    format!(
        "{} × {}, Linux {}, {} ({size} bytes)",
        cpus,
        model.trim_start_matches(['\t', ' ', ':']),
        read("/proc/sys/kernel/osrelease").trim(),
        binary.to_string_lossy()
    )
}
