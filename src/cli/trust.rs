//! The certificates of https and tls targets and of webhooks: `--ca-file`, `SSL_CERT_FILE`, `--cert` and `--key`, read
//! once and shared.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::log::{Log, Priority};
use super::options::Settings;
use super::shared::{Shared, fingerprint};
use crate::probe::build::TlsTrust;

/// The largest file of certificates, in bytes: ten times the size of the largest bundles.
const PEM_MAX: u64 = 4 * 1024 * 1024;

type Source = (Vec<u8>, TlsTrust);

/// The trust of all targets with the same settings.
#[derive(Clone, Default)]
pub(super) struct Trusted {
    /// `None` for the built-in roots.
    pub(super) trust: Option<TlsTrust>,
    /// A fingerprint of the files.
    pub(super) fingerprint: u64,
}

/// The flags that name certificates.
#[derive(Clone, Copy, Hash)]
pub(super) struct TrustFlags<'a> {
    pub(super) verify: bool,
    pub(super) ca_file: Option<&'a Path>,
    pub(super) ca_only: bool,
    pub(super) cert: Option<&'a Path>,
    pub(super) key: Option<&'a Path>,
}

impl TrustFlags<'_> {
    pub(super) fn of(settings: &Settings) -> TrustFlags<'_> {
        TrustFlags {
            verify: !settings.no_verify_tls,
            ca_file: settings.ca_file.as_deref(),
            ca_only: settings.ca_only,
            cert: settings.cert.as_deref(),
            key: settings.key.as_deref(),
        }
    }

    /// Those of a webhook. A notification may contain secrets: --no-verify-tls does not apply to it.
    pub(super) fn of_webhook(ca_file: Option<&Path>) -> TrustFlags<'_> {
        TrustFlags { verify: true, ca_file, ca_only: false, cert: None, key: None }
    }
}

pub(super) struct Trusts {
    made: Shared<Trusted>,
    environment: Environment,
}

impl Trusts {
    pub(super) fn new(log: Log) -> Trusts {
        Trusts { made: Shared::default(), environment: Environment { log, source: None } }
    }

    /// The error is one line that names the flag; it is `None` if it was reported before.
    pub(super) fn of(&mut self, flags: TrustFlags<'_>) -> Result<Trusted, Option<String>> {
        self.made.get(fingerprint(&flags), || self.environment.trusted(flags))
    }
}

/// The certificates that `SSL_CERT_FILE` names.
struct Environment {
    log: Log,
    /// `None` until the file has been read.
    source: Option<Option<Source>>,
}

impl Environment {
    fn trusted(&mut self, flags: TrustFlags<'_>) -> Result<Trusted, String> {
        let TrustFlags { verify, ca_file, ca_only, .. } = flags;
        let flag = ca_file.map(|path| from_flag(verify, ca_only, path)).transpose()?;
        let log = self.log;
        let environment = match verify && !ca_only {
            true => self.source.get_or_insert_with(|| from_environment(log)).as_ref(),
            false => None,
        };
        let (pem, trust) = match (flag, environment) {
            (None, None) => (Vec::new(), None),
            (Some((pem, trust)), None) => (pem, Some(trust)),
            (None, Some((pem, trust))) => (pem.clone(), Some(trust.clone())),
            (Some((flag, _)), Some((environment, _))) => {
                let both = [&flag, &b"\n"[..], environment].concat();
                let (both, trust) = source(verify, both).map_err(|error| format!("--ca-file: {error}"))?;
                (both, Some(trust))
            }
        };
        let Some(cert_file) = flags.cert else {
            return Ok(Trusted { trust, fingerprint: fingerprint(&pem) });
        };
        let key_file = flags.key.unwrap_or(cert_file);
        let cert = read_flag("--cert", cert_file)?;
        let key = read_flag(flags.key.map_or("--cert", |_| "--key"), key_file)?;
        let trust = match trust {
            Some(trust) => Ok(trust),
            None => TlsTrust::new(verify, &[]),
        };
        let trust = trust.and_then(|trust| trust.client_cert(&cert, &key)).map_err(|error| {
            let file = if error.field() == "key" { key_file } else { cert_file };
            // Without --key, the key is in the file of --cert.
            let flag = if file == cert_file { "cert" } else { error.field() };
            format!("--{flag}: {}: {}", file.display(), error.message())
        })?;
        Ok(Trusted { trust: Some(trust), fingerprint: fingerprint(&(&pem, &cert, &key)) })
    }
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    // One byte more than the limit, to detect a larger file.
    match File::open(path)?.take(PEM_MAX + 1).read_to_end(&mut text)? as u64 {
        0..=PEM_MAX => Ok(text),
        _ => Err(io::ErrorKind::FileTooLarge.into()),
    }
}

/// The contents of the file of a flag.
fn read_flag(flag: &str, path: &Path) -> Result<Vec<u8>, String> {
    let named = |what: &str| format!("{flag}: {}: {what}", path.display());
    let pem = read(path).map_err(|error| named(&super::log::plain(&error)))?;
    if pem.is_empty() { Err(named("is empty")) } else { Ok(pem) }
}

fn from_flag(verify: bool, only: bool, path: &Path) -> Result<Source, String> {
    let pem = read_flag("--ca-file", path)?;
    let trust = if only { TlsTrust::only(&pem) } else { TlsTrust::new(verify, &pem) };
    match trust {
        Ok(trust) => Ok((pem, trust)),
        Err(error) => Err(format!("--ca-file: {}: {}", path.display(), error.message())),
    }
}

fn source(verify: bool, pem: Vec<u8>) -> Result<Source, String> {
    match TlsTrust::new(verify, &pem) {
        Ok(trust) => Ok((pem, trust)),
        Err(error) => Err(error.message().to_owned()),
    }
}

/// The certificates that `SSL_CERT_FILE` names. A file that cannot be used is only a warning.
fn from_environment(log: Log) -> Option<Source> {
    let path = std::env::var_os("SSL_CERT_FILE").filter(|path| !path.is_empty())?;
    let read = read(path.as_ref()).map_err(|error| super::log::plain(&error));
    // An empty file adds nothing to the built-in roots.
    if read.as_ref().is_ok_and(Vec::is_empty) {
        return None;
    }
    match read.and_then(|pem| source(true, pem)) {
        Ok(source) => Some(source),
        Err(error) => {
            let path = path.to_string_lossy();
            log.line(Priority::Warning, &format!("SSL_CERT_FILE {path} is not used: {error}"));
            None
        }
    }
}
