//! The client's side of one TLS connection.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConnection;
use rustls::pki_types::ServerName;

use super::config::TlsConfig;
use super::failure::{Known, explain, failure, too_large};
use super::recording_verifier::RecordingVerifier;
use crate::result::{Failure, Reason, printable};

/// The longest part of a host that is no name which is told, in characters.
const HOST_MAX: usize = 80;

/// The client's side of one TLS connection.
///
/// What the peer can make it hold is bounded by the library: one record (18 KiB), or a handshake
/// message of at most 64 KiB while it is being put together. Warnings, key updates, requests to
/// renegotiate and empty records are counted, and a few too many end the connection.
pub(crate) struct TlsClient {
    connection: ClientConnection,
    recording_verifier: Arc<RecordingVerifier>,
    known: Known,
    /// Whether any byte has come from the peer.
    heard: bool,
    closed: bool,
    failure: Option<Failure>,
}

impl TlsClient {
    /// Starts a handshake with `host` (a name or an IP address); certificates are judged by `unix`,
    /// the wall clock's time since 1970.
    pub(crate) fn new(config: &TlsConfig, host: &str, unix: Duration) -> Result<Self, Failure> {
        let bare = host.strip_suffix('.').unwrap_or(host);
        let name = ServerName::try_from(bare).map_err(|_| {
            let host = printable(host, HOST_MAX);
            failure(Reason::TlsName, &format!("no certificate can be for {host:?}, which is not a host name"))
        })?;
        let nameless = matches!(name, ServerName::IpAddress(_));
        let known = Known { greeted: false, nameless, verified: config.verify };
        let (config, recording_verifier) = config.at(unix);
        let mut connection = ClientConnection::new(config, name.to_owned())
            .map_err(|error| Failure { reason: Reason::Local, ..explain(&error, known) })?;
        // What waits to be sent is the caller's own, who is never asked to send it in parts.
        connection.set_buffer_limit(None);
        Ok(TlsClient { connection, recording_verifier, known, heard: false, closed: false, failure: None })
    }

    /// Takes ciphertext from the peer and appends what it decrypts to, to `plaintext`. After a
    /// failure an alert may be waiting in [`TlsClient::take_ciphertext`]; what was decrypted before
    /// it is in `plaintext`. Bytes after the peer's close_notify are ignored (RFC 8446 section 6.1).
    pub(crate) fn receive(&mut self, ciphertext: &[u8], plaintext: &mut Vec<u8>) -> Result<(), Failure> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        self.heard |= !ciphertext.is_empty();
        let mut rest = ciphertext;
        let mut full = false;
        while !rest.is_empty() && !self.closed {
            // An error here means that buffers are full, which processing and reading should cure.
            let stuck = self.connection.read_tls(&mut rest).is_err();
            if stuck && full {
                return self.fail(too_large());
            }
            full = stuck;
            let processed = self.connection.process_new_packets();
            // Appends all there is, then answers that there is no more for now.
            let _ = self.connection.reader().read_to_end(plaintext);
            match processed {
                Ok(state) => self.closed = state.peer_has_closed(),
                Err(error) => {
                    let greeted = self.connection.protocol_version().is_some();
                    return self.fail(explain(&error, Known { greeted, ..self.known }));
                }
            }
        }
        Ok(())
    }

    fn fail(&mut self, failure: Failure) -> Result<(), Failure> {
        self.failure = Some(failure.clone());
        Err(failure)
    }

    /// Encrypts bytes for the peer; before the handshake is over they are kept until it is. After a
    /// failure they are dropped.
    pub(crate) fn send(&mut self, plaintext: &[u8]) {
        let _ = self.connection.writer().write_all(plaintext);
    }

    /// Tells the peer that nothing more will be sent (close_notify).
    pub(crate) fn close(&mut self) {
        self.connection.send_close_notify();
    }

    /// The ciphertext that is waiting to be sent; empty if there is none.
    pub(crate) fn take_ciphertext(&mut self) -> Vec<u8> {
        let mut ciphertext = Vec::new();
        while self.connection.wants_write() {
            if self.connection.write_tls(&mut ciphertext).is_err() {
                break;
            }
        }
        ciphertext
    }

    /// Whether the handshake is still going on.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether the peer has said close_notify.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// When the certificate that the peer has shown expires, as the time since 1970; also if it was
    /// refused.
    pub(crate) fn not_after(&self) -> Option<Duration> {
        self.recording_verifier.not_after()
    }

    /// The failure to tell of when the peer ends the connection while [`TlsClient::is_handshaking`].
    pub(crate) fn cut_short(&self) -> Failure {
        let what = match self.heard {
            true => "peer closed the connection during the handshake",
            false => "peer closed the connection instead of answering the handshake (does it speak TLS?)",
        };
        self.failure.clone().unwrap_or_else(|| failure(Reason::TlsProtocol, what))
    }
}
