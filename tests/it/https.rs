//! The command and real TLS servers: which certificates it trusts, and how it reports the others.
#![cfg(feature = "tls")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;

use crate::common::*;

/// A server with a self-signed certificate for these names, and that certificate in a file.
pub(crate) struct Site {
    server: Server,
    pem: PathBuf,
}

impl Site {
    pub(crate) fn start(names: &[&str]) -> Site {
        Site::with(names, |_| {})
    }

    fn with(names: &[&str], change: impl Fn(&mut CertificateParams)) -> Site {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Site::serving(&certificate, &key, &certificate)
    }

    /// A server with a certificate signed by a private authority; the file contains the authority's
    /// certificate.
    fn signed(names: &[&str]) -> Site {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "Home CA");
        let ca_key = KeyPair::generate().expect("a key");
        let ca = params.self_signed(&ca_key).expect("a certificate");
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(names).expect("names");
        let certificate = params.signed_by(&key, &ca, &ca_key).expect("a certificate");
        Site::serving(&certificate, &key, &ca)
    }

    fn serving(certificate: &Certificate, key: &KeyPair, in_file: &Certificate) -> Site {
        let config = server_config(certificate, key);
        let server = Server::start(move |stream| answer(stream, config.clone()));
        let file = format!("pingstate-https-{}-{}.pem", std::process::id(), server.address.port());
        let pem = std::env::temp_dir().join(file);
        std::fs::write(&pem, in_file.pem()).expect("written");
        Site { server, pem }
    }

    pub(crate) fn url(&self, host: &str) -> String {
        format!("https://{host}:{}/", self.server.address.port())
    }

    fn file(&self) -> &str {
        self.pem.to_str().expect("a path")
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.pem);
    }
}

pub(crate) fn server_config(certificate: &Certificate, key: &KeyPair) -> Arc<rustls::ServerConfig> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let private = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], private);
    Arc::new(config.expect("a certificate"))
}

/// Answers one request and closes without close_notify, as many servers do.
pub(crate) fn answer(mut stream: TcpStream, config: Arc<rustls::ServerConfig>) {
    let mut tls = rustls::ServerConnection::new(config).expect("a connection");
    let mut tls = rustls::Stream::new(&mut tls, &mut stream);
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match tls.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let _ = tls.write_all(b"HTTP/1.1 200 OK\r\n\r\nneedle");
    let _ = tls.flush();
}

/// The exit code and the line that `--once` prints.
fn once(args: &[&str]) -> (Option<i32>, String) {
    let output = pingstate().arg("--once").args(args).output().expect("runs");
    (output.status.code(), String::from_utf8(output.stdout).expect("text"))
}

#[test]
fn self_signed_certificate_is_trusted_with_ca_file() {
    let site = Site::start(&["localhost", "127.0.0.1"]);
    for host in ["localhost", "127.0.0.1"] {
        let (code, line) =
            once(&["--ca-file", site.file(), "--check", "body_contains:needle", &site.url(host)]);
        assert_eq!(code, Some(0), "{line}");
        assert!(line.ends_with("HTTP 200\n"), "{line}");
    }
    let output =
        pingstate().args(["--once", &site.url("localhost")]).env("SSL_CERT_FILE", site.file()).output();
    assert!(output.expect("runs").status.success());
}

#[test]
fn untrusted_certificate_is_refused_unless_verification_is_off() {
    let site = Site::start(&["localhost"]);
    let (code, line) = once(&[&site.url("localhost")]);
    assert_eq!(code, Some(1), "{line}");
    assert!(line.contains("TLS: ") && line.contains("self-signed"), "{line}");
    let (code, line) = once(&["--no-verify-tls", &site.url("localhost")]);
    assert_eq!(code, Some(0), "{line}");
}

#[test]
fn private_authority_is_trusted_after_its_certificate_is_added() {
    let site = Site::signed(&["localhost"]);
    let (code, line) = once(&[&site.url("localhost")]);
    assert_eq!(code, Some(1), "{line}");
    assert!(line.contains("TLS: ") && line.contains("issuer"), "{line}");
    let (code, line) = once(&["--ca-file", site.file(), &site.url("localhost")]);
    assert_eq!(code, Some(0), "{line}");
}

#[test]
fn refusal_reports_the_certificate_error() {
    let other = Site::start(&["nas.example"]);
    let (code, line) = once(&["--ca-file", other.file(), &other.url("localhost")]);
    assert_eq!(code, Some(1), "{line}");
    assert!(line.contains("nas.example"), "{line}");
    let expired = Site::with(&["localhost"], |params| {
        params.not_before = rcgen::date_time_ymd(2019, 1, 1);
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
    });
    let (code, line) = once(&["--ca-file", expired.file(), &expired.url("localhost")]);
    assert_eq!(code, Some(1), "{line}");
    assert!(line.contains("expired") && line.contains("2020"), "{line}");
    let early = Site::with(&["localhost"], |params| params.not_before = rcgen::date_time_ymd(2200, 1, 1));
    let (_, line) = once(&["--ca-file", early.file(), &early.url("localhost")]);
    assert!(line.contains("not valid before") && line.contains("clock"), "{line}");
}

#[test]
fn server_without_tls_is_reported() {
    let plain = Server::start(|mut stream| {
        let _ = stream.read(&mut [0; 5]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    });
    let (code, line) = once(&[&plain.url("https")]);
    assert_eq!(code, Some(1), "{line}");
    assert!(line.contains("does not speak TLS"), "{line}");
}

#[test]
fn a_ca_file_that_holds_no_certificate_is_refused() {
    let path = std::env::temp_dir().join(format!("pingstate-https-{}-empty.pem", std::process::id()));
    for text in ["", "nothing here", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        std::fs::write(&path, text).expect("written");
        let output =
            pingstate().arg("--ca-file").arg(&path).arg("https://localhost:1/").output().expect("runs");
        let line = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{text}: {line}");
        assert!(line.starts_with("pingstate: --ca-file: ") && line.lines().count() == 1, "{line}");
    }
    let _ = std::fs::remove_file(&path);
}
