//! The way to the peer: the bare connection, or TLS over it.

use std::time::Duration;

use crate::result::{Failure, Reason};
use crate::wire::tls::{TlsClient, TlsConfig};

/// What is left of a plaintext buffer after a piece has been read from it, in bytes: one TLS record.
const PLAINTEXT_KEPT: usize = 16 * 1024;

pub(super) enum Channel {
    Plain { outbox: Vec<u8> },
    Tls { client: Box<TlsClient>, plaintext: Vec<u8> },
}

impl Channel {
    /// The bare connection.
    pub(super) fn plain() -> Self {
        Channel::Plain { outbox: Vec::new() }
    }

    /// TLS with `host` over a connection on which nothing has been said yet.
    pub(super) fn tls(config: Option<&TlsConfig>, host: &str, unix: Duration) -> Result<Self, Failure> {
        let Some(config) = config else {
            return Err(Failure::new(Reason::Local, "this build has no TLS"));
        };
        let client = Box::new(TlsClient::new(config, host, unix)?);
        Ok(Channel::Tls { client, plaintext: Vec::new() })
    }

    /// Sends bytes, once that is possible.
    pub(super) fn send(&mut self, bytes: &[u8]) {
        match self {
            Channel::Plain { outbox } => outbox.extend_from_slice(bytes),
            Channel::Tls { client, .. } => client.send(bytes),
        }
    }

    /// What is to be put on the connection now; empty if there is nothing.
    pub(super) fn take_outbox(&mut self) -> Vec<u8> {
        match self {
            Channel::Plain { outbox } => std::mem::take(outbox),
            Channel::Tls { client, .. } => client.take_ciphertext(),
        }
    }

    /// Hands to `reader` what the bytes from the connection say: also what came before a failure.
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

    /// Announces the end of the connection, which TLS requires (RFC 8446 section 6.1).
    pub(super) fn disconnect(&mut self) {
        if let Channel::Tls { client, .. } = self {
            if !client.is_handshaking() {
                client.close();
            }
        }
    }

    /// Whether the peer has said, within TLS, that it will send nothing more.
    pub(super) fn is_closed(&self) -> bool {
        matches!(self, Channel::Tls { client, .. } if client.is_closed())
    }

    pub(super) fn is_handshaking(&self) -> bool {
        matches!(self, Channel::Tls { client, .. } if client.is_handshaking())
    }

    /// When the certificate that the peer has shown expires, as the time since 1970.
    pub(super) fn not_after(&self) -> Option<Duration> {
        match self {
            Channel::Tls { client, .. } => client.not_after(),
            Channel::Plain { .. } => None,
        }
    }

    /// The failure to tell of if the connection ends now, as far as it is TLS's business.
    pub(super) fn cut_short(&self) -> Result<(), Failure> {
        match self {
            Channel::Tls { client, .. } if client.is_handshaking() => Err(client.cut_short()),
            _ => Ok(()),
        }
    }
}
