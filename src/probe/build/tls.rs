//! The settings of a builder for TLS.

use super::{Error, ProbeBuilder, TlsTrust};
use crate::probe::cert_days::CertDays;
use crate::text::quote;
use crate::wire::base64;
use crate::wire::tls::TlsConfig;
use crate::wire::url::{HTTP, Scheme};

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

    /// Whether only the certificates of [`ProbeBuilder::ca_pem`] are trusted, and not the built-in roots. Default: false.
    pub fn ca_only(mut self, only: bool) -> Self {
        self.tls.ca_only = only;
        self
    }

    /// A client certificate (PEM, followed by its chain) and its key, for https and tls servers that request one. A
    /// server that refuses it is a failure with [`Reason::TlsClientCert`](crate::Reason::TlsClientCert).
    /// [`TlsTrust::client_cert`] shares it among probes.
    ///
    /// ```
    /// use pingstate::{Error, probe};
    ///
    /// # if !cfg!(feature = "tls") {
    /// #     return Ok(());
    /// # }
    /// let broker = probe("tls", "mqtt.example.com", 8883).client_cert(b"not PEM", b"");
    /// assert!(matches!(broker.build(), Err(Error::Cert(_))));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn client_cert(mut self, cert_pem: &[u8], key_pem: &[u8]) -> Self {
        self.tls.client = Some((cert_pem.to_vec(), key_pem.to_vec()));
        self
    }

    /// A public key that an https or tls server may have: `sha256//` and the SHA-256 of its SubjectPublicKeyInfo in
    /// base64, as for curl. Repeatable: one of them is required, also without verification of certificates and after
    /// redirects. Another key is a failure with [`Reason::TlsPin`](crate::Reason::TlsPin).
    ///
    /// ```
    /// use pingstate::{Error, probe};
    ///
    /// # if !cfg!(feature = "tls") {
    /// #     return Ok(());
    /// # }
    /// let nas = probe("https", "192.168.1.2", None)
    ///     .verify_tls(false)
    ///     .pin("sha256//r/mIkG3eEpVdm+u/ko/cwxzOMo1bk4TyHIlByibiA5E=")
    ///     .build()?;
    /// assert!(matches!(probe("https", "h", None).pin("md5//x").build(), Err(Error::Pin(_))));
    /// # Ok::<(), Error>(())
    /// ```
    pub fn pin(mut self, pin: &str) -> Self {
        self.settings.pins.push(pin.to_owned());
        self
    }

    /// The name that the certificate of an https or tls target must be for, which is also sent as server name (SNI).
    /// Default: the host. A target that is an address has no server name otherwise.
    ///
    /// ```
    /// use pingstate::probe;
    ///
    /// # if !cfg!(feature = "tls") {
    /// #     return Ok(());
    /// # }
    /// let nas = probe("https", "192.168.1.2", None).tls_name("nas.example.com").build()?;
    /// # Ok::<(), pingstate::Error>(())
    /// ```
    pub fn tls_name(mut self, name: &str) -> Self {
        self.settings.tls_name = Some(name.to_owned());
        self
    }

    /// Connects to this host instead of that of the URL: `HOST[:PORT]`, by default with the port of the URL. The
    /// request and the certificate are still for the host of the URL. It does not apply to redirects to other hosts.
    ///
    /// ```
    /// use pingstate::probe;
    ///
    /// # if !cfg!(feature = "tls") {
    /// #     return Ok(());
    /// # }
    /// let backend = probe("https", "example.com", None).connect_to("192.0.2.7:8443").build()?;
    /// # Ok::<(), pingstate::Error>(())
    /// ```
    pub fn connect_to(mut self, host_and_port: &str) -> Self {
        self.settings.connect_to = Some(host_and_port.to_owned());
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

    /// Takes the settings that apply to a URL of this scheme. See [`TlsSettings::take_config`](super::trust::TlsSettings).
    pub(in crate::probe) fn take_tls_config(&mut self, scheme: &Scheme) -> Result<Option<TlsConfig>, Error> {
        let config = self.tls.take_config(scheme)?;
        if *scheme == HTTP || self.settings.pins.is_empty() {
            return Ok(config);
        }
        let texts = std::mem::take(&mut self.settings.pins);
        let pins: Result<_, _> = texts.iter().flat_map(|text| text.split(';')).map(parse_pin).collect();
        let pins = pins?;
        Ok(config.map(|config| config.with_pins(pins)))
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

fn parse_pin(text: &str) -> Result<[u8; 32], Error> {
    let digest = text.strip_prefix("sha256//").and_then(base64::decode);
    digest.and_then(|digest| digest.try_into().ok()).ok_or_else(|| {
        Error::Pin(format!("{} is not sha256//BASE64, the SHA-256 of a public key", quote(text)))
    })
}
