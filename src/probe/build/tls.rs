//! The settings of a builder for TLS.

use super::{Error, ProbeBuilder, TlsTrust};
use crate::probe::cert_days::CertDays;

impl ProbeBuilder {
    /// Whether the target's certificate must be valid. Default: true.
    pub fn verify_tls(mut self, verify: bool) -> Self {
        self.tls.verify = Some(verify);
        self
    }

    /// Certificates (PEM) to trust in addition to the built-in roots.
    pub fn ca_pem(mut self, pem: &[u8]) -> Self {
        self.tls.ca_pem = pem.to_vec();
        self
    }

    /// A trust that many probes can share. It overrides [`ProbeBuilder::verify_tls`] and
    /// [`ProbeBuilder::ca_pem`].
    pub fn trust(mut self, trust: &TlsTrust) -> Self {
        self.tls.trust = Some(trust.clone());
        self
    }

    /// An https or tls target whose certificate expires within this number of days, 1 to 3650, is degraded:
    /// [`ProbeWarning::CertSoon`](crate::ProbeWarning::CertSoon). Certificates of issuers do not count.
    ///
    /// ```
    /// use pingstate::{Error, probe};
    ///
    /// # if !cfg!(feature = "tls") {
    /// #     return Ok(());
    /// # }
    /// let mail = probe("tls", "mail.example.com", 993).cert_days(14).build()?;
    /// let web = probe("https", "example.com", None).cert_percent(33).build()?;
    /// assert!(matches!(probe("tcp", "h", 1).cert_days(14).build(), Err(Error::CertDays(_))));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn cert_days(mut self, days: u16) -> Self {
        self.settings.cert_days = Some(CertDays::Days(days));
        self
    }

    /// Like [`ProbeBuilder::cert_days`], with the time in percent of the certificate's lifetime, 1 to 99. The last
    /// call of either takes effect.
    pub fn cert_percent(mut self, percent: u8) -> Self {
        self.settings.cert_days = Some(CertDays::Percent(percent));
        self
    }

    /// Takes the setting of [`ProbeBuilder::cert_days`].
    pub(in crate::probe) fn take_cert_days(&mut self) -> Result<Option<CertDays>, Error> {
        let limit = self.settings.cert_days.take();
        match limit.is_none_or(CertDays::is_valid) {
            true => Ok(limit),
            false => Err(Error::CertDays(format!(
                "must be 1 to {} days or 1 to {} percent",
                CertDays::DAYS_MAX,
                CertDays::PERCENT_MAX
            ))),
        }
    }
}
