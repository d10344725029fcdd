//! Checks of http and https targets.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::needle::Needle;
use super::{Progress, parse_all, split, unknown};
use crate::result::{ProbeResult, Reason};
use crate::text::{integer, quote};
use crate::wire::http::response::{Head, Headers};

const STATUSES_MAX: usize = 64;

const STATUS_RANGE: std::ops::RangeInclusive<u16> = 100..=999;

/// Compressing content codings (IANA's registry, and two that are not in it).
const COMPRESSIONS: [&str; 11] =
    ["gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress", "dcb", "dcz", "bzip2", "xz"];

/// The input of [`ProbeBuilder::check_response`](crate::ProbeBuilder::check_response).
///
/// ```
/// # use std::{io::{Read, Write}, net::TcpListener, thread};
/// # let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let port = listener.local_addr()?.port();
/// # thread::spawn(move || for mut peer in listener.incoming().flatten() {
/// #     let _ = peer.read(&mut [0; 1024]);
/// #     let _ = peer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 15\r\nX-Queue: 7\r\n\r\n{\"ready\": true}");
/// # });
/// use pingstate::{HttpResponse, probe};
///
/// fn is_ready(response: &HttpResponse) -> bool {
///     response.headers.get("x-queue") == Some("7") && response.text().contains("\"ready\": true")
/// }
///
/// assert!(probe("http", "127.0.0.1", port).check_response(is_ready).build()?.check().ok);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct HttpResponse {
    /// The status code, such as 200.
    pub status: u16,
    /// The header fields in the order received.
    pub headers: Headers,
    /// The body, without its transfer coding, up to the limit of
    /// [`ProbeBuilder::max_body`](crate::ProbeBuilder::max_body).
    pub body: Vec<u8>,
    /// The time from the start of the check to the end of the body.
    pub elapsed: Duration,
}

impl HttpResponse {
    /// The body as text: ISO 8859-1 if that or ASCII is the charset of its `Content-Type`; otherwise UTF-8,
    /// with `U+FFFD` for invalid bytes.
    #[must_use]
    pub fn text(&self) -> Cow<'_, str> {
        let latin1 = self.headers.get("content-type").and_then(charset).is_some_and(|charset| {
            ["iso-8859-1", "latin1", "latin-1", "us-ascii", "ascii"]
                .iter()
                .any(|known| charset.eq_ignore_ascii_case(known))
        });
        if latin1 {
            // The first 256 code points of Unicode are ISO 8859-1.
            return self.body.iter().map(|byte| char::from(*byte)).collect();
        }
        String::from_utf8_lossy(&self.body)
    }
}

/// The charset parameter of a media type (RFC 9110 section 8.3.1).
fn charset(media_type: &str) -> Option<&str> {
    media_type.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case("charset").then(|| value.trim().trim_matches('"'))
    })
}

/// The result of a closure: whether the target is healthy, with an optional detail. Converts from `bool` and
/// from `(bool, detail)`.
///
/// ```
/// use pingstate::CheckVerdict;
///
/// assert_eq!(CheckVerdict::from(true), CheckVerdict { ok: true, detail: None });
/// assert_eq!(CheckVerdict::from((false, "disk full")).detail.as_deref(), Some("disk full"));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckVerdict {
    /// Whether the target is healthy.
    pub ok: bool,
    /// The detail. Default for http: `HTTP` and the status; for [`blocking`](crate::blocking): `check ok` or
    /// `check failed`.
    pub detail: Option<String>,
}

impl From<bool> for CheckVerdict {
    fn from(ok: bool) -> Self {
        CheckVerdict { ok, detail: None }
    }
}

impl<S: Into<String>> From<(bool, S)> for CheckVerdict {
    fn from((ok, detail): (bool, S)) -> Self {
        CheckVerdict { ok, detail: Some(detail.into()) }
    }
}

pub(crate) type HttpClosure = Arc<dyn Fn(&HttpResponse) -> CheckVerdict + Send + Sync>;

/// What counts as up.
#[derive(Clone)]
pub(crate) enum HttpCheck {
    /// A 2xx status, unless a condition decides the status, and all conditions in their order.
    Specs {
        needs_success: bool,
        conditions: Box<[Condition]>,
    },
    Custom(HttpClosure),
}

#[derive(Clone)]
pub(crate) enum Condition {
    /// Inclusive ranges.
    Status(Vec<(u16, u16)>),
    Contains(Needle),
}

/// Why a condition does not hold.
type Failed = (Reason, String);

pub(crate) struct PartialResponse<'a> {
    pub(crate) head: &'a Head,
    pub(crate) body: &'a [u8],
    /// The body is complete, or has reached its limit.
    pub(crate) is_complete: bool,
    pub(crate) is_truncated: bool,
    pub(crate) elapsed: Duration,
}

impl Default for HttpCheck {
    fn default() -> Self {
        HttpCheck::Specs { needs_success: true, conditions: Box::default() }
    }
}

impl HttpCheck {
    pub(crate) fn parse(specs: &[impl AsRef<str>]) -> Result<Self, String> {
        let conditions = parse_all(specs, Condition::parse)?;
        let needs_success = !conditions.iter().any(|condition| matches!(condition, Condition::Status(_)));
        Ok(HttpCheck::Specs { needs_success, conditions })
    }

    fn conditions(&self) -> &[Condition] {
        match self {
            HttpCheck::Specs { conditions, .. } => conditions,
            HttpCheck::Custom(_) => &[],
        }
    }

    pub(crate) fn needs_body(&self) -> bool {
        matches!(self, HttpCheck::Custom(_)) || self.body_min() > 0
    }

    /// The shortest body that can satisfy the check.
    pub(crate) fn body_min(&self) -> usize {
        let lengths = self.conditions().iter().map(|condition| match condition {
            Condition::Contains(needle) => needle.len(),
            Condition::Status(_) => 0,
        });
        lengths.max().unwrap_or(0)
    }

    /// A redirect with a listed status is evaluated, not followed.
    pub(crate) fn lists(&self, status: u16) -> bool {
        self.conditions().iter().any(|condition| match condition {
            Condition::Status(ranges) => is_listed(ranges, status),
            Condition::Contains(_) => false,
        })
    }

    /// The result, as soon as `response` determines it.
    pub(crate) fn evaluate(
        &self,
        response: &PartialResponse<'_>,
        progress: &mut Progress,
    ) -> Option<ProbeResult> {
        let status = response.head.status;
        let detail = format!("HTTP {status}");
        let down = |reason, detail: &str| ProbeResult::down(reason, detail).with_latency(response.elapsed);
        match self {
            HttpCheck::Specs { needs_success: true, .. } if !(200..=299).contains(&status) => {
                Some(down(Reason::Status, &detail))
            }
            HttpCheck::Specs { conditions, .. } => {
                while let Some(condition) = conditions.get(progress.passed) {
                    if let Err((reason, detail)) = condition.evaluate(response, progress)? {
                        return Some(down(reason, &detail));
                    }
                    progress.pass();
                }
                Some(ProbeResult::up(response.elapsed, &detail))
            }
            HttpCheck::Custom(_) if !response.is_complete => None,
            HttpCheck::Custom(check) => {
                let verdict = check(&HttpResponse {
                    status,
                    headers: response.head.headers.clone(),
                    body: response.body.to_vec(),
                    elapsed: response.elapsed,
                });
                let detail = verdict.detail.unwrap_or(detail);
                Some(match verdict.ok {
                    true => ProbeResult::up(response.elapsed, &detail),
                    false => down(Reason::Custom, &detail),
                })
            }
        }
    }
}

impl Condition {
    /// `None` is the default check.
    fn parse(spec: &str) -> Result<Option<Self>, String> {
        let condition = match split(spec)? {
            // Every body contains an empty text.
            ("" | "default", None) | ("body_contains", Some("")) => return Ok(None),
            ("status_2xx", None) => Condition::Status(vec![(200, 299)]),
            ("status", list) => Condition::Status(parse_statuses(list.unwrap_or_default())?),
            ("body_contains", text) => Needle::new(text.unwrap_or_default())
                .map(Condition::Contains)
                .ok_or_else(|| "body_contains needs a text, as in body_contains:ok".to_owned())?,
            (name, _) => return Err(unknown(spec, name, "http", "http")),
        };
        Ok(Some(condition))
    }

    /// `None` while it is not determined.
    fn evaluate(
        &self,
        response: &PartialResponse<'_>,
        progress: &mut Progress,
    ) -> Option<Result<(), Failed>> {
        let status = response.head.status;
        match self {
            Condition::Status(ranges) if is_listed(ranges, status) => Some(Ok(())),
            Condition::Status(_) => Some(Err((Reason::Status, format!("HTTP {status}")))),
            Condition::Contains(needle) if progress.search.find(needle, response.body).is_some() => {
                Some(Ok(()))
            }
            Condition::Contains(_) if !response.is_complete => None,
            Condition::Contains(_) => {
                let read = response.body.len();
                let limit = if response.is_truncated { ", the limit of --max-body" } else { "" };
                let mut detail = format!("HTTP {status}: text not in the body ({read} bytes read{limit})");
                if let Some(name) = compression(&response.head.headers) {
                    detail.push_str(&format!("; body is {name}-compressed"));
                }
                Some(Err((Reason::Body, detail)))
            }
        }
    }
}

fn is_listed(ranges: &[(u16, u16)], status: u16) -> bool {
    ranges.iter().any(|(low, high)| (*low..=*high).contains(&status))
}

fn compression(headers: &Headers) -> Option<&'static str> {
    for name in ["content-encoding", "transfer-encoding"] {
        for coding in headers.elements(name) {
            if let Some(known) = COMPRESSIONS.iter().find(|known| coding.eq_ignore_ascii_case(known)) {
                return Some(known);
            }
        }
    }
    None
}

/// Empty items are ignored, as in the Python version.
fn parse_statuses(list: &str) -> Result<Vec<(u16, u16)>, String> {
    let mut ranges = Vec::new();
    for item in list.split(',').map(str::trim).filter(|item| !item.is_empty()) {
        let (low, high) = item.split_once('-').unwrap_or((item, item));
        let range = (parse_status(low)?, parse_status(high)?);
        if range.0 > range.1 {
            return Err(format!("the range {0}-{1} is empty (write {1}-{0})", range.0, range.1));
        }
        if ranges.len() == STATUSES_MAX {
            return Err(format!("more than {STATUSES_MAX} statuses listed (use ranges)"));
        }
        ranges.push(range);
    }
    if ranges.is_empty() {
        return Err("the list of statuses is empty (write it as in status:200,204)".to_owned());
    }
    Ok(ranges)
}

fn parse_status(text: &str) -> Result<u16, String> {
    let text = text.trim();
    let status = integer(text).and_then(|status| u16::try_from(status).ok());
    status
        .filter(|status| STATUS_RANGE.contains(status))
        .ok_or_else(|| format!("{} is not a status (100 to 999)", quote(text)))
}

#[cfg(test)]
mod tests;
