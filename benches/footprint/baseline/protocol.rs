//! Protocols of the baseline probers: send one request, wait for the header section of the response.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::path::Path;
use std::sync::Arc;

use mio::Interest;
use mio::net::TcpStream;
use rustls::client::Resumption;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore};

use super::address;

/// A probe on an established connection. The methods return `None` while it is in progress, then whether it
/// succeeded.
pub(super) trait Protocol {
    const INTEREST: Interest;

    /// The connection has been established.
    fn start(&mut self, stream: &mut TcpStream) -> Option<bool>;

    /// The socket is readable.
    fn advance(&mut self, stream: &mut TcpStream) -> Option<bool>;
}

/// The same request as pingstate's.
fn request(port: u16, target: usize) -> Vec<u8> {
    let (host, version) = (address(0, port), env!("CARGO_PKG_VERSION"));
    let request = format!(
        "GET /{target} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: pingstate/{version}\r\n\
         Accept-Encoding: identity\r\nConnection: close\r\n\r\n"
    );
    request.into_bytes()
}

/// Whether the status is 200, once the header section is complete.
fn parse_status(response: &[u8]) -> Option<bool> {
    response.windows(4).any(|end| end == b"\r\n\r\n").then(|| response.starts_with(b"HTTP/1.1 200 "))
}

/// The number of bytes read, 0 at the end or on an error; `None` if nothing is available.
fn receive(stream: &mut TcpStream, buffer: &mut [u8]) -> Option<usize> {
    match stream.read(buffer) {
        Ok(len) => Some(len),
        Err(error) if error.kind() == ErrorKind::WouldBlock => None,
        Err(_) => Some(0),
    }
}

pub(super) struct Http(Vec<u8>);

impl Http {
    pub(super) fn new(port: u16, target: usize) -> Http {
        Http(request(port, target))
    }
}

impl Protocol for Http {
    const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE);

    fn start(&mut self, stream: &mut TcpStream) -> Option<bool> {
        let sent = stream.write_all(&self.0).is_ok();
        (!sent).then_some(false)
    }

    fn advance(&mut self, stream: &mut TcpStream) -> Option<bool> {
        // The server sends the response in one segment.
        let mut buffer = [0; 4096];
        let len = receive(stream, &mut buffer)?;
        Some(parse_status(&buffer[..len]) == Some(true))
    }
}

/// The same TLS configuration as pingstate's: built-in roots and `ca`, no session resumption.
pub(super) fn config(ca: &Path) -> Arc<ClientConfig> {
    let mut roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let pem = fs::read(ca).expect("read file");
    roots.add(CertificateDer::from_pem_slice(&pem).expect("certificate")).expect("add CA certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("protocol versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Arc::new(config)
}

pub(super) struct Https {
    tls: ClientConnection,
    request: Vec<u8>,
    request_sent: bool,
    response: Vec<u8>,
}

impl Https {
    pub(super) fn new(config: &Arc<ClientConfig>, port: u16, target: usize) -> Https {
        let name = ServerName::IpAddress(address(0, port).ip().into());
        let tls = ClientConnection::new(config.clone(), name).expect("a connection");
        Https { tls, request: request(port, target), request_sent: false, response: Vec::new() }
    }

    fn flush(&mut self, stream: &mut TcpStream) -> Option<bool> {
        let mut bytes = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut bytes).expect("write to memory");
        }
        let sent = bytes.is_empty() || stream.write_all(&bytes).is_ok();
        (!sent).then_some(false)
    }
}

impl Protocol for Https {
    const INTEREST: Interest = Interest::READABLE.add(Interest::WRITABLE);

    fn start(&mut self, stream: &mut TcpStream) -> Option<bool> {
        self.flush(stream)
    }

    fn advance(&mut self, stream: &mut TcpStream) -> Option<bool> {
        let mut buffer = [0; 16 * 1024];
        let len = receive(stream, &mut buffer)?;
        if len == 0 {
            return Some(false);
        }
        let mut rest = &buffer[..len];
        while !rest.is_empty() {
            if self.tls.read_tls(&mut rest).is_err() || self.tls.process_new_packets().is_err() {
                return Some(false);
            }
        }
        if !self.request_sent && !self.tls.is_handshaking() {
            self.request_sent = true;
            self.tls.writer().write_all(&self.request).expect("write to memory");
        }
        // Returns `WouldBlock` after the available plaintext.
        let _ = self.tls.reader().read_to_end(&mut self.response);
        parse_status(&self.response).or_else(|| self.flush(stream))
    }
}
