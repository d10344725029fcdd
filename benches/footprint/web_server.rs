//! The HTTP and HTTPS server on loopback that all probers check.
//!
//! It answers one request per connection and lets the prober close it; after `RESET_DELAY` it resets the
//! connection, which avoids TIME_WAIT (see `listener`).

use std::collections::VecDeque;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection};
use socket2::SockRef;

use super::listener::{RESET_DELAY, address};
use super::peers::TempDir;

/// Several, because a slow client blocks the thread that serves it.
const THREADS: usize = 4;

/// Read timeout for a request.
const READ_TIMEOUT: Duration = Duration::from_millis(500);

const RESPONSE: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";

/// A server that runs until the program exits.
pub(crate) struct WebServer {
    scheme: &'static str,
    address: SocketAddr,
    count: Arc<AtomicUsize>,
    /// The CA certificate that issued the server's certificate.
    pub(crate) ca: Option<PathBuf>,
}

impl WebServer {
    pub(crate) fn http() -> WebServer {
        WebServer::open("http", None, None)
    }

    /// The certificate is issued for the IP address.
    pub(crate) fn https(temp_dir: &TempDir) -> WebServer {
        let mut params = CertificateParams::new(Vec::new()).expect("certificate without names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Footprint CA");
        let ca_key = KeyPair::generate().expect("key");
        let ca = params.self_signed(&ca_key).expect("certificate");
        let key = KeyPair::generate().expect("key");
        let params = CertificateParams::new([address(0, 0).ip().to_string()]).expect("an address");
        let certificate = params.signed_by(&key, &ca, &ca_key).expect("certificate");
        let private = PrivateKeyDer::try_from(key.serialize_der()).expect("key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], private)
            .expect("certificate");
        WebServer::open("https", Some(Arc::new(config)), Some(temp_dir.file("ca.pem", &ca.pem())))
    }

    fn open(scheme: &'static str, tls: Option<Arc<ServerConfig>>, ca: Option<PathBuf>) -> WebServer {
        let listener = TcpListener::bind(address(0, 0)).expect("bind a listener");
        // Accepted sockets inherit the option.
        SockRef::from(&listener).set_linger(Some(Duration::ZERO)).expect("set a socket option");
        let server = WebServer {
            scheme,
            address: listener.local_addr().expect("bind a listener"),
            count: Arc::default(),
            ca,
        };
        for _ in 0..THREADS {
            let (listener, tls) = (listener.try_clone().expect("duplicate a descriptor"), tls.clone());
            let count = server.count.clone();
            thread::spawn(move || serve(&listener, tls.as_ref(), &count));
        }
        server
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// One URL per target, which differ in their path.
    pub(crate) fn urls(&self, targets: usize) -> Vec<String> {
        (0..targets).map(|target| format!("{}://{}/{target}", self.scheme, self.address)).collect()
    }

    /// Responses sent so far.
    pub(crate) fn count(&self) -> usize {
        self.count.load(Ordering::Relaxed)
    }
}

fn serve(listener: &TcpListener, tls: Option<&Arc<ServerConfig>>, count: &AtomicUsize) {
    let mut open_connections: VecDeque<(Instant, TcpStream)> = VecDeque::new();
    for mut stream in listener.incoming().flatten() {
        stream.set_read_timeout(Some(READ_TIMEOUT)).expect("set a socket option");
        let responded = match tls {
            None => respond(&mut stream),
            Some(config) => {
                let mut tls = ServerConnection::new(config.clone()).expect("a connection");
                respond(&mut rustls::Stream::new(&mut tls, &mut stream))
            }
        };
        count.fetch_add(usize::from(responded), Ordering::Relaxed);
        let now = Instant::now();
        open_connections.push_back((now, stream));
        while open_connections.front().is_some_and(|(accepted_at, _)| now - *accepted_at >= RESET_DELAY) {
            open_connections.pop_front();
        }
    }
}

/// Reads one request and responds to it; returns whether that succeeded.
fn respond(stream: &mut (impl Read + Write)) -> bool {
    let mut request = Vec::new();
    let mut buffer = [0; 2048];
    while !request.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(len) if len > 0 => request.extend_from_slice(&buffer[..len]),
            _ => return false,
        }
    }
    stream.write_all(RESPONSE).and_then(|()| stream.flush()).is_ok()
}
