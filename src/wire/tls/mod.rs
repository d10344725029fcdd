//! TLS as a byte-to-byte machine: ciphertext in, plaintext out, and the other way round.

use std::time::Duration;

use crate::verdict::Failure;

/// What is trusted: shared by all https conversations of one kind. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct TlsConfig {}

impl TlsConfig {
    /// Trust in the built-in roots and in the certificates of `extra_roots` (PEM); or in anybody
    /// if not `verify`. An error says what is wrong with the PEM text.
    pub(crate) fn new(verify: bool, extra_roots: &[u8]) -> Result<Self, String> {
        todo!("{verify} {extra_roots:?}")
    }
}

/// The client's side of one TLS connection.
pub(crate) struct TlsClient {}

impl TlsClient {
    /// Starts a handshake with `host` (a name or an IP address); certificates are judged by `unix`,
    /// the wall clock's time since 1970.
    pub(crate) fn new(config: &TlsConfig, host: &str, unix: Duration) -> Result<Self, Failure> {
        todo!("{config:?} {host} {unix:?}")
    }

    /// Takes ciphertext from the peer and appends what it decrypts to, to `plaintext`. After a
    /// failure an alert may be waiting in [`TlsClient::take_ciphertext`].
    pub(crate) fn receive(&mut self, ciphertext: &[u8], plaintext: &mut Vec<u8>) -> Result<(), Failure> {
        todo!("{ciphertext:?} {plaintext:?}")
    }

    /// Encrypts bytes for the peer; before the handshake is over they are kept until it is.
    pub(crate) fn send(&mut self, plaintext: &[u8]) {
        todo!("{plaintext:?}")
    }

    /// The ciphertext that is waiting to be sent; empty if there is none.
    pub(crate) fn take_ciphertext(&mut self) -> Vec<u8> {
        todo!()
    }

    /// Whether the handshake is still going on.
    pub(crate) fn is_handshaking(&self) -> bool {
        todo!()
    }

    /// Whether the peer has said close_notify.
    pub(crate) fn is_closed(&self) -> bool {
        todo!()
    }
}
