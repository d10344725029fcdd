//! Checks of tcp targets.

use std::sync::Arc;
use std::time::Duration;

use super::needle::Needle;
use super::{NOT, Progress, parse_all, split, split_not, unknown};
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
    /// All conditions in their order.
    Specs(Box<[Condition]>),
    Custom(TcpClosure),
}

#[derive(Clone)]
pub(crate) struct Condition {
    /// The first [`BANNER_MAX`] bytes contain this text.
    needle: Needle,
    /// The first line, or all bytes if it is longer, does not contain it: a server that waits for the client does
    /// not end its banner.
    is_negated: bool,
}

/// Why no more bytes are received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Closed,
    Other(Reason, String),
}

impl TcpCheck {
    pub(crate) fn parse(specs: &[impl AsRef<str>], kind: &str) -> Result<Self, String> {
        parse_all(specs, |spec| Condition::parse(spec, kind)).map(TcpCheck::Specs)
    }

    pub(crate) fn needs_banner(&self) -> bool {
        !matches!(self, TcpCheck::Specs(conditions) if conditions.is_empty())
    }

    pub(crate) fn banner_max(&self) -> usize {
        match self {
            TcpCheck::Custom(_) => CLOSURE_BANNER_MAX,
            TcpCheck::Specs(_) => BANNER_MAX,
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
            TcpCheck::Specs(conditions) => {
                evaluate_all(conditions, received, full, progress).map(|outcome| match outcome {
                    // Cut after the texts: the number of bytes after them depends on the segmentation.
                    Ok(()) => {
                        ProbeResult::up(latency, &show(received.get(..progress.end).unwrap_or(received)))
                    }
                    Err(detail) => ProbeResult::down(Reason::Banner, &detail).with_latency(latency),
                })
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
    pub(crate) fn evaluate_end(
        &self,
        received: &[u8],
        progress: &Progress,
        ending: Ending,
        latency: Duration,
    ) -> ProbeResult {
        let (reason, detail) = match (ending, self) {
            (Ending::Closed, _) if received.is_empty() => {
                (Reason::Banner, "closed without a banner".to_owned())
            }
            (Ending::Closed, TcpCheck::Specs(conditions))
                if evaluate_all(conditions, received, true, &mut progress.clone()) == Some(Ok(())) =>
            {
                return ProbeResult::up(latency, &show(received));
            }
            (Ending::Closed, _) => (Reason::Banner, show(received)),
            (Ending::Other(reason, what), _) if received.is_empty() => (reason, what),
            (Ending::Other(reason, what), _) => (reason, format!("{what}; {}", show(received))),
        };
        ProbeResult::down(reason, &detail).with_latency(latency)
    }
}

/// `None` while the result is not determined; the error is the detail. `is_whole`: no more bytes follow.
fn evaluate_all(
    conditions: &[Condition],
    received: &[u8],
    is_whole: bool,
    progress: &mut Progress,
) -> Option<Result<(), String>> {
    let line_end = received.iter().position(|byte| *byte == b'\n').map(|at| at + 1);
    while let Some(condition) = conditions.get(progress.passed) {
        let (examined, is_whole) = match (condition.is_negated, line_end) {
            (true, Some(end)) => (&received[..end], true),
            _ => (received, is_whole),
        };
        match (progress.search.find(&condition.needle, examined), condition.is_negated) {
            (Some(end), false) => progress.end = progress.end.max(end),
            (Some(end), true) => {
                return Some(Err(format!("{} (text in the first line)", show(&received[..end]))));
            }
            (None, _) if !is_whole => return None,
            (None, true) => progress.end = progress.end.max(examined.len()),
            (None, false) => {
                return Some(Err(format!("{} (text not in the first {BANNER_MAX} bytes)", show(received))));
            }
        }
        progress.pass();
    }
    Some(Ok(()))
}

impl Condition {
    /// `None` is the default check.
    fn parse(spec: &str, kind: &str) -> Result<Option<Self>, String> {
        let (rest, is_negated) = split_not(spec, "banner_contains:421")?;
        match split(rest)? {
            ("port_open", None) if is_negated => {
                Err(format!("{NOT}port_open: every check needs an open port"))
            }
            ("banner_contains", Some("")) if is_negated => {
                Err(format!("{NOT}banner_contains: every banner contains an empty text"))
            }
            // Every banner contains an empty text, even a missing banner.
            ("port_open", None) | ("banner_contains", Some("")) => Ok(None),
            ("" | "default", None) if !is_negated => Ok(None),
            ("banner_contains", text) => match Needle::new(text.unwrap_or_default()) {
                None => Err("banner_contains needs a text, as in banner_contains:SSH-".to_owned()),
                Some(needle) if needle.len() > BANNER_MAX => {
                    Err(format!("the text is longer than the {BANNER_MAX} bytes of a banner that are read"))
                }
                Some(needle) => Ok(Some(Condition { needle, is_negated })),
            },
            (name, _) => Err(unknown(rest, name, "tcp", kind)),
        }
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
            ("not:", "not: needs a check, as in not:banner_contains:421"),
            ("not:port_open", "not:port_open: every check needs an open port"),
            ("not:banner_contains:", "not:banner_contains: every banner contains an empty text"),
            ("not:default", "unknown check `default`; there are: port_open, banner_contains:TEXT"),
            ("not:status:200", "status belongs to http, not tcp"),
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
