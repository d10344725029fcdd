//! The client side of one TLS connection.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Duration;

use rustls::client::ResolvesClientCert;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ProtocolVersion};

use super::Validity;
use super::config::TlsConfig;
use super::failure::{ClientAuth, Known, explain, failure, too_large};
use super::verify::Verifier;
use crate::result::{Failure, Reason, TlsVersion};
use crate::text::printable;

/// Limit of the characters of an invalid host name in an error.
const HOST_MAX: usize = 80;

/// The name that a certificate must have; without one, the end of an error.
fn server_name(host: &str) -> Result<ServerName<'_>, String> {
    let bare = host.strip_suffix('.').unwrap_or(host);
    ServerName::try_from(bare).map_err(|_| {
        format!("no certificate can be for {:?}, which is not a host name", printable(host, HOST_MAX))
    })
}

/// Whether a certificate can be for this name or IP address.
pub(crate) fn check_server_name(name: &str) -> Result<(), String> {
    server_name(name).map(|_| ())
}

/// The library limits what the peer can make it buffer: one record (18 KiB), or a handshake message of at
/// most 64 KiB. It counts warnings, key updates, renegotiation requests and empty records, and ends
/// connections with too many of them.
pub(crate) struct TlsClient {
    connection: ClientConnection,
    pub(super) verifier: Arc<Verifier>,
    known: Known,
    received_any: bool,
    closed: bool,
    failure: Option<Failure>,
}

impl TlsClient {
    /// Starts a handshake with `host` (a name or an IP address). `unix`, the wall clock's time since 1970, is
    /// the time for which certificates are verified. Errors if `host` is not a valid host name.
    pub(crate) fn new(config: &TlsConfig, host: &str, unix: Duration) -> Result<Self, Failure> {
        let name = server_name(host).map_err(|what| failure(Reason::TlsName, &what))?;
        let nameless = matches!(name, ServerName::IpAddress(_));
        let known = Known { nameless, verified: config.verifies_signatures(), ..Known::default() };
        let (config, verifier) = config.at(unix);
        let mut connection = ClientConnection::new(config, name.to_owned())
            .map_err(|error| Failure { reason: Reason::Local, ..explain(&error, known) })?;
        // The caller limits the plaintext; a limit here would cut it.
        connection.set_buffer_limit(None);
        Ok(TlsClient { connection, verifier, known, received_any: false, closed: false, failure: None })
    }

    /// Decrypts ciphertext from the peer and appends the result to `plaintext`. After an error, `plaintext`
    /// contains what was decrypted before it, and [`TlsClient::take_ciphertext`] may return an alert. Bytes
    /// after the peer's close_notify are ignored (RFC 8446 section 6.1).
    pub(crate) fn receive(&mut self, ciphertext: &[u8], plaintext: &mut Vec<u8>) -> Result<(), Failure> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        self.received_any |= !ciphertext.is_empty();
        let mut rest = ciphertext;
        let mut full = false;
        while !rest.is_empty() && !self.closed {
            // An error means that buffers are full; processing and reading should free space.
            let stuck = self.connection.read_tls(&mut rest).is_err();
            if stuck && full {
                return self.fail(too_large());
            }
            full = stuck;
            let processed = self.connection.process_new_packets();
            // Appends all available plaintext, then fails with WouldBlock or end of file.
            let _ = self.connection.reader().read_to_end(plaintext);
            match processed {
                Ok(state) => self.closed = state.peer_has_closed(),
                Err(error) => {
                    let greeted = self.connection.protocol_version().is_some();
                    let client_auth = self.client_auth();
                    return self.fail(explain(&error, Known { greeted, client_auth, ..self.known }));
                }
            }
        }
        Ok(())
    }

    fn fail(&mut self, failure: Failure) -> Result<(), Failure> {
        self.failure = Some(failure.clone());
        Err(failure)
    }

    /// Encrypts bytes for the peer; during the handshake they are queued. After a failure they are dropped.
    pub(crate) fn send(&mut self, plaintext: &[u8]) {
        let _ = self.connection.writer().write_all(plaintext);
    }

    pub(crate) fn close(&mut self) {
        self.connection.send_close_notify();
    }

    pub(crate) fn take_ciphertext(&mut self) -> Vec<u8> {
        let mut ciphertext = Vec::new();
        while self.connection.wants_write() && self.connection.write_tls(&mut ciphertext).is_ok() {}
        ciphertext
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether the peer has sent close_notify.
    pub(crate) fn is_closed(&self) -> bool {
        self.closed
    }

    /// `None` during the handshake.
    pub(crate) fn version(&self) -> Option<TlsVersion> {
        let version = self.connection.protocol_version().filter(|_| !self.is_handshaking())?;
        Some(if version == ProtocolVersion::TLSv1_3 { TlsVersion::V13 } else { TlsVersion::V12 })
    }

    fn client_auth(&self) -> ClientAuth {
        match (self.verifier.requested.get(), self.verifier.has_certs()) {
            (None, _) => ClientAuth::NotRequested,
            (Some(()), false) => ClientAuth::Missing,
            (Some(()), true) => ClientAuth::Sent,
        }
    }

    /// Whether the peer judges the client certificate only after the handshake (TLS 1.3).
    pub(crate) fn awaits_verdict(&self) -> bool {
        self.client_auth() == ClientAuth::Sent
            && self.connection.protocol_version() == Some(ProtocolVersion::TLSv1_3)
    }

    /// The validity of the peer's certificate, also if it was refused.
    pub(crate) fn validity(&self) -> Option<Validity> {
        self.verifier.validity.get().copied().flatten()
    }

    /// The failure to report if the peer ends the connection while [`TlsClient::is_handshaking`].
    pub(crate) fn cut_short(&self) -> Failure {
        let what = match self.received_any {
            true => "peer closed the connection during the handshake",
            false => "peer closed the connection instead of answering the handshake (does it speak TLS?)",
        };
        self.failure.clone().unwrap_or_else(|| failure(Reason::TlsProtocol, what))
    }
}
