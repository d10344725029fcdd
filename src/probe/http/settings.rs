//! Validation of the settings of an http or https probe.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use super::{Follow, HttpPlan};
use crate::check::HttpCheck;
use crate::probe::build::{Error, Plan, ProbeBuilder};
use crate::probe::endpoint::Endpoint;
use crate::wire::base64;
use crate::wire::http::write::{check_method, parse_header};
use crate::wire::url::{HTTPS, Url};

/// Limits of the user's header fields, their number and total size: servers accept little more.
pub(in crate::probe) const HEADERS_MAX: usize = 64;
pub(in crate::probe) const HEADER_BYTES_MAX: usize = 16 * 1024;

pub(in crate::probe) fn build(
    url: Url,
    timeout: Duration,
    probe: &mut ProbeBuilder,
) -> Result<Arc<dyn Plan>, Error> {
    let settings = &mut probe.settings;
    let content = settings.body.take();
    if content.as_ref().is_some_and(|content| content.len() > ProbeBuilder::REQUEST_BODY_MAX) {
        return Err(Error::Body(format!("is larger than {} KiB", ProbeBuilder::REQUEST_BODY_MAX >> 10)));
    }
    let default_method = Cow::Borrowed(if content.is_some() { "POST" } else { "GET" });
    let method = settings.method.take().map_or(default_method, Cow::Owned);
    check_method(&method).map_err(Error::Method)?;
    if method == "CONNECT" {
        return Err(Error::Method("CONNECT requests a tunnel and has no response to check".to_owned()));
    }
    let specs = std::mem::take(&mut settings.checks);
    let check = match probe.check_response.take() {
        Some(check) => HttpCheck::Custom(check),
        None => HttpCheck::parse(&specs).map_err(Error::Check)?,
    };
    let max_body = settings.max_body.take().unwrap_or(ProbeBuilder::BODY_DEFAULT);
    check_body(&check, &method, max_body)?;
    let mut headers = checked_headers(std::mem::take(&mut settings.headers))?;
    if let Some((name, password)) = settings.basic_auth.take() {
        headers.push(authorization(&headers, &name, &password)?);
    }
    let follow = match settings.follow_redirects.take() {
        Some(false) => Follow::Never,
        _ => Follow::Always,
    };
    let tls = probe.take_tls_config(url.scheme)?;
    let (cert_days, endpoint) = match *url.scheme == HTTPS {
        true => (probe.take_cert_days()?, Endpoint::take(probe, &url)?),
        false => (None, None),
    };
    Ok(Arc::new(HttpPlan {
        url,
        method,
        headers,
        content,
        has_streamed_content: false,
        check,
        max_body,
        follow,
        tls,
        endpoint,
        cert_days,
        timeout,
    }))
}

/// The header field of a name and a password (RFC 7617).
fn authorization(
    headers: &[(String, String)],
    name: &str,
    password: &str,
) -> Result<(String, String), Error> {
    const FIELD: &str = "Authorization";
    let error = if headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(FIELD)) {
        "a header field already sets Authorization"
    } else if name.contains(':') {
        "the name contains a colon"
    } else if name.chars().chain(password.chars()).any(char::is_control) {
        "the name or the password contains a control character"
    } else {
        let credentials = base64::encode(format!("{name}:{password}").as_bytes());
        return Ok((FIELD.to_owned(), format!("Basic {credentials}")));
    };
    Err(Error::BasicAuth(error.to_owned()))
}

pub(in crate::probe) fn checked_headers(
    headers: Vec<(String, String)>,
) -> Result<Vec<(String, String)>, Error> {
    let bytes: usize = headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    if headers.len() > HEADERS_MAX || bytes > HEADER_BYTES_MAX {
        let limits = format!("at most {HEADERS_MAX} headers of {HEADER_BYTES_MAX} bytes in all can be added");
        return Err(Error::Header(limits));
    }
    let checked = headers.into_iter().map(|(name, value)| {
        if name.contains(':') {
            return Err("a header name contains ':'".to_owned());
        }
        parse_header(&format!("{name}:{value}"))
    });
    checked.collect::<Result<_, _>>().map_err(Error::Header)
}

fn check_body(check: &HttpCheck, method: &str, max_body: usize) -> Result<(), Error> {
    if max_body > ProbeBuilder::BODY_MAX {
        return Err(Error::MaxBody(format!("can be at most {}", ProbeBuilder::BODY_MAX)));
    }
    let needed = check.body_min();
    if let (Some(name), "HEAD") = (check.body_check(), method) {
        return Err(Error::Check(format!("{name} needs a body, and a response to HEAD has none")));
    }
    if needed > max_body {
        return Err(Error::MaxBody(format!("is less than the {needed} bytes that body_contains needs")));
    }
    Ok(())
}
