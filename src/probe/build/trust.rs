//! The certificates that https and tls probes trust.

use std::sync::OnceLock;

use super::Error;
use crate::wire::tls::TlsConfig;
use crate::wire::url::{HTTP, Scheme};

/// The certificates that https and tls probes trust. Cheap to clone: probes share one set of roots.
///
/// ```
/// use pingstate::{Error, TlsTrust, probe};
///
/// # if !cfg!(feature = "tls") {
/// #     return Ok(());
/// # }
/// let insecure = TlsTrust::new(false, b"")?;
/// let nas = probe("https", "192.168.1.2", 443).trust(&insecure).build()?;
/// let router = probe("https", "192.168.1.1", 443).trust(&insecure).build()?;
/// assert!(matches!(TlsTrust::new(true, b"not a certificate"), Err(Error::CaFile(_))));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug)]
pub struct TlsTrust(pub(super) TlsConfig);

impl TlsTrust {
    /// Trusts the built-in roots and the certificates of `extra_roots` (PEM, may be empty); every certificate
    /// if `verify` is false.
    ///
    /// # Errors
    /// [`Error::CaFile`] if `extra_roots` is not PEM, or in a build without TLS.
    pub fn new(verify: bool, extra_roots: &[u8]) -> Result<Self, Error> {
        TlsConfig::new(verify, extra_roots).map(TlsTrust).map_err(Error::CaFile)
    }
}

#[derive(Default)]
pub(in crate::probe) struct TlsSettings {
    pub(super) verify: Option<bool>,
    pub(super) ca_pem: Vec<u8>,
    pub(super) trust: Option<TlsTrust>,
}

impl TlsSettings {
    /// The configuration for a URL of this scheme. It is `None` if the build has no TLS and http needs it only after
    /// a redirect.
    pub(in crate::probe) fn config(self, scheme: &Scheme) -> Result<Option<TlsConfig>, Error> {
        match self.trust {
            Some(trust) => Ok(Some(trust.0)),
            None => config(scheme, self.verify.unwrap_or(true), &self.ca_pem),
        }
    }

    pub(super) fn first_setting(&self) -> Option<fn(String) -> Error> {
        if self.verify.is_some() {
            return Some(Error::VerifyTls);
        }
        (!self.ca_pem.is_empty() || self.trust.is_some()).then_some(Error::CaFile)
    }
}

/// Without and with verification; shared by all probes.
static DEFAULTS: [OnceLock<TlsConfig>; 2] = [OnceLock::new(), OnceLock::new()];

/// Without a [`TlsTrust`].
pub(super) fn config(scheme: &Scheme, verify: bool, extra_roots: &[u8]) -> Result<Option<TlsConfig>, Error> {
    if !cfg!(feature = "tls") {
        return match *scheme == HTTP {
            true => Ok(None),
            false => Err(Error::Protocol(format!("{} is not in this build (feature \"tls\")", scheme.name))),
        };
    }
    if !extra_roots.is_empty() {
        return TlsTrust::new(verify, extra_roots).map(|trust| Some(trust.0));
    }
    let default = &DEFAULTS[usize::from(verify)];
    if let Some(config) = default.get() {
        return Ok(Some(config.clone()));
    }
    let config = TlsTrust::new(verify, &[])?.0;
    Ok(Some(default.get_or_init(|| config).clone()))
}
