//! Notifications to the service manager: sd_notify(3).

use std::env;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::process;
use std::time::Duration;

use super::io_error::is_resource_exhaustion;

/// Messages kept while sending would block. If there are more, the oldest are dropped.
const UNSENT_MAX: usize = 16;

pub(super) struct Notify {
    socket: UnixDatagram,
    manager: SocketAddr,
    pub(super) unsent: Vec<String>,
}

impl Notify {
    /// The service manager that the environment names, and the interval of watchdog pings.
    pub(super) fn from_env() -> Option<(Notify, Option<Duration>)> {
        let manager = address(&env::var_os("NOTIFY_SOCKET")?)?;
        let socket = UnixDatagram::unbound().ok()?;
        socket.set_nonblocking(true).ok()?;
        let number = |name| env::var(name).ok()?.parse::<u64>().ok();
        let is_ours =
            env::var_os("WATCHDOG_PID").is_none() || number("WATCHDOG_PID") == Some(u64::from(process::id()));
        let timeout = number("WATCHDOG_USEC").filter(|micros| is_ours && *micros > 0);
        let watchdog = timeout.map(|micros| Duration::from_micros(micros / 2).max(Duration::from_millis(1)));
        Some((Notify { socket, manager, unsent: Vec::new() }, watchdog))
    }

    #[cold]
    pub(super) fn send(&mut self, text: String) {
        if self.unsent.len() >= UNSENT_MAX {
            self.unsent.remove(0);
        }
        self.unsent.push(text);
        self.flush();
    }

    #[cold]
    pub(super) fn flush(&mut self) {
        while let Some(text) = self.unsent.first() {
            match self.socket.send_to_addr(text.as_bytes(), &self.manager) {
                Err(error) if is_resource_exhaustion(&error) => return,
                // Drop the message if the manager does not exist any more.
                _ => drop(self.unsent.remove(0)),
            }
        }
    }
}

/// A path, or `@` and a name in Linux's abstract namespace. Other address families are ignored.
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
