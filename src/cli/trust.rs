//! The certificates that https targets and webhooks trust: `--ca-file` and `SSL_CERT_FILE`, read once and shared.

use std::collections::BTreeMap;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use super::log::{Log, Priority};
use crate::probe::build::TlsTrust;

/// The largest file of certificates, in bytes: ten times the size of the largest bundles.
const PEM_MAX: u64 = 4 * 1024 * 1024;

type Source = (Vec<u8>, TlsTrust);

/// The trust of all targets with the same settings.
#[derive(Clone, Default)]
pub(super) struct Trusted {
    /// `None` for the built-in roots.
    pub(super) trust: Option<TlsTrust>,
    /// A fingerprint of the additional certificates.
    pub(super) fingerprint: u64,
}

pub(super) struct Trusts {
    log: Log,
    /// By the fingerprint of `verify` and the path of the file; `None` if the file cannot be used.
    made: ByFingerprint<Option<Trusted>>,
    /// `None` until `SSL_CERT_FILE` has been read.
    environment: Option<Option<Source>>,
}

impl Trusts {
    pub(super) fn new(log: Log) -> Trusts {
        Trusts { log, made: ByFingerprint::default(), environment: None }
    }

    /// The error is one line that names the flag; it is `None` if it was reported before, since all targets with the
    /// same settings have the same error.
    pub(super) fn of(&mut self, verify: bool, ca_file: &Option<PathBuf>) -> Result<Trusted, Option<String>> {
        let key = fingerprint(&(verify, ca_file));
        if let Some(made) = self.made.get(&key) {
            return made.clone().ok_or(None);
        }
        let trusted = self.make(verify, ca_file.as_deref());
        self.made.insert(key, trusted.as_ref().ok().cloned());
        trusted.map_err(Some)
    }

    fn make(&mut self, verify: bool, ca_file: Option<&Path>) -> Result<Trusted, String> {
        let flag = ca_file.map(|path| from_flag(verify, path)).transpose()?;
        let log = self.log;
        let environment = match verify {
            true => self.environment.get_or_insert_with(|| from_environment(log)).as_ref(),
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
        Ok(Trusted { trust, fingerprint: fingerprint(&pem) })
    }
}

pub(super) type ByFingerprint<T> = BTreeMap<u64, T>;

/// A number that is the same for equal values. Different values collide with a probability of 2^-64.
pub(super) fn fingerprint(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    // One byte more than the limit, to detect a larger file.
    match File::open(path)?.take(PEM_MAX + 1).read_to_end(&mut text)? as u64 {
        0..=PEM_MAX => Ok(text),
        _ => Err(io::ErrorKind::FileTooLarge.into()),
    }
}

fn from_flag(verify: bool, path: &Path) -> Result<Source, String> {
    let named = |what: &str| format!("--ca-file: {}: {what}", path.display());
    let pem = read(path).map_err(|error| named(&super::log::plain(&error)))?;
    if pem.is_empty() {
        return Err(named("is empty"));
    }
    source(verify, pem).map_err(|error| named(&error))
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
