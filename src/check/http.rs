//! Checks of http and https targets.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::condition::Condition;
use super::{Progress, parse_all};
use crate::result::{ProbeResult, Reason};
use crate::wire::http::response::{Head, Headers};

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

pub(crate) struct PartialResponse<'a> {
    pub(crate) head: &'a Head,
    pub(crate) body: &'a [u8],
    /// The body is complete, or has reached its limit.
    pub(crate) is_complete: bool,
    /// It has reached its limit.
    pub(crate) is_truncated: bool,
    /// It has exceeded its limit. False if no condition needs the whole body.
    pub(crate) is_larger: bool,
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
        let needs_success = !conditions.iter().any(Condition::is_about_status);
        Ok(HttpCheck::Specs { needs_success, conditions })
    }

    fn conditions(&self) -> &[Condition] {
        match self {
            HttpCheck::Specs { conditions, .. } => conditions,
            HttpCheck::Custom(_) => &[],
        }
    }

    pub(crate) fn needs_body(&self) -> bool {
        matches!(self, HttpCheck::Custom(_)) || self.body_check().is_some()
    }

    /// Whether a body that is larger than its limit fails the check.
    pub(crate) fn needs_whole_body(&self) -> bool {
        self.conditions().iter().any(Condition::needs_whole_body)
    }

    /// The name of the first check that needs a body.
    pub(crate) fn body_check(&self) -> Option<&'static str> {
        self.conditions().iter().find_map(Condition::body_check)
    }

    /// The shortest body that can satisfy the check.
    pub(crate) fn body_min(&self) -> usize {
        self.conditions().iter().map(Condition::body_min).max().unwrap_or(0)
    }

    /// A redirect with a listed status is evaluated, not followed.
    pub(crate) fn lists(&self, status: u16) -> bool {
        self.conditions().iter().any(|condition| condition.lists(status))
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

#[cfg(test)]
mod tests;
