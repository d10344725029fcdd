//! Checks of tcp targets.

use std::sync::Arc;
use std::time::Duration;

use super::needle::Needle;
use super::{Progress, parse_all, split, unknown};
use crate::result::{ProbeResult, Reason};

/// Bytes in which a text is searched for.
pub(crate) const BANNER_MAX: usize = 256;

/// Bytes that a closure receives.
pub(crate) const CLOSURE_BANNER_MAX: usize = 4096;

/// Bytes of a banner in a detail.
const SHOWN_MAX: usize = 64;

/// The result of a closure: see [`ProbeBuilder::check_banner`](crate::ProbeBuilder::check_banner).
///
/// ```
/// use pingstate::Banner;
///
/// /// Accepts a first line that begins with `220 `, in any segmentation.
/// fn is_smtp(received: &[u8]) -> Banner {
///     match received.iter().position(|byte| *byte == b'\n') {
///         Some(_) if received.starts_with(b"220 ") => Banner::Yes,
///         Some(_) => Banner::No,
///         None => Banner::More,
///     }
/// }
///
/// assert_eq!(is_smtp(b"22"), Banner::More);
/// assert_eq!(is_smtp(b"220 mail.example.com\r\n"), Banner::Yes);
/// assert_eq!(is_smtp(b"554 no\r\n"), Banner::No);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Banner {
    /// The target is healthy.
    Yes,
    /// The target is not healthy.
    No,
    /// More bytes are needed. The check fails after 4096 bytes, at the end of the connection, or at the
    /// timeout.
    More,
}

/// A [`Banner`] with an optional detail. Converts from a [`Banner`] and from `(Banner, detail)`.
///
/// ```
/// use pingstate::{Banner, BannerVerdict};
///
/// assert_eq!(BannerVerdict::from(Banner::More).detail, None);
/// let verdict = BannerVerdict::from((Banner::No, "not SSH"));
/// assert_eq!((verdict.banner, verdict.detail.as_deref()), (Banner::No, Some("not SSH")));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BannerVerdict {
    /// Whether the target is healthy, or more bytes are needed.
    pub banner: Banner,
    /// The detail. Default: `connect ok` or `check failed`.
    pub detail: Option<String>,
}

impl From<Banner> for BannerVerdict {
    fn from(banner: Banner) -> Self {
        BannerVerdict { banner, detail: None }
    }
}

impl<S: Into<String>> From<(Banner, S)> for BannerVerdict {
    fn from((banner, detail): (Banner, S)) -> Self {
        BannerVerdict { banner, detail: Some(detail.into()) }
    }
}

pub(crate) type TcpClosure = Arc<dyn Fn(&[u8]) -> BannerVerdict + Send + Sync>;

/// What counts as up, once the target has accepted a connection.
#[derive(Clone)]
pub(crate) enum TcpCheck {
    /// The first [`BANNER_MAX`] bytes contain each of these texts.
    Contains(Box<[Needle]>),
    Custom(TcpClosure),
}

/// Why no more bytes are received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Closed,
    Other(Reason, String),
}

impl TcpCheck {
    pub(crate) fn parse(specs: &[impl AsRef<str>], kind: &str) -> Result<Self, String> {
        parse_all(specs, |spec| parse_spec(spec, kind)).map(TcpCheck::Contains)
    }

    pub(crate) fn needs_banner(&self) -> bool {
        !matches!(self, TcpCheck::Contains(needles) if needles.is_empty())
    }

    pub(crate) fn banner_max(&self) -> usize {
        match self {
            TcpCheck::Custom(_) => CLOSURE_BANNER_MAX,
            TcpCheck::Contains(_) => BANNER_MAX,
        }
    }

    /// The result, as soon as `received` determines it; at most [`TcpCheck::banner_max`] bytes.
    pub(crate) fn evaluate(
        &self,
        received: &[u8],
        progress: &mut Progress,
        latency: Duration,
    ) -> Option<ProbeResult> {
        let full = received.len() >= self.banner_max();
        match self {
            TcpCheck::Contains(needles) => {
                while let Some(needle) = needles.get(progress.passed) {
                    match progress.search.find(needle, received) {
                        Some(end) => progress.end = progress.end.max(end),
                        None if full => {
                            let detail =
                                format!("{} (text not in the first {BANNER_MAX} bytes)", show(received));
                            return Some(ProbeResult::down(Reason::Banner, &detail).with_latency(latency));
                        }
                        None => return None,
                    }
                    progress.pass();
                }
                // Cut after the texts: the number of bytes after them depends on the segmentation.
                let shown = received.get(..progress.end).unwrap_or(received);
                Some(ProbeResult::up(latency, &show(shown)))
            }
            TcpCheck::Custom(check) => {
                let BannerVerdict { banner, detail } = check(received);
                let detail = |default: &str| detail.unwrap_or_else(|| default.to_owned());
                let down = |detail: &str| ProbeResult::down(Reason::Custom, detail).with_latency(latency);
                match banner {
                    Banner::Yes => Some(ProbeResult::up(latency, &detail("connect ok"))),
                    Banner::No => Some(down(&detail("check failed"))),
                    Banner::More if full => {
                        Some(down(&format!("undecided after {CLOSURE_BANNER_MAX} bytes")))
                    }
                    Banner::More => None,
                }
            }
        }
    }

    /// The result if `received` does not determine one.
    pub(crate) fn evaluate_end(&self, received: &[u8], ending: Ending, latency: Duration) -> ProbeResult {
        let (reason, detail) = match ending {
            Ending::Closed if received.is_empty() => (Reason::Banner, "closed without a banner".to_owned()),
            Ending::Closed => (Reason::Banner, show(received)),
            Ending::Other(reason, what) if received.is_empty() => (reason, what),
            Ending::Other(reason, what) => (reason, format!("{what}; {}", show(received))),
        };
        ProbeResult::down(reason, &detail).with_latency(latency)
    }
}

/// `None` is the default check.
fn parse_spec(spec: &str, kind: &str) -> Result<Option<Needle>, String> {
    match split(spec)? {
        // Every banner contains an empty text, even a missing banner.
        ("" | "default" | "port_open", None) | ("banner_contains", Some("")) => Ok(None),
        ("banner_contains", text) => match Needle::new(text.unwrap_or_default()) {
            None => Err("banner_contains needs a text, as in banner_contains:SSH-".to_owned()),
            Some(needle) if needle.len() > BANNER_MAX => {
                Err(format!("the text is longer than the {BANNER_MAX} bytes of a banner that are read"))
            }
            Some(needle) => Ok(Some(needle)),
        },
        (name, _) => Err(unknown(spec, name, "tcp", kind)),
    }
}

fn show(received: &[u8]) -> String {
    let (start, more) = match received.get(..SHOWN_MAX) {
        Some(start) if received.len() > SHOWN_MAX => (start, "…"),
        _ => (received, ""),
    };
    format!("banner: '{}{more}'", String::from_utf8_lossy(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(spec: &str) -> Result<TcpCheck, String> {
        TcpCheck::parse(&[spec], "tcp")
    }

    #[test]
    fn specs_of_the_python_version_are_parsed() {
        for spec in ["", "default", "port_open", "banner_contains:"] {
            assert!(parse(spec).is_ok_and(|check| !check.needs_banner()), "{spec}");
        }
        for spec in ["banner_contains:SSH-", "banner_contains: ", "banner_contains:a:b"] {
            assert!(parse(spec).is_ok_and(|check| check.needs_banner()), "{spec}");
        }
        assert!(parse(&format!("banner_contains:{}", "x".repeat(BANNER_MAX))).is_ok());
    }

    #[test]
    fn invalid_specs_are_rejected_in_one_line() {
        let long = format!("banner_contains:{}", "x".repeat(BANNER_MAX + 1));
        let endless = format!("banner_contains:{}", "x".repeat(super::super::SPEC_MAX));
        for (spec, error) in [
            ("banner_contains", "banner_contains needs a text, as in banner_contains:SSH-"),
            ("status:200", "status belongs to http, not tcp"),
            ("status_2xx", "status_2xx belongs to http, not tcp"),
            ("body_contains:x", "body_contains belongs to http, not tcp"),
            ("open\n", "unknown check `open\\n`; there are: port_open, banner_contains:TEXT"),
            ("default:", "unknown check `default:`; there are: port_open, banner_contains:TEXT"),
            (&long, "the text is longer than the 256 bytes of a banner that are read"),
            (&endless, "longer than 4096 bytes"),
        ] {
            assert_eq!(parse(spec).err().as_deref(), Some(error));
        }
        assert_eq!(
            TcpCheck::parse(&["port_open"; 17], "tls").err().as_deref(),
            Some("at most 16 are allowed")
        );
    }

    #[test]
    fn banners_are_shown_short_and_printable() {
        assert_eq!(show(b"220 \xff\r\n"), "banner: '220 \u{fffd}\r\n'");
        assert_eq!(show(&[b'x'; 64]), format!("banner: '{}'", "x".repeat(64)));
        assert_eq!(show(&[b'x'; 65]), format!("banner: '{}…'", "x".repeat(64)));
    }

    #[test]
    fn an_undecided_closure_is_called_until_the_limit_is_reached() {
        let check = TcpCheck::Custom(Arc::new(|_: &[u8]| Banner::More.into()));
        let evaluate = |len| check.evaluate(&vec![0; len], &mut Progress::default(), Duration::ZERO);
        assert_eq!((check.banner_max(), evaluate(CLOSURE_BANNER_MAX - 1)), (CLOSURE_BANNER_MAX, None));
        assert_eq!(evaluate(CLOSURE_BANNER_MAX).expect("full").detail, "undecided after 4096 bytes");
    }
}
