//! The byte stream to the server: plain TCP, or TLS.

use std::time::Duration;

use crate::result::{Failure, Reason};
use crate::wire::tls::{TlsClient, TlsConfig};

/// The capacity of a plaintext buffer between reads, in bytes: one TLS record.
const PLAINTEXT_KEPT: usize = 16 * 1024;

pub(super) enum Channel {
    Plain { outbox: Vec<u8> },
    Tls { client: Box<TlsClient>, plaintext: Vec<u8> },
}

impl Channel {
    pub(super) fn plain() -> Self {
        Channel::Plain { outbox: Vec::new() }
    }

    /// Starts TLS with `host` over a new connection.
    pub(super) fn tls(config: Option<&TlsConfig>, host: &str, unix: Duration) -> Result<Self, Failure> {
        let Some(config) = config else {
            return Err(Failure::new(Reason::Local, "this build has no TLS"));
        };
        let client = Box::new(TlsClient::new(config, host, unix)?);
        Ok(Channel::Tls { client, plaintext: Vec::new() })
    }

    /// Queues bytes to send; TLS sends them after the handshake.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        match self {
            Channel::Plain { outbox } => outbox.extend_from_slice(bytes),
            Channel::Tls { client, .. } => client.send(bytes),
        }
    }

    /// Takes the bytes to send now.
    pub(super) fn take_outbox(&mut self) -> Vec<u8> {
        match self {
            Channel::Plain { outbox } => std::mem::take(outbox),
            Channel::Tls { client, .. } => client.take_ciphertext(),
        }
    }

    /// Passes the plaintext of `bytes` to `reader`, including that before a failure.
    pub(super) fn receive(&mut self, bytes: &[u8], reader: impl FnOnce(&[u8])) -> Result<(), Failure> {
        let Channel::Tls { client, plaintext } = self else {
            reader(bytes);
            return Ok(());
        };
        let outcome = client.receive(bytes, plaintext);
        if !plaintext.is_empty() {
            reader(plaintext);
            plaintext.clear();
            plaintext.shrink_to(PLAINTEXT_KEPT);
        }
        outcome
    }

    /// Queues a close_notify alert, which TLS requires (RFC 8446 section 6.1).
    pub(super) fn disconnect(&mut self) {
        if let Channel::Tls { client, .. } = self {
            if !client.is_handshaking() {
                client.close();
            }
        }
    }

    /// Whether the peer has sent a close_notify alert.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self, Channel::Tls { client, .. } if client.is_closed())
    }

    pub(super) fn is_handshaking(&self) -> bool {
        matches!(self, Channel::Tls { client, .. } if client.is_handshaking())
    }

    /// When the peer's certificate expires, as the time since 1970.
    pub(super) fn not_after(&self) -> Option<Duration> {
        match self {
            Channel::Tls { client, .. } => client.not_after(),
            Channel::Plain { .. } => None,
        }
    }

    /// The TLS failure if the connection ends now.
    pub(super) fn cut_short(&self) -> Result<(), Failure> {
        match self {
            Channel::Tls { client, .. } if client.is_handshaking() => Err(client.cut_short()),
            _ => Ok(()),
        }
    }
}
