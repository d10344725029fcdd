//! The command and servers of OpenSSL: keys, signatures, chains and protocol versions of every kind, and
//! the details of those that it cannot accept.
#![cfg(feature = "tls")]

use std::io::{Read, Write};
use std::process::Command;

use crate::common::*;
use crate::pki::*;

const UP: &str = "HTTP 200";
const NO_COMMON: &str = "TLS: the server refuses the handshake; it may support only cipher suites or curves that \
    pingstate does not (TLS 1.2 with ECDHE and AES-GCM or ChaCha20, or TLS 1.3, is required)";
const BOTH: [&str; 2] = ["-tls1_3", "-tls1_2"];
/// Makes OpenSSL use parameters that it considers too weak.
const WEAK: &[&str] = &["-cipher", "DEFAULT:@SECLEVEL=0"];

impl Pki {
    /// Fails unless the server's results are as expected, with and without certificate verification.
    fn check(&self, name: &str, ca: &str, args: &[&str], verified: &str, unverified: &str) {
        let server = self.serve(name, args);
        let ca = self.path(&format!("{ca}.pem"));
        for (flags, expected) in [(&["--ca-file", &ca][..], verified), (&["--no-verify-tls"], unverified)] {
            for (scheme, up) in [("https", UP), ("tls", "TLS handshake ok")] {
                let line = once(flags, &format!("{scheme}://localhost:{}/", server.port));
                let expected = if expected == UP { up } else { expected };
                assert!(line.contains(expected), "{name} {args:?} {flags:?} {scheme}: {line}");
            }
        }
    }
}

#[test]
fn keys_of_every_kind_are_accepted_or_named() {
    let Some(pki) = Pki::new("keys") else { return };
    pki.issue("ca", "P-256", None, &[CA]);
    pki.openssl(&["dsaparam", "-out", "dsa.par", "2048"]);
    for (name, key) in [
        ("p256", "P-256"),
        ("p384", "P-384"),
        ("p521", "P-521"),
        ("k1", "secp256k1"),
        ("rsa1024", "rsa:1024"),
        ("rsa2048", "rsa:2048"),
        ("rsa3072", "rsa:3072"),
        ("pss", "rsa-pss"),
        ("ed25519", "ed25519"),
        ("ed448", "ed448"),
        ("dsa", "dsa:dsa.par"),
    ] {
        pki.issue(name, key, Some("ca"), &[SAN]);
    }
    for version in BOTH {
        let args = [WEAK, &[version]].concat();
        for name in ["p256", "p384", "rsa2048", "rsa3072", "ed25519"] {
            pki.check(name, "ca", &args, UP, UP);
        }
        pki.check("rsa1024", "ca", &args, "RSA key of 1024 bits, which is too short", UP);
    }
    // TLS 1.3 separates the key of a certificate from the curve of the key exchange.
    for name in ["p521", "ed448", "pss"] {
        pki.check(name, "ca", &["-tls1_3"], "P-521, Ed448 and RSA-PSS keys", UP);
        pki.check(name, "ca", &["-tls1_2"], "P-521, Ed448 and RSA-PSS keys", "TLS: the server");
    }
    for name in ["k1", "dsa"] {
        pki.check(name, "ca", &["-tls1_2"], NO_COMMON, NO_COMMON);
    }
}

#[test]
fn signatures_of_every_kind_are_accepted_or_named() {
    let Some(pki) = Pki::new("signatures") else { return };
    for (ca, key, digest, verdict) in [
        ("p256", "P-256", "-sha384", UP),
        ("p384", "P-384", "-sha256", UP),
        ("rsa", "rsa:2048", "-sha512", UP),
        ("ed25519", "ed25519", "-sha256", UP),
        ("p256-sha512", "P-256", "-sha512", "chain uses ECDSA with SHA-512"),
        ("p256-sha1", "P-256", "-sha1", "chain uses ECDSA with SHA-1"),
        ("p521-sha512", "P-521", "-sha512", "chain uses ECDSA with SHA-512"),
        ("p521-sha256", "P-521", "-sha256", "chain uses P-521"),
        ("k1", "secp256k1", "-sha256", "chain uses secp256k1"),
        ("rsa-sha1", "rsa:2048", "-sha1", "chain uses SHA-1"),
        ("rsa-md5", "rsa:2048", "-md5", "chain uses MD5"),
        ("rsa1024", "rsa:1024", "-sha256", "chain has an RSA key of 1024 bits, which is too short"),
        ("ed448", "ed448", "-sha256", "chain uses Ed448"),
    ] {
        let leaf = format!("leaf-{ca}");
        pki.issue(ca, key, None, &[CA, digest]);
        pki.issue(&leaf, "P-256", Some(ca), &[SAN, digest]);
        for version in BOTH {
            pki.check(&leaf, ca, &[WEAK, &[version]].concat(), verdict, UP);
        }
    }
}

#[test]
fn certificates_of_every_kind_are_accepted_or_explained() {
    let Some(pki) = Pki::new("kinds") else { return };
    pki.issue("ca", "P-256", None, &[CA]);
    let names: Vec<String> = (0..200).map(|n| format!("DNS:host-{n}.example")).collect();
    let many = format!("subjectAltName={},DNS:localhost", names.join(","));
    let long = format!("0x{}", "ab".repeat(40));
    for (name, more, verdict) in [
        ("many-names", &[&many[..]][..], UP),
        ("negative-serial", &[SAN, "-set_serial", "-5"], UP),
        ("long-serial", &[SAN, "-set_serial", &long], UP),
        ("wildcard", &["subjectAltName=DNS:*.example"], "is for *.example; not for localhost"),
        ("address", &["subjectAltName=IP:127.0.0.1"], "is for 127.0.0.1; not for localhost"),
        ("nameless", &["keyUsage=digitalSignature"], "has no subject alternative name); not for localhost"),
        ("version-1", &[], "unsupported cert version; reissue it with X.509 version 3"),
        ("ca-itself", &[SAN, CA], "ca used as end entity; reissue it for a server, or pass it"),
        ("clients", &[SAN, "extendedKeyUsage=clientAuth"], "is not one for servers"),
        ("critical", &[SAN, "1.2.3.4=critical,DER:0500"], "is refused: unsupported critical extension"),
    ] {
        pki.issue(name, "P-256", Some("ca"), more);
        pki.check(name, "ca", &[], verdict, UP);
    }
    // In the CA file itself, a CA certificate may be the server's, as for OpenSSL.
    pki.check("ca-itself", "ca-itself", &[], UP, UP);
    pki.issue("self-signed", "P-256", None, &[SAN, CA]);
    pki.check("self-signed", "self-signed", &[], UP, UP);
    pki.check("self-signed", "ca", &[], "it is self-signed; pass it with --ca-file", UP);
}

#[test]
fn the_expiry_of_a_certificate_is_what_openssl_reads() {
    let Some(pki) = Pki::new("expiry") else { return };
    // From 2050 on, dates are encoded as GeneralizedTime instead of UTCTime.
    for (year, month, day) in [(1999, 12, 31), (2024, 2, 29), (2049, 12, 31), (2050, 1, 1), (9999, 12, 31)] {
        let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        params.not_after = rcgen::date_time_ymd(year, month, day);
        let key = rcgen::KeyPair::generate().expect("a key");
        pki.write("dated.pem", params.self_signed(&key).expect("signed").pem().as_bytes());
        pki.write("dated.key", key.serialize_pem().as_bytes());
        let server = pki.serve("dated", &[]);
        let port: u16 = server.port.parse().expect("a port");
        let probe = pingstate::probe("https", "localhost", port).verify_tls(false).build().expect("valid");
        let expiry = probe.check().tls_not_after.expect("a certificate");
        let seconds = expiry.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs();
        let date = ["-u", "-d", &format!("@{seconds}"), "+notAfter=%Y-%m-%d %H:%M:%SZ"];
        let ours = Command::new("date").args(date).output().expect("runs");
        let theirs = pki.openssl(&["x509", "-in", "dated.pem", "-noout", "-enddate", "-dateopt", "iso_8601"]);
        assert_eq!(String::from_utf8_lossy(&ours.stdout), theirs);
    }
}

#[test]
fn chains_of_every_kind_are_accepted_or_explained() {
    let Some(pki) = Pki::new("chains") else { return };
    pki.issue("root", "P-256", None, &["keyUsage=keyCertSign"]);
    pki.issue("ca", "P-256", None, &[CA]);
    pki.issue("constrained", "P-256", None, &[CA, "nameConstraints=permitted;DNS:example.com"]);
    pki.issue("no-length", "P-256", Some("ca"), &["basicConstraints=critical,CA:TRUE,pathlen:0"]);
    pki.issue("beyond", "P-256", Some("no-length"), &[CA]);
    pki.issue("gadget", "P-256", None, &["subjectAltName=DNS:gadget.example"]);
    for (leaf, issuer, chain, ca, verdict) in [
        ("by-root", "root", &[][..], "root", UP),
        ("by-constrained", "constrained", &[], "constrained", "is refused: name constraint violation"),
        ("by-beyond", "beyond", &["beyond", "no-length"], "ca", "is refused: path len constraint violated"),
        ("by-lone", "no-length", &[], "ca", "or have the server send its intermediate certificate"),
        ("by-whole", "no-length", &["no-length"], "ca", UP),
        ("by-gadget", "gadget", &[], "gadget", "issuer is in --ca-file, but is not a CA"),
        ("by-sent-gadget", "gadget", &["gadget"], "gadget", "is refused: end entity used as ca"),
    ] {
        pki.issue(leaf, "P-256", Some(issuer), &[SAN]);
        let pem: String = [leaf].iter().chain(chain).map(|name| pki.read(&format!("{name}.pem"))).collect();
        pki.write(&format!("{leaf}.chain"), pem.as_bytes());
        pki.check(leaf, ca, &[], verdict, UP);
    }
}

#[test]
fn refused_handshakes_are_explained() {
    let Some(pki) = Pki::new("refusals") else { return };
    pki.issue("ca", "rsa:2048", None, &[CA]);
    pki.issue("server", "rsa:2048", Some("ca"), &[SAN]);
    let too_old = "it must enable TLS 1.2 or TLS 1.3";
    let names =
        ["-servername", "other.example", "-servername_fatal", "-cert2", "server.pem", "-key2", "server.key"];
    for (args, words) in [
        (&["-tls1_2", "-cipher", "AES128-GCM-SHA256"][..], NO_COMMON),
        (&["-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA256:ECDHE-RSA-AES256-SHA"], NO_COMMON),
        (&["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256"], NO_COMMON),
        (&["-tls1_2", "-cipher", "AES128-SHA"], NO_COMMON),
        (&["-tls1_2", "-groups", "P-521"], NO_COMMON),
        (&["-tls1_3", "-groups", "X448"], NO_COMMON),
        (&["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"], too_old),
        (&["-tls1", "-cipher", "DEFAULT:@SECLEVEL=0"], too_old),
        (&names, "it may have no certificate for this host name"),
    ] {
        pki.check("server", "ca", args, words, words);
    }
    let server = pki.serve("server", &["-tls1_2", "-cipher", "AES128-GCM-SHA256"]);
    let line = once(&[], &format!("https://127.0.0.1:{}/", server.port));
    assert!(
        line.contains(NO_COMMON) && line.contains("it may need a host name, which --tls-name sets"),
        "{line}"
    );
}

#[test]
fn oversized_certificate_message_is_reported() {
    let Some(pki) = Pki::new("large") else { return };
    pki.issue("ca", "P-256", None, &[CA]);
    pki.issue("server", "P-256", Some("ca"), &[SAN]);
    let pem = [pki.read("server.pem"), pki.read("ca.pem").repeat(250)].concat();
    pki.write("server.chain", pem.as_bytes());
    // OpenSSL sends 100 kB of certificates uncompressed.
    for version in BOTH {
        pki.check("server", "ca", &[version], "more than 64 KiB", "more than 64 KiB");
    }
}

#[test]
fn servers_of_other_protocols_are_reported() {
    for (greeting, words) in [
        (&b"SSH-2.0-OpenSSH_9.2\r\n"[..], "does not speak TLS on this port"),
        (b"220 mail.example ESMTP\r\n", "does not speak TLS on this port"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak TLS on this port"),
        (b"", "closed the connection instead of answering"),
    ] {
        let server = Server::start(move |mut stream| {
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(greeting);
        });
        let line = once(&[], &server.url("https"));
        assert!(line.contains(words), "{line}");
    }
}

#[test]
fn ca_files_are_read_or_their_error_is_named() {
    let Some(pki) = Pki::new("files") else { return };
    pki.issue("ca", "P-256", None, &[CA]);
    pki.issue("server", "P-256", Some("ca"), &[SAN]);
    pki.openssl(&["x509", "-in", "ca.pem", "-outform", "der", "-out", "ca.der"]);
    pki.openssl(&["x509", "-in", "ca.pem", "-text", "-out", "text.pem"]);
    pki.openssl(&["genrsa", "-traditional", "-aes128", "-passout", "pass:x", "-out", "locked.key", "2048"]);
    let pem = pki.read("ca.pem");
    let bundle: String = (0..5).map(|_| pem.repeat(100)).collect();
    let server = pki.serve("server", &[]);
    let url = format!("https://localhost:{}/", server.port);
    for (file, text) in [
        ("crlf.pem", pem.replace('\n', "\r\n")),
        ("bom.pem", format!("\u{feff}{pem}")),
        ("around.pem", format!("Subject: me\n\n{pem}\nthat is all")),
        ("spaces.pem", pem.replace('\n', "  \n")),
        ("text.pem", pki.read("text.pem")),
        ("key.pem", pki.read("ca.key") + &pem),
        ("locked.pem", pki.read("locked.key") + &pem),
        ("bundle.pem", bundle),
        ("endless.pem", pem.trim_end().to_owned()),
    ] {
        let line = once(&["--ca-file", &pki.write(file, text.as_bytes())], &url);
        assert!(line.contains(UP), "{file}: {line}");
    }
    pki.write("zeros.pem", &vec![b'\n'; 4 * 1024 * 1024 + 1]);
    pki.write("empty.pem", b"");
    pki.write("text-only.pem", b"nothing here\n");
    std::fs::create_dir(pki.path("dir.pem")).expect("made");
    for (file, words) in [
        ("ca.der", "not PEM but DER; convert it with: openssl x509 -inform der -in FILE -out FILE.pem"),
        ("ca.key", "no certificate in the PEM text"),
        ("text-only.pem", "no certificate in the PEM text"),
        ("empty.pem", "is empty"),
        ("zeros.pem", "file too large"),
        ("dir.pem", "s a directory"),
        ("missing.pem", "No such file"),
    ] {
        let path = pki.path(file);
        let output = pingstate().args(["--once", "--ca-file", &path, &url]).output().expect("runs");
        let line = String::from_utf8(output.stderr).expect("text");
        assert_eq!(output.status.code(), Some(2), "{file}: {line}");
        let named = line.starts_with(&format!("pingstate: --ca-file: {path}: "));
        assert!(named && line.contains(words) && line.lines().count() == 1, "{file}: {line}");
    }
}

#[test]
fn a_certificate_that_expires_soon_makes_its_target_degraded() {
    let Some(pki) = Pki::new("soon") else { return };
    pki.issue("ca", "P-256", None, &[CA, "-days", "2"]);
    pki.issue("server", "P-256", Some("ca"), &[SAN]);
    let server = pki.serve("server", &[]);
    let ca = pki.path("ca.pem");
    for scheme in ["https", "tls"] {
        let url = format!("{scheme}://localhost:{}", server.port);
        // It was issued for 30 days; that of the issuer, which expires earlier, does not count.
        for (limit, state) in [("31", "degraded"), ("29", "up"), ("98%", "up"), ("30", "degraded")] {
            let line = once(&["--ca-file", &ca, "--cert-days", limit], &url);
            assert!(line.starts_with(state), "{limit}: {line}");
            let is_named = line.ends_with(", certificate expires in 29 days\n");
            assert_eq!(is_named, state == "degraded", "{limit}: {line}");
        }
    }
}
