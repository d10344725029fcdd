//! The certificates that https probes trust, loaded once and shared.

use std::sync::OnceLock;

use super::Error;
use crate::wire::tls::TlsConfig;
use crate::wire::url::{HTTPS, Scheme};

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
pub struct TlsTrust(pub(crate) TlsConfig);

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

/// The trust without and with verification, made when first needed: 10,000 probes share one set of roots.
static USUAL: [OnceLock<TlsConfig>; 2] = [OnceLock::new(), OnceLock::new()];

/// The trust of a probe without an explicit [`TlsTrust`]. A build without TLS has none; this is an error for
/// https only, because http needs it only for redirects.
pub(crate) fn of(scheme: &Scheme, verify: bool, extra_roots: &[u8]) -> Result<Option<TlsConfig>, Error> {
    if !cfg!(feature = "tls") {
        return match *scheme == HTTPS {
            true => Err(Error::Protocol("https is not in this build (feature \"tls\")".to_owned())),
            false => Ok(None),
        };
    }
    if !extra_roots.is_empty() {
        return TlsTrust::new(verify, extra_roots).map(|trust| Some(trust.0));
    }
    let usual = &USUAL[usize::from(verify)];
    if let Some(config) = usual.get() {
        return Ok(Some(config.clone()));
    }
    let config = TlsTrust::new(verify, &[])?.0;
    Ok(Some(usual.get_or_init(|| config).clone()))
}
