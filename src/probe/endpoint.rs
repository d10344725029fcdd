//! Where a probe connects to, and the name in the certificate, if they are not those of the URL.

use super::build::{Error, ProbeBuilder};
use super::{Output, Transport};
use crate::wire::tls::check_server_name;
use crate::wire::url::{Url, read_host_and_port};

pub(crate) struct Endpoint {
    tls_name: Option<String>,
    connect_to: Option<(String, u16)>,
}

impl Endpoint {
    /// Takes its settings; `None` without any.
    pub(super) fn take(probe: &mut ProbeBuilder, url: &Url) -> Result<Option<Box<Endpoint>>, Error> {
        let (tls_name, connect_to) = (probe.settings.tls_name.take(), probe.settings.connect_to.take());
        if tls_name.is_none() && connect_to.is_none() {
            return Ok(None);
        }
        if let Some(name) = &tls_name {
            Url::new(url.scheme, name, url.port, "").map_err(Error::TlsName)?;
            check_server_name(name).map_err(Error::TlsName)?;
        }
        let connect_to = connect_to.map(|text| read_host_and_port(&text, url.port).map_err(Error::ConnectTo));
        Ok(Some(Box::new(Endpoint { tls_name, connect_to: connect_to.transpose()? })))
    }
}

/// Requests the connection for a URL.
pub(super) fn connect(endpoint: Option<&Endpoint>, url: &Url) -> Output {
    let (host, port) = match endpoint.and_then(|endpoint| endpoint.connect_to.clone()) {
        Some(connect_to) => connect_to,
        None => (url.host.clone(), url.port),
    };
    Output::Connect { transport: Transport::Tcp, host, port }
}

/// The name or address that the certificate must be for; a name is sent as server name (RFC 6066 section 3).
pub(super) fn server_name<'a>(endpoint: Option<&'a Endpoint>, url: &'a Url) -> &'a str {
    endpoint.and_then(|endpoint| endpoint.tls_name.as_deref()).unwrap_or(&url.host)
}
