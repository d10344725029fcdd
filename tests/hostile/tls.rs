//! Connections of broken and hostile TLS targets.
#![allow(unreachable_pub)] // Shared by the modules of one test.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, LazyLock};

use rcgen::{Certificate, CertificateParams, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection};

use super::acts::{Act, NEEDLE, OK, Peer, flood, half_close, hold, reset};

const fn peer(what: &'static str, check: &'static str, act: Act, says: &'static str) -> Peer {
    Peer { what, scheme: "https", check, act, says }
}

const LATE: &str = "timed out after";

pub const PEERS: [Peer; 22] = [
    peer("TLS: reset after the hello", "", |s| cut(s, 0, reset), "reset"),
    peer("TLS: closed after the hello", "", |s| cut(s, 0, drop), "closed"),
    peer("TLS: reset in a record's head", "", |s| cut(s, 3, reset), "reset"),
    peer("TLS: closed in a record's head", "", |s| cut(s, 3, drop), "closed"),
    peer("TLS: reset in the server's hello", "", |s| cut(s, 60, reset), "reset"),
    peer("TLS: closed in the server's hello", "", |s| cut(s, 60, drop), "closed"),
    peer("TLS: half closed in the server's hello", "", |s| cut(s, 60, half_close), "closed"),
    peer("TLS: silence in the server's hello", "", |s| cut(s, 60, hold), LATE),
    peer("TLS: reset in the certificate", "", |s| cut(s, 300, reset), "reset"),
    peer("TLS: closed in the certificate", "", |s| cut(s, 300, drop), "closed"),
    peer("TLS: silence in the certificate", "", |s| cut(s, 300, hold), LATE),
    peer("TLS: garbage after the hello", "", |s| cut(s, 0, |s| flood(s, b"", b"\x16\x03\x03garbage")), "TLS"),
    peer("TLS: reset after the handshake", "", |s| speak(s, b"", reset), "reset"),
    peer("TLS: closed after the handshake", "", |s| speak(s, b"", drop), "closed"),
    peer("TLS: silence after the handshake", "", |s| speak(s, b"", hold), LATE),
    peer(
        "TLS: garbage after the handshake",
        "",
        |s| speak(s, b"", |s| flood(s, b"", b"\x17\x03\x03\x01\x00rubbish")),
        "TLS",
    ),
    peer("TLS: reset in the body", NEEDLE, |s| speak(s, b"HTTP/1.1 200 OK\r\n\r\nneed", reset), "reset"),
    peer("TLS: body found, then a reset", NEEDLE, |s| speak(s, b"HTTP/1.1 200 OK\r\n\r\nneedle", reset), OK),
    peer("TLS: flood of the head", "", |s| pour(s, b"HTTP/1.1 200 OK\r\nX: ", 4000), "head"),
    peer("TLS: flood of the body", NEEDLE, |s| pour(s, b"HTTP/1.1 200 OK\r\n\r\n", 4000), "body"),
    peer("TLS: flood of tiny records", NEEDLE, |s| pour(s, b"HTTP/1.1 200 OK\r\n\r\n", 1), ""),
    peer("TLS: flood of key updates", "", update_keys, ""),
];

static CERTIFICATE: LazyLock<(Certificate, KeyPair)> = LazyLock::new(|| {
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    let key = KeyPair::generate().expect("a key");
    (params.self_signed(&key).expect("a certificate"), key)
});

/// The trust store of a client that must accept the certificate.
pub fn pem() -> String {
    CERTIFICATE.0.pem()
}

static CONFIG: LazyLock<Arc<ServerConfig>> = LazyLock::new(|| {
    let (certificate, key) = &*CERTIFICATE;
    let private = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private);
    let mut config = config.expect("a certificate");
    config.send_tls13_tickets = 64;
    Arc::new(config)
});

fn connection() -> ServerConnection {
    ServerConnection::new(CONFIG.clone()).expect("a connection")
}

/// Responds like a correct server.
pub fn well(stream: TcpStream) {
    speak(stream, b"HTTP/1.1 200 OK\r\n\r\nneedle", drop);
}

/// Sends this number of bytes of its handshake, then runs the last step.
pub fn cut(mut stream: TcpStream, len: usize, then: Act) {
    let mut tls = connection();
    while !tls.wants_write() {
        if !matches!(tls.read_tls(&mut stream), Ok(1..)) || tls.process_new_packets().is_err() {
            return;
        }
    }
    let mut flight = Vec::new();
    while tls.wants_write() {
        tls.write_tls(&mut flight).expect("memory");
    }
    let _ = stream.write_all(&flight[..len.min(flight.len())]);
    then(stream);
}

/// Reads the request over TLS, sends this response, then runs the last step.
fn speak(mut stream: TcpStream, bytes: &[u8], then: Act) {
    // A reset must not overtake the data sent before it.
    let _ = stream.set_nodelay(true);
    let mut tls = connection();
    if take_request(&mut tls, &mut stream) {
        let _ = tls.writer().write_all(bytes);
        while tls.wants_write() && tls.write_tls(&mut stream).is_ok() {}
        then(stream);
    }
}

fn take_request(tls: &mut ServerConnection, stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    let mut buffer = [0; 1024];
    while !head.ends_with(b"\r\n\r\n") {
        match rustls::Stream::new(tls, stream).read(&mut buffer) {
            Ok(len @ 1..) => head.extend(&buffer[..len]),
            _ => return false,
        }
    }
    true
}

/// Reads the request over TLS and sends data forever, in records of this length.
fn pour(mut stream: TcpStream, first: &[u8], len: usize) {
    let mut tls = connection();
    if !take_request(&mut tls, &mut stream) || tls.writer().write_all(first).is_err() {
        return;
    }
    let records = 16_384_usize.div_ceil(len + 22);
    loop {
        for _ in 0..records {
            let _ = tls.writer().write_all(&vec![b'x'; len]);
        }
        while tls.wants_write() {
            if tls.write_tls(&mut stream).is_err() {
                return;
            }
        }
    }
}

/// Sends key updates forever.
fn update_keys(mut stream: TcpStream) {
    let mut tls = connection();
    if !take_request(&mut tls, &mut stream) {
        return;
    }
    while tls.refresh_traffic_keys().is_ok() {
        while tls.wants_write() {
            if tls.write_tls(&mut stream).is_err() {
                return;
            }
        }
    }
}
