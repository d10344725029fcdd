//! The list of probe kinds.
//!
//! A new kind is a file with its [`Info`], and here a variant of [`Kind`], its arm in [`Kind::info`] and its place
//! in the lists of kinds. The flags that apply to it are in `cli/flags.rs`, its checks in `check`.

use std::sync::Arc;
use std::time::Duration;

use super::build::{Error, Plan, ProbeBuilder};
use super::{dns, exec, heartbeat, http, icmp, tcp, tls};
use crate::wire::url::{Form, Scheme, Url, scheme_of};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Tcp,
    Http,
    Https,
    Tls,
    Icmp,
    Exec,
    Dns,
    Heartbeat,
}

pub(crate) type Kinds = &'static [Kind];

pub(crate) const ANY: Kinds =
    &[Kind::Tcp, Kind::Http, Kind::Https, Kind::Tls, Kind::Icmp, Kind::Exec, Kind::Dns, Kind::Heartbeat];

/// Kinds whose checks open connections.
#[cfg(feature = "cli")]
pub(crate) const NETWORK_KINDS: Kinds =
    &[Kind::Tcp, Kind::Http, Kind::Https, Kind::Tls, Kind::Icmp, Kind::Dns];

/// Kinds that are probed.
#[cfg(feature = "cli")]
pub(crate) const PROBED_KINDS: Kinds =
    &[Kind::Tcp, Kind::Http, Kind::Https, Kind::Tls, Kind::Icmp, Kind::Exec, Kind::Dns];

#[cfg(feature = "cli")]
pub(crate) const HEARTBEAT_KINDS: Kinds = &[Kind::Heartbeat];

pub(crate) const HTTP_KINDS: Kinds = &[Kind::Http, Kind::Https];
#[cfg(feature = "cli")]
pub(crate) const DNS_KINDS: Kinds = &[Kind::Dns];

/// Kinds with a `--check`.
#[cfg(feature = "cli")]
pub(crate) const CHECK_KINDS: Kinds = &[Kind::Tcp, Kind::Http, Kind::Https, Kind::Tls, Kind::Dns];

#[cfg(feature = "cli")]
pub(crate) const TCP_KINDS: Kinds = &[Kind::Tcp];

/// Kinds that can send a text.
#[cfg(feature = "cli")]
pub(crate) const SEND_KINDS: Kinds = &[Kind::Tcp, Kind::Tls];

#[cfg(feature = "cli")]
pub(crate) const ICMP_KINDS: Kinds = &[Kind::Icmp];

/// Kinds whose target has a certificate.
#[cfg(feature = "cli")]
pub(crate) const CERT_KINDS: Kinds = &[Kind::Https, Kind::Tls];

/// Kinds that verify certificates; http does after a redirect to https.
#[cfg(feature = "cli")]
pub(crate) const TLS_KINDS: Kinds = &[Kind::Http, Kind::Https, Kind::Tls];

/// The default interval of most kinds.
pub(crate) const INTERVAL: Duration = Duration::from_secs(5);

pub(super) struct Info {
    pub(super) scheme: &'static Scheme,
    /// The default port; 0 if the kind has none.
    pub(super) port: u16,
    pub(super) timeout: Duration,
    /// The default interval; zero if a target must state it.
    pub(super) interval: Duration,
    /// The name of a target without one; `None` if it must have one.
    pub(super) default_name: fn(&Url) -> Option<String>,
    /// The URL for logs and the API, without secrets.
    pub(super) shown_url: fn(&Url) -> String,
    /// What the probe connects to; `None` if that is not part of the URL.
    pub(super) peer: fn(&Url) -> Option<Url>,
    pub(super) build: Build,
}

/// Takes the settings that apply to the kind out of the builder; one that is left is an error.
type Build = fn(Url, Duration, &mut ProbeBuilder) -> Result<Arc<dyn Plan>, Error>;

impl Info {
    /// A kind whose targets are named `HOST:PORT` by default.
    pub(super) const fn new(scheme: &'static Scheme, port: u16, timeout: Duration, build: Build) -> Info {
        Info {
            scheme,
            port,
            timeout,
            interval: INTERVAL,
            default_name: |url| Some(url.authority()),
            shown_url: |url| url.to_string(),
            peer: |url| Some(url.clone()),
            build,
        }
    }
}

impl Kind {
    pub(super) fn info(self) -> &'static Info {
        match self {
            Kind::Tcp => &tcp::TCP,
            Kind::Http => &http::HTTP,
            Kind::Https => &http::HTTPS,
            Kind::Tls => &tls::TLS,
            Kind::Icmp => &icmp::ICMP,
            Kind::Exec => &exec::EXEC,
            Kind::Dns => &dns::DNS,
            Kind::Heartbeat => &heartbeat::HEARTBEAT,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        self.scheme().name
    }

    pub(crate) fn scheme(self) -> &'static Scheme {
        self.info().scheme
    }

    pub(crate) fn port(self) -> u16 {
        self.info().port
    }

    pub(crate) fn timeout(self) -> Duration {
        self.info().timeout
    }

    pub(crate) fn interval(self) -> Duration {
        self.info().interval
    }

    /// Whether checks open connections.
    pub(crate) fn has_sockets(self) -> bool {
        !matches!(self, Kind::Exec | Kind::Heartbeat)
    }

    pub(crate) fn parse(name: &str) -> Result<Kind, String> {
        scheme_of(name, &schemes()).map(Kind::of)
    }

    /// The kind of a URL, of which the part after the scheme may be invalid.
    pub(crate) fn of_url(url: &str) -> Option<Kind> {
        let (name, rest) = url.split_once(':')?;
        let kind = Kind::parse(name).ok()?;
        (kind.scheme().form == Form::Text || rest.starts_with("//")).then_some(kind)
    }

    fn of(scheme: &'static Scheme) -> Kind {
        // Every scheme is from the list.
        ANY.iter().copied().find(|kind| kind.scheme() == scheme).unwrap_or(Kind::Tcp)
    }
}

fn schemes() -> [&'static Scheme; ANY.len()] {
    std::array::from_fn(|index| ANY[index].scheme())
}

pub(crate) fn parse_url(text: &str) -> Result<(Kind, Url), String> {
    let url = Url::parse(text, &schemes())?;
    Ok((Kind::of(url.scheme), url))
}

/// The URL that a target shows if it is given with this one, unless the kind omits parts that tell targets apart.
pub(crate) fn shown_url(text: &str) -> Option<String> {
    let (kind, url) = parse_url(text).ok()?;
    let is_complete = !matches!(kind, Kind::Exec | Kind::Heartbeat);
    is_complete.then(|| (kind.info().shown_url)(&url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_name_and_by_url() {
        for kind in ANY {
            let name = kind.name();
            assert_eq!((Kind::parse(name), Kind::parse(&name.to_uppercase())), (Ok(*kind), Ok(*kind)));
            let separator = kind.scheme().separator();
            assert_eq!(Kind::of_url(&format!("{}{separator}", name.to_uppercase())), Some(*kind));
            let port = if kind.scheme().has_port() { ":1" } else { "" };
            let (parsed, url) = parse_url(&format!("{name}{separator}h{port}")).expect(name);
            assert_eq!(
                (parsed, url.scheme, kind.port() > 0),
                (*kind, kind.scheme(), kind.scheme().has_port())
            );
        }
        let error = "`udp` is not tcp, http, https, tls, icmp, exec, dns or heartbeat";
        assert_eq!(Kind::parse("udp"), Err(error.to_owned()));
        assert_eq!((Kind::parse("ping"), Kind::of_url("Ping://h")), (Ok(Kind::Icmp), Some(Kind::Icmp)));
        assert_eq!((Kind::of_url("udp://h:1"), Kind::of_url("tcp:h")), (None, None));
    }
}
