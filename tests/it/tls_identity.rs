//! The command and servers of OpenSSL: client certificates, pinned keys, server names and other addresses.
#![cfg(feature = "tls")]

use std::io::Write;
use std::process::{Command, Stdio};

use crate::common::*;
use crate::pki::*;

const DEMANDS: [&str; 5] = ["-Verify", "1", "-CAfile", "ca.pem", "-verify_return_error"];

/// The exit code and the error of an invalid command line.
fn error(args: &[&str]) -> String {
    let output = pingstate().arg("--once").args(args).output().expect("runs");
    assert_eq!(output.status.code(), Some(2), "{args:?}");
    String::from_utf8(output.stderr).expect("text")
}

#[test]
fn client_certificates_are_accepted_or_refused_in_both_versions() {
    let Some(pki) = Pki::new("clients") else { return };
    pki.issue("ca", "P-256", None, &[CA]);
    pki.issue("server", "P-256", Some("ca"), &[SAN]);
    pki.issue("stranger", "P-256", None, &[CA]);
    let clients = [("p256", "P-256"), ("p384", "P-384"), ("rsa", "rsa:2048"), ("ed25519", "ed25519")];
    for (name, key) in clients {
        pki.issue(name, key, Some("ca"), &["extendedKeyUsage=clientAuth"]);
    }
    pki.issue("unknown", "P-256", Some("stranger"), &[]);
    let both = pki.read("p256.pem") + &pki.read("p256.key");
    let both = pki.write("both.pem", both.as_bytes());
    let ca = pki.path("ca.pem");
    let missing = "the server requires a client certificate; pass one with --cert and --key";
    let refused = "the server refuses the client certificate of --cert";
    for version in ["-tls1_2", "-tls1_3"] {
        let server = pki.serve("server", &[&DEMANDS[..], &[version]].concat());
        for (scheme, up) in [("https", "HTTP 200"), ("tls", "TLS handshake ok")] {
            let url = format!("{scheme}://localhost:{}", server.port);
            let once = |flags: &[&str]| once(&[&["--ca-file", &ca], flags].concat(), &url);
            for (name, _) in clients {
                let [cert, key] = ["pem", "key"].map(|end| pki.path(&format!("{name}.{end}")));
                let line = once(&["--cert", &cert, "--key", &key]);
                assert!(line.contains(up), "{version} {name}: {line}");
            }
            assert!(once(&["--cert", &both]).contains(up));
            let [cert, key] = ["unknown.pem", "unknown.key"].map(|file| pki.path(file));
            let line = once(&["--cert", &cert, "--key", &key]);
            assert!(line.contains(refused), "{version} {scheme}: {line}");
            // Without a certificate, a server of TLS 1.3 completes the handshake first.
            let line = once(&[]);
            let expected = if (version, scheme) == ("-tls1_3", "tls") { up } else { missing };
            assert!(line.contains(expected), "{version} {scheme}: {line}");
        }
        // A server that does not demand a certificate does not get one.
        let server = pki.serve("server", &[version]);
        let line = once(&["--ca-file", &ca, "--cert", &both], &format!("tls://localhost:{}", server.port));
        assert!(line.contains("TLS handshake ok"), "{line}");
    }
}

#[test]
fn files_of_client_certificates_are_read_or_their_error_is_named() {
    let Some(pki) = Pki::new("client-files") else { return };
    pki.issue("client", "P-256", None, &[]);
    pki.issue("other", "P-256", None, &[]);
    pki.openssl(&["pkey", "-in", "client.key", "-aes128", "-passout", "pass:x", "-out", "locked.key"]);
    pki.openssl(&["ec", "-in", "client.key", "-aes128", "-passout", "pass:x", "-out", "old.key"]);
    pki.openssl(&["ec", "-in", "client.key", "-out", "sec1.key"]);
    pki.openssl(&["pkey", "-in", "client.key", "-outform", "der", "-out", "der.key"]);
    pki.openssl(&["genpkey", "-algorithm", "ed448", "-out", "ed448.key"]);
    let url = format!("tls://{}", "localhost:1");
    let cert = pki.path("client.pem");
    let encrypted = "the key is encrypted; decrypt it with: openssl pkey";
    for (file, words) in [
        ("locked.key", encrypted),
        ("old.key", encrypted),
        ("other.key", "the key is not that of the certificate"),
        ("der.key", "not PEM but DER; convert it with: openssl pkey"),
        ("ed448.key", "the key is not supported"),
        ("client.pem", "no private key in the PEM text"),
        ("missing.key", "No such file"),
    ] {
        let key = pki.path(file);
        let line = error(&["--cert", &cert, "--key", &key, &url]);
        // The certificate is in the same file.
        let flag = if key == cert { "--cert" } else { "--key" };
        assert!(line.starts_with(&format!("pingstate: {flag}: {key}: {words}")), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
    }
    for key in ["client.key", "sec1.key"] {
        let line = once(&["--cert", &cert, "--key", &pki.path(key)], &url);
        assert!(line.contains("refused"), "{line}");
    }
    let line = error(&["--cert", &pki.path("client.key"), &url]);
    assert!(line.contains(": no certificate in the PEM text"), "{line}");
}

/// The digest of a server's key, by the command that the documentation of curl gives.
fn pin(pki: &Pki, name: &str) -> String {
    let pem = pki.openssl(&["x509", "-in", &format!("{name}.pem"), "-pubkey", "-noout"]);
    let pipe = "openssl pkey -pubin -outform der | openssl dgst -sha256 -binary | openssl enc -base64";
    let mut shell = Command::new("sh");
    let shell = shell.args(["-c", pipe]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut shell = shell.spawn().expect("runs");
    shell.stdin.take().expect("piped").write_all(pem.as_bytes()).expect("written");
    let output = shell.wait_with_output().expect("runs");
    format!("sha256//{}", String::from_utf8(output.stdout).expect("text").trim_end())
}

#[test]
fn keys_are_pinned_by_the_digest_that_openssl_computes() {
    let Some(pki) = Pki::new("pins") else { return };
    for (name, key) in [("p256", "P-256"), ("p384", "P-384"), ("rsa", "rsa:2048"), ("ed25519", "ed25519")] {
        pki.issue(name, key, None, &[SAN]);
        let pin = pin(&pki, name);
        let other = "sha256//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
        for version in ["-tls1_2", "-tls1_3"] {
            let server = pki.serve(name, &[version]);
            let ca = pki.path(&format!("{name}.pem"));
            for scheme in ["https", "tls"] {
                let url = format!("{scheme}://localhost:{}", server.port);
                for trust in [&["--no-verify-tls"][..], &["--ca-file", &ca]] {
                    let once = |pins: &[&str]| once(&[trust, pins].concat(), &url);
                    for pins in [
                        &["--pin", &*pin][..],
                        &["--pin", other, "--pin", &pin],
                        &["--pin", &format!("{other};{pin}")],
                    ] {
                        let line = once(pins);
                        assert!(line.starts_with("up"), "{name} {version} {trust:?} {pins:?}: {line}");
                    }
                    let line = once(&["--pin", other]);
                    let words = format!("certificate has the public key {pin}, which is not one of --pin");
                    assert!(line.contains(&words), "{name} {version} {trust:?}: {line}");
                }
            }
        }
    }
    for pin in
        ["sha256//", "sha256//AAAA", "AAAA", "x;", "sha1//AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="]
    {
        let line = error(&["--pin", pin, "tls://localhost:1"]);
        assert!(line.starts_with("pingstate: --pin: `") && line.contains("is not sha256//BASE64"), "{line}");
    }
}

#[test]
fn only_the_ca_file_is_trusted_on_request() {
    let Some(pki) = Pki::new("only") else { return };
    pki.issue("ca", "P-256", None, &[CA]);
    pki.issue("other", "P-256", None, &[CA]);
    pki.issue("server", "P-256", Some("ca"), &[SAN]);
    let server = pki.serve("server", &[]);
    let url = format!("tls://localhost:{}", server.port);
    for (file, flags, state) in [
        ("ca", &["--ca-only"][..], "up"),
        ("other", &[], "up"), // SSL_CERT_FILE is trusted, too.
        ("other", &["--ca-only"], "down"),
    ] {
        let mut command = pingstate();
        command.env("SSL_CERT_FILE", pki.path("ca.pem")).args(["--once", "--ca-file"]);
        let output =
            command.arg(pki.path(&format!("{file}.pem"))).args(flags).arg(&url).output().expect("runs");
        let line = String::from_utf8(output.stdout).expect("text");
        assert!(line.starts_with(state), "{file} {flags:?}: {line}");
    }
}

#[test]
fn the_name_and_the_address_can_be_given() {
    let Some(pki) = Pki::new("names") else { return };
    pki.issue("ca", "P-256", None, &[CA]);
    pki.issue("nas", "P-256", Some("ca"), &["subjectAltName=DNS:nas.example"]);
    pki.issue("default", "P-256", Some("ca"), &["subjectAltName=DNS:default.example"]);
    // By its server name, OpenSSL chooses the second certificate.
    let by_name = ["-servername", "nas.example", "-cert2", "nas.pem", "-key2", "nas.key"];
    let server = pki.serve("default", &by_name);
    let ca = pki.path("ca.pem");
    let target = format!("127.0.0.1:{}", server.port);
    for (scheme, up) in [("https", "HTTP 200"), ("tls", "TLS handshake ok")] {
        let once = |flags: &[&str], url: &str| once(&[&["--ca-file", &ca], flags].concat(), url);
        let url = format!("{scheme}://{target}");
        let line = once(&[], &url);
        let words = "certificate is for default.example; not for 127.0.0.1; pass its name with --tls-name";
        assert!(line.contains(words), "{line}");
        assert!(once(&["--tls-name", "NAS.example"], &url).contains(up));
        assert!(once(&["--tls-name", "default.example"], &url).contains(up));
        let line = once(&["--tls-name", "x.example"], &url);
        assert!(line.contains("is for default.example; not for x.example"), "{line}");
        // nas.example is not resolved.
        let line = once(&["--connect-to", &target], &format!("{scheme}://nas.example"));
        assert!(line.contains(up), "{line}");
        let line = once(&["--connect-to", "127.0.0.1"], &format!("{scheme}://nas.example:{}", server.port));
        assert!(line.contains(up), "{line}");
    }
    let url = format!("tls://{target}");
    for (flag, value, words) in [
        ("--tls-name", "a b", "cannot hold a space"),
        ("--tls-name", "a-.example", "which is not a host name"),
        ("--tls-name", "a:1", "holds a port"),
        ("--connect-to", "a:0", "is not between 1 and 65535"),
        ("--connect-to", "http://a", "is a URL, not a host"),
        ("--connect-to", ":1", "there is no host"),
    ] {
        let line = error(&[flag, value, &url]);
        assert!(line.starts_with(&format!("pingstate: {flag}: ")) && line.contains(words), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
    }
}
