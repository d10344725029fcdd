//! The certificates that https probes trust.

use std::sync::OnceLock;

use super::Error;
use crate::wire::tls::TlsConfig;

/// The certificates that https probes trust. Cheap to clone: probes share one set of roots.
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
    pub(in crate::probe) fn config(self, needs_tls: bool) -> Result<Option<TlsConfig>, Error> {
        match self.trust {
            Some(trust) => Ok(Some(trust.0)),
            None => config(needs_tls, self.verify.unwrap_or(true), &self.ca_pem),
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

/// A build without TLS has no configuration, which is an error only if the probe `needs_tls`.
pub(super) fn config(needs_tls: bool, verify: bool, extra_roots: &[u8]) -> Result<Option<TlsConfig>, Error> {
    if !cfg!(feature = "tls") {
        return match needs_tls {
            true => Err(Error::Protocol("https is not in this build (feature \"tls\")".to_owned())),
            false => Ok(None),
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
