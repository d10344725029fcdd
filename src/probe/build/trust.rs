//! The certificates that https and tls probes trust.

use std::sync::OnceLock;

use super::Error;
use crate::wire::tls::{ClientCertError, TlsConfig};
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

    /// Trusts only the certificates of `roots` (PEM).
    ///
    /// # Errors
    /// [`Error::CaFile`] if `roots` is not PEM or has no certificate, or in a build without TLS.
    pub fn only(roots: &[u8]) -> Result<Self, Error> {
        TlsConfig::only(roots).map(TlsTrust).map_err(Error::CaFile)
    }

    /// Also sends this client certificate (PEM, followed by its chain) to servers that request one.
    ///
    /// # Errors
    /// [`Error::Cert`] or [`Error::Key`] if they are not PEM or do not belong together.
    pub fn client_cert(self, cert_pem: &[u8], key_pem: &[u8]) -> Result<Self, Error> {
        self.0.with_client_certificate(cert_pem, key_pem).map(TlsTrust).map_err(|error| match error {
            ClientCertError::Cert(message) => Error::Cert(message),
            ClientCertError::Key(message) => Error::Key(message),
        })
    }
}

#[derive(Default)]
pub(in crate::probe) struct TlsSettings {
    pub(super) verify: Option<bool>,
    pub(super) ca_pem: Vec<u8>,
    pub(super) ca_only: bool,
    pub(super) trust: Option<TlsTrust>,
    /// PEM of the certificate and of its key.
    pub(super) client: Option<(Vec<u8>, Vec<u8>)>,
}

impl TlsSettings {
    /// The configuration for a URL of this scheme, of the settings that apply to it. It is `None` if the build has no
    /// TLS and http needs it only after a redirect.
    pub(super) fn take_config(&mut self, scheme: &Scheme) -> Result<Option<TlsConfig>, Error> {
        let (verify, ca_pem) = (self.verify.take().unwrap_or(true), std::mem::take(&mut self.ca_pem));
        let config = match (self.trust.take(), std::mem::take(&mut self.ca_only)) {
            (Some(trust), _) => Some(trust.0),
            (None, false) => config(scheme, verify, &ca_pem)?,
            (None, true) if !verify => {
                return Err(Error::CaOnly("has no effect without verification".to_owned()));
            }
            (None, true) if ca_pem.is_empty() => {
                return Err(Error::CaOnly("needs certificates to trust".to_owned()));
            }
            (None, true) => Some(TlsTrust::only(&ca_pem)?.0),
        };
        match (config, self.client.take_if(|_| *scheme != HTTP)) {
            (Some(config), Some((cert, key))) => Ok(Some(TlsTrust(config).client_cert(&cert, &key)?.0)),
            (config, _) => Ok(config),
        }
    }

    pub(super) fn first_setting(&self) -> Option<fn(String) -> Error> {
        let present = [
            (self.verify.is_some(), Error::VerifyTls as fn(String) -> Error),
            (!self.ca_pem.is_empty() || self.trust.is_some(), Error::CaFile),
            (self.ca_only, Error::CaOnly),
            (self.client.is_some(), Error::Cert),
        ];
        present.into_iter().find(|(is_present, _)| *is_present).map(|(_, error)| error)
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
