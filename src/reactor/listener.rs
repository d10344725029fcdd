//! The listener that API clients knock at.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use socket2::{SockRef, TcpKeepalive};

/// Clients taken in in one turn of the loop, so that a crowd delays nobody's probe.
pub(super) const ACCEPTS_PER_TURN: usize = 64;

/// Clients that the system may keep waiting, if it allows so many. The 128 of mio are full after a
/// burst, and the next client, whoever it is, waits a second for its second chance.
const BACKLOG: i32 = 4096;

/// How long a client may take nothing of what the system holds for it, also after the daemon has closed:
/// left to itself the system keeps the rest of an answer for minutes.
#[cfg(target_os = "linux")]
const TAKEN_WITHIN: Duration = Duration::from_secs(10);

/// How long nothing comes from a client until its system is asked whether it is still there, and how often
/// it is asked again. A client that waits for a state says nothing for up to an hour.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const KEEP_ALIVE_AGAIN: Duration = Duration::from_secs(10);

/// A listening socket.
pub(super) struct Listener {
    listener: TcpListener,
    /// Somebody may be waiting: the system announces that only once.
    pub(super) waiting: bool,
}

impl Listener {
    pub(super) fn open(address: SocketAddr, registry: &Registry, token: Token) -> io::Result<Listener> {
        let mut listener = TcpListener::bind(address)?;
        SockRef::from(&listener).listen(BACKLOG)?;
        // The clients' sockets inherit both.
        let keep_alive = TcpKeepalive::new().with_time(KEEP_ALIVE).with_interval(KEEP_ALIVE_AGAIN);
        let _ = SockRef::from(&listener).set_tcp_keepalive(&keep_alive);
        #[cfg(target_os = "linux")]
        let _ = SockRef::from(&listener).set_tcp_user_timeout(Some(TAKEN_WITHIN));
        registry.register(&mut listener, token, Interest::READABLE)?;
        Ok(Listener { listener, waiting: false })
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Takes one client in; `None` if nobody waits any more.
    pub(super) fn accept(&mut self) -> io::Result<Option<(TcpStream, SocketAddr)>> {
        match self.listener.accept() {
            Ok(client) => Ok(Some(client)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.waiting = false;
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }
}
