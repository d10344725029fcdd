//! The conditions that check specs state for responses of http and https targets.

use super::header::HeaderTest;
use super::http::PartialResponse;
use super::json::{self, JsonTest};
use super::needle::Needle;
use super::{Failed, NOT, Progress, split, split_not, unknown};
use crate::result::Reason;
use crate::text::{integer, quote};
use crate::wire::http::response::Headers;

const STATUSES_MAX: usize = 64;

const STATUS_RANGE: std::ops::RangeInclusive<u16> = 100..=999;

/// Compressing content codings (IANA's registry, and two that are not in it).
const COMPRESSIONS: [&str; 11] =
    ["gzip", "x-gzip", "deflate", "br", "zstd", "compress", "x-compress", "dcb", "dcz", "bzip2", "xz"];

#[derive(Clone, Debug)]
pub(crate) struct Condition {
    is_negated: bool,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    /// Inclusive ranges.
    Status(Vec<(u16, u16)>),
    Contains(Needle),
    Header(HeaderTest),
    Json(JsonTest),
}

impl Condition {
    /// `None` is the default check.
    pub(super) fn parse(spec: &str) -> Result<Option<Self>, String> {
        let (rest, is_negated) = split_not(spec, "body_contains:error")?;
        let test = match split(rest)? {
            ("" | "default", None) if !is_negated => return Ok(None),
            // Every body contains an empty text.
            ("body_contains", Some("")) if !is_negated => return Ok(None),
            ("body_contains", Some("")) => {
                return Err(format!("{NOT}body_contains: every body contains an empty text"));
            }
            ("status_2xx", None) => Test::Status(vec![(200, 299)]),
            ("status", list) => Test::Status(parse_statuses(list.unwrap_or_default())?),
            ("body_contains", text) => Needle::new(text.unwrap_or_default())
                .map(Test::Contains)
                .ok_or_else(|| "body_contains needs a text, as in body_contains:ok".to_owned())?,
            ("header", text) => Test::Header(HeaderTest::parse(text.unwrap_or_default())?),
            ("json", text) => Test::Json(JsonTest::parse(text.unwrap_or_default())?),
            (name, _) => return Err(unknown(rest, name, "http", "http")),
        };
        Ok(Some(Condition { is_negated, test }))
    }

    pub(super) fn is_about_status(&self) -> bool {
        matches!(self.test, Test::Status(_))
    }

    pub(super) fn lists(&self, status: u16) -> bool {
        matches!(&self.test, Test::Status(ranges) if is_listed(ranges, status))
    }

    pub(super) fn body_check(&self) -> Option<&'static str> {
        match self.test {
            Test::Contains(_) => Some("body_contains"),
            Test::Json(_) => Some("json"),
            Test::Status(_) | Test::Header(_) => None,
        }
    }

    pub(super) fn needs_whole_body(&self) -> bool {
        match self.test {
            Test::Contains(_) => self.is_negated,
            Test::Json(_) => true,
            Test::Status(_) | Test::Header(_) => false,
        }
    }

    pub(super) fn body_min(&self) -> usize {
        match &self.test {
            Test::Contains(needle) if !self.is_negated => needle.len(),
            _ => 0,
        }
    }

    /// `None` while it is not determined.
    pub(super) fn evaluate(
        &self,
        response: &PartialResponse<'_>,
        progress: &mut Progress,
    ) -> Option<Result<(), Failed>> {
        let headers = &response.head.headers;
        match &self.test {
            Test::Status(ranges) => Some(match is_listed(ranges, response.head.status) != self.is_negated {
                true => Ok(()),
                false => Err((Reason::Status, format!("HTTP {}", response.head.status))),
            }),
            Test::Header(test) => {
                Some(test.evaluate(headers, self.is_negated).map_err(|detail| (Reason::Header, detail)))
            }
            Test::Json(_) if !response.is_complete => None,
            Test::Json(test) => {
                let outcome = self.evaluate_json(test, response);
                Some(outcome.map_err(|detail| (Reason::Json, detail)))
            }
            Test::Contains(needle) => {
                let is_found = progress.search.find(needle, response.body).is_some();
                if !is_found && !response.is_complete {
                    return None;
                }
                let found = self.evaluate_text(is_found, response);
                Some(
                    found
                        .map_err(|detail| (Reason::Body, format!("HTTP {}: {detail}", response.head.status))),
                )
            }
        }
    }

    fn evaluate_json(&self, test: &JsonTest, response: &PartialResponse<'_>) -> Result<(), String> {
        if response.is_larger {
            return Err(TOO_LARGE.to_owned());
        }
        test.evaluate(response.body, self.is_negated).map_err(|failure| match failure {
            json::Failure::NotJson(detail) => compressed(response).unwrap_or(detail),
            json::Failure::Fails(detail) => detail,
        })
    }

    fn evaluate_text(&self, is_found: bool, response: &PartialResponse<'_>) -> Result<(), String> {
        match (is_found, self.is_negated) {
            (true, false) => Ok(()),
            (true, true) => Err("text in the body".to_owned()),
            (false, true) if response.is_larger => Err(TOO_LARGE.to_owned()),
            (false, true) => compressed(response).map_or(Ok(()), Err),
            (false, false) => {
                let limit = if response.is_truncated { ", the limit of --max-body" } else { "" };
                let reason =
                    compressed(response).map_or(String::new(), |compressed| format!("; {compressed}"));
                let read = response.body.len();
                Err(format!("text not in the body ({read} bytes read{limit}){reason}"))
            }
        }
    }
}

const TOO_LARGE: &str = "body is larger than --max-body";

fn is_listed(ranges: &[(u16, u16)], status: u16) -> bool {
    ranges.iter().any(|(low, high)| (*low..=*high).contains(&status))
}

/// The detail if the body has a compressing coding.
fn compressed(response: &PartialResponse<'_>) -> Option<String> {
    compression(&response.head.headers).map(|name| format!("body is {name}-compressed"))
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
