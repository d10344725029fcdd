//! The listening socket of the API.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use mio::net::TcpListener;
use mio::{Interest, Registry, Token};
use socket2::{SockRef, TcpKeepalive};

/// A burst fills the 128 of mio, and the next client retransmits its SYN only after a second.
const BACKLOG: i32 = 4096;

/// TCP_USER_TIMEOUT, which also applies after close: by default the kernel keeps unacknowledged data for
/// minutes.
#[cfg(target_os = "linux")]
const USER_TIMEOUT: Duration = Duration::from_secs(10);

/// TCP keep-alive: the idle time and the interval of the probes. A client that waits for a state sends
/// nothing for up to an hour.
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const KEEP_ALIVE_INTERVAL: Duration = Duration::from_secs(10);

pub(super) fn listen(address: SocketAddr, registry: &Registry, token: Token) -> io::Result<TcpListener> {
    let mut socket = TcpListener::bind(address)?;
    SockRef::from(&socket).listen(BACKLOG)?;
    // Accepted sockets inherit both options.
    let keep_alive = TcpKeepalive::new().with_time(KEEP_ALIVE).with_interval(KEEP_ALIVE_INTERVAL);
    let _ = SockRef::from(&socket).set_tcp_keepalive(&keep_alive);
    #[cfg(target_os = "linux")]
    let _ = SockRef::from(&socket).set_tcp_user_timeout(Some(USER_TIMEOUT));
    registry.register(&mut socket, token, Interest::READABLE)?;
    Ok(socket)
}
