//! The service manager that started the daemon, if it wants to be told about it: sd_notify(3).

use std::env;
use std::ffi::OsStr;
use std::io::{self, ErrorKind};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;
use std::time::Duration;

/// How many messages are kept that the manager did not take at once. Of more the first go.
const UNSENT_MAX: usize = 16;

/// The way to the service manager.
pub(super) struct Notify {
    socket: UnixDatagram,
    manager: SocketAddr,
    unsent: Vec<String>,
}

impl Notify {
    /// The one that the environment names, and how often it wants a sign of life.
    pub(super) fn from_env() -> Option<(Notify, Option<Duration>)> {
        let manager = address(&env::var_os("NOTIFY_SOCKET")?)?;
        let socket = UnixDatagram::unbound().ok()?;
        socket.set_nonblocking(true).ok()?;
        let number = |name| env::var(name).ok()?.parse::<u64>().ok();
        let is_ours =
            env::var_os("WATCHDOG_PID").is_none() || number("WATCHDOG_PID") == Some(u64::from(process::id()));
        let within = number("WATCHDOG_USEC").filter(|micros| is_ours && *micros > 0);
        let watchdog = within.map(|micros| Duration::from_micros(micros / 2).max(Duration::from_millis(1)));
        Some((Notify { socket, manager, unsent: Vec::new() }, watchdog))
    }

    /// Tells it, now or with the next flush.
    #[cold]
    pub(super) fn send(&mut self, text: String) {
        if self.unsent.len() >= UNSENT_MAX {
            self.unsent.remove(0);
        }
        self.unsent.push(text);
        self.flush();
    }

    /// Sends what waits, as far as that waits for nobody.
    #[cold]
    pub(super) fn flush(&mut self) {
        while let Some(text) = self.unsent.first() {
            match self.socket.send_to_addr(text.as_bytes(), &self.manager) {
                Err(error) if is_transient(&error) => return,
                // A manager that is gone is told nothing.
                _ => drop(self.unsent.remove(0)),
            }
        }
    }

    pub(super) fn is_behind(&self) -> bool {
        !self.unsent.is_empty()
    }
}

fn is_transient(error: &io::Error) -> bool {
    super::io_error::is_resource_exhaustion(error) || error.kind() == ErrorKind::Interrupted
}

/// A path, or after an `@` a name in Linux's abstract space. Other kinds are not for this process.
fn address(name: &OsStr) -> Option<SocketAddr> {
    match name.as_bytes() {
        [b'/', ..] => SocketAddr::from_pathname(name).ok(),
        #[cfg(target_os = "linux")]
        [b'@', name @ ..] => {
            use std::os::linux::net::SocketAddrExt;
            SocketAddr::from_abstract_name(name).ok()
        }
        _ => None,
    }
}
