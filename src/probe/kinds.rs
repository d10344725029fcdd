//! The list of probe kinds.
//!
//! A new kind is a variant of [`Kind`] with its row here, and a file with its `build` function. The flags that
//! apply to it are in `cli/flags.rs`, its checks in `check`.

use std::sync::Arc;
use std::time::Duration;

use super::build::{Error, Plan, ProbeBuilder, Settings};
use super::{http, tcp};
use crate::wire::url::{HTTP, HTTPS, Scheme, Url, scheme_of};

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Tcp,
    Http,
    Https,
}

/// Kinds that an option applies to.
pub(crate) type Kinds = &'static [Kind];

pub(crate) const ANY: Kinds = &[Kind::Tcp, Kind::Http, Kind::Https];
pub(crate) const HTTP_KINDS: Kinds = &[Kind::Http, Kind::Https];

struct Row {
    scheme: &'static Scheme,
    /// The port of a target that is given as an address.
    port: u16,
    timeout: Duration,
    build: fn(Url, Settings) -> Result<Arc<dyn Plan>, Error>,
}

impl Kind {
    fn row(self) -> Row {
        match self {
            Kind::Tcp => {
                Row { scheme: &tcp::SCHEME, port: 443, timeout: ProbeBuilder::TCP_TIMEOUT, build: tcp::build }
            }
            Kind::Http => {
                Row { scheme: &HTTP, port: 80, timeout: ProbeBuilder::HTTP_TIMEOUT, build: http::build }
            }
            Kind::Https => {
                Row { scheme: &HTTPS, port: 443, timeout: ProbeBuilder::HTTP_TIMEOUT, build: http::build }
            }
        }
    }

    /// The name of the kind, which is the scheme of its URLs.
    pub(crate) fn name(self) -> &'static str {
        self.scheme().name
    }

    pub(crate) fn scheme(self) -> &'static Scheme {
        self.row().scheme
    }

    pub(crate) fn port(self) -> u16 {
        self.row().port
    }

    pub(crate) fn timeout(self) -> Duration {
        self.row().timeout
    }

    pub(super) fn build(self, url: Url, settings: Settings) -> Result<Arc<dyn Plan>, Error> {
        (self.row().build)(url, settings)
    }

    /// The kind of this name, in any case. The error is a message of one line.
    pub(crate) fn parse(name: &str) -> Result<Kind, String> {
        scheme_of(name, &schemes()).map(Kind::of)
    }

    /// The kind of a URL, of which the part after the scheme may be invalid.
    pub(crate) fn of_url(url: &str) -> Option<Kind> {
        let (name, _) = url.split_once("://")?;
        Kind::parse(name).ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_found_by_name_and_by_url() {
        for kind in ANY {
            let name = kind.name();
            assert_eq!((Kind::parse(name), Kind::parse(&name.to_uppercase())), (Ok(*kind), Ok(*kind)));
            assert_eq!(Kind::of_url(&format!("{}://", name.to_uppercase())), Some(*kind));
            let (parsed, url) = parse_url(&format!("{name}://h:1")).expect(name);
            assert_eq!((parsed, url.scheme, kind.port() > 0), (*kind, kind.scheme(), true));
        }
        assert_eq!(Kind::parse("udp"), Err("`udp` is not tcp, http or https".to_owned()));
        assert_eq!((Kind::of_url("udp://h:1"), Kind::of_url("tcp:h")), (None, None));
    }
}
