//! The settings of a builder for tcp connections.

use super::ProbeBuilder;

impl ProbeBuilder {
    /// The most bytes of [`ProbeBuilder::send`].
    pub const SEND_MAX: usize = 4096;

    /// Sends these bytes to a tcp or tls target after connecting, before a check of the banner.
    ///
    /// ```
    /// # use std::{io::{Read, Write}, net::TcpListener, thread};
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let port = listener.local_addr()?.port();
    /// # thread::spawn(move || for mut peer in listener.incoming().flatten() {
    /// #     let _ = peer.read(&mut [0; 64]);
    /// #     let _ = peer.write_all(b"+PONG\r\n");
    /// # });
    /// use pingstate::probe;
    ///
    /// let redis = probe("tcp", "127.0.0.1", port).send(b"PING\r\n").check("banner_contains:+PONG").build()?;
    /// assert!(redis.check().ok);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn send(mut self, bytes: &[u8]) -> Self {
        self.settings.send = Some(bytes.to_vec());
        self
    }

    /// Whether the connection to a tcp target is reset before the handshake is complete, so that the server's
    /// application does not see it; see [`Transport::HalfOpenTcp`](crate::Transport::HalfOpenTcp). Default: false.
    ///
    /// ```
    /// # use std::net::TcpListener;
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let port = listener.local_addr()?.port();
    /// use pingstate::probe;
    ///
    /// let result = probe("tcp", "127.0.0.1", port).half_open(true).build()?.check();
    /// assert_eq!((result.ok, &*result.detail), (true, "connect ok"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn half_open(mut self, half_open: bool) -> Self {
        self.settings.half_open = Some(half_open);
        self
    }
}
