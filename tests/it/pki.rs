//! Keys and certificates made by OpenSSL, and its servers.
#![cfg(feature = "tls")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::common::*;

pub(crate) const CA: &str = "basicConstraints=critical,CA:TRUE";
pub(crate) const SAN: &str = "subjectAltName=DNS:localhost,IP:127.0.0.1";

/// A directory of keys and certificates, removed when dropped.
pub(crate) struct Pki {
    dir: PathBuf,
}

impl Pki {
    /// `None` if OpenSSL is not installed.
    pub(crate) fn new(name: &str) -> Option<Pki> {
        if !has("openssl", &["version"]) {
            return None;
        }
        let dir = std::env::temp_dir().join(format!("pingstate-pki-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&dir).expect("a directory");
        let pki = Pki { dir };
        pki.write("req.cnf", b"[req]\ndistinguished_name=dn\n[dn]\n");
        Some(pki)
    }

    pub(crate) fn path(&self, file: &str) -> String {
        self.dir.join(file).to_str().expect("text").to_owned()
    }

    pub(crate) fn write(&self, file: &str, bytes: &[u8]) -> String {
        std::fs::write(self.dir.join(file), bytes).expect("written");
        self.path(file)
    }

    pub(crate) fn read(&self, file: &str) -> String {
        std::fs::read_to_string(self.dir.join(file)).expect("text")
    }

    /// Returns what the command prints.
    pub(crate) fn openssl(&self, args: &[&str]) -> String {
        let output = Command::new("openssl").args(args).current_dir(&self.dir).output().expect("runs");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Creates `NAME.key` and `NAME.pem`, signed by `issuer` or self-signed. `key` is the value of
    /// `-newkey`, or the name of a curve.
    pub(crate) fn issue(&self, name: &str, key: &str, issuer: Option<&str>, more: &[&str]) {
        let (key_file, pem) = (format!("{name}.key"), format!("{name}.pem"));
        let (subject, curve) = (format!("/CN={name}"), format!("ec_paramgen_curve:{key}"));
        let mut args = vec!["req", "-config", "req.cnf", "-x509", "-nodes", "-days", "30"];
        args.extend(["-subj", &subject, "-keyout", &key_file, "-out", &pem, "-newkey"]);
        match key {
            "P-256" | "P-384" | "P-521" | "secp256k1" => args.extend(["ec", "-pkeyopt", &curve]),
            "rsa-pss" => args.extend([key, "-pkeyopt", "rsa_keygen_bits:2048"]),
            _ => args.push(key),
        }
        let issuer = issuer.map(|name| (format!("{name}.pem"), format!("{name}.key")));
        if let Some((pem, key)) = &issuer {
            args.extend(["-CA", pem, "-CAkey", key]);
        }
        for more in more {
            match more.contains('=') {
                true => args.extend(["-addext", more]),
                false => args.push(more),
            }
        }
        self.openssl(&args);
    }

    /// Serves a certificate, with the chain `NAME.chain` if it exists.
    pub(crate) fn serve(&self, name: &str, args: &[&str]) -> SslServer {
        let mut command = Command::new("openssl");
        command.args(["s_server", "-accept", "127.0.0.1:0", "-www"]).args(args).current_dir(&self.dir);
        command.args(["-cert", &format!("{name}.pem"), "-key", &format!("{name}.key")]);
        let chain = format!("{name}.chain");
        if Path::new(&self.path(&chain)).exists() {
            command.args(["-cert_chain", &chain]);
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("openssl runs");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let accept = stdout.lines().map_while(Result::ok).find(|line| line.starts_with("ACCEPT "));
        let accept = accept.expect("the server listens");
        let port = accept.rsplit(':').next().expect("a port").to_owned();
        SslServer { child, port }
    }
}

impl Drop for Pki {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.dir);
    }
}

pub(crate) struct SslServer {
    child: Child,
    pub(crate) port: String,
}

impl Drop for SslServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The line that `--once` prints.
pub(crate) fn once(flags: &[&str], url: &str) -> String {
    let output = pingstate().arg("--once").args(flags).arg(url).output().expect("runs");
    String::from_utf8(output.stdout).expect("text")
}
