//! Parsers of the values of flags, and their limits.
//!
//! An error describes the value; the caller prepends the flag's name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use super::log::LogFormat;
use crate::api::host::is_host;
use crate::api::page::is_frame_ancestor;
use crate::library::ResolverConfig;
use crate::monitor::{History, Monitor, Notifications, Notify};
use crate::network::AddressFamily;
use crate::probe::build::{PeriodicRequest, ProbeBuilder, WebhookFormat, check_interface, validate_name};
use crate::probe::cert_days::CertDays;
use crate::probe::kinds::Kind;
use crate::resolve::conf::PORT;
use crate::text::{duration, integer, quote, shown, words};
use crate::wire::http::is_token_byte;
use crate::wire::http::write::METHOD_MAX;

const TIMEOUT_MAX_S: u64 = ProbeBuilder::TIMEOUT_MAX.as_secs();
const INTERVAL_MAX_S: u64 = Monitor::INTERVAL_MAX.as_secs();
/// The largest threshold of consecutive results.
const COUNT_MAX: u64 = 1_000_000;
const RETRIES_MAX: u64 = 100;

pub(super) fn port(text: &str) -> Result<u16, String> {
    Ok(whole(text, 1, 65535)? as u16)
}

pub(super) fn api_port(text: &str) -> Result<u16, String> {
    Ok(whole(text, 0, 65535)? as u16)
}

pub(super) fn max_body(text: &str) -> Result<usize, String> {
    Ok(whole(text, 1, ProbeBuilder::BODY_MAX as u64)? as usize)
}

/// `N` days or `P%`.
pub(super) fn cert_days(text: &str) -> Result<CertDays, String> {
    Ok(match text.strip_suffix('%') {
        Some(percent) => CertDays::Percent(whole(percent, 1, CertDays::PERCENT_MAX.into())? as u8),
        None => CertDays::Days(whole(text, 1, CertDays::DAYS_MAX.into())? as u16),
    })
}

pub(super) fn count(text: &str) -> Result<u32, String> {
    Ok(whole(text, 1, COUNT_MAX)? as u32)
}

pub(super) fn retries(text: &str) -> Result<u32, String> {
    Ok(whole(text, 0, RETRIES_MAX)? as u32)
}

pub(super) fn timeout(text: &str) -> Result<Duration, String> {
    seconds(text, TIMEOUT_MAX_S)
}

pub(super) fn interval(text: &str) -> Result<Duration, String> {
    seconds(text, INTERVAL_MAX_S)
}

/// The interval of a periodic request.
pub(super) fn request_interval(text: &str) -> Result<Duration, String> {
    let (min, max) = (PeriodicRequest::INTERVAL_MIN, PeriodicRequest::INTERVAL_MAX);
    match interval(text)? {
        interval if (min..=max).contains(&interval) => Ok(interval),
        _ => Err(format!("{} is not between 1 and {} seconds", shown(text), max.as_secs())),
    }
}

pub(super) fn ping_count(text: &str) -> Result<u32, String> {
    Ok(whole(text, 1, ProbeBuilder::PING_COUNT_MAX.into())? as u32)
}

pub(super) fn ping_loss(text: &str) -> Result<u8, String> {
    Ok(whole(text.strip_suffix('%').unwrap_or(text), 0, 99)? as u8)
}

pub(super) fn ping_ttl(text: &str) -> Result<u8, String> {
    Ok(whole(text, 1, 255)? as u8)
}

pub(super) fn ping_size(text: &str) -> Result<usize, String> {
    Ok(whole(text, ProbeBuilder::PING_SIZE_MIN as u64, ProbeBuilder::PING_SIZE_MAX as u64)? as usize)
}

pub(super) fn milliseconds(text: &str) -> Result<Duration, String> {
    // A number without a unit is one of milliseconds.
    let unit = if text.ends_with(|c: char| c.is_ascii_alphabetic()) { "" } else { "ms" };
    let invalid = || format!("{} is not a time, like 500, 500ms or 2s", quote(text));
    let span = duration(&[unsigned(text), unit].concat()).ok_or_else(invalid)?;
    let range = Duration::from_micros(1)..=ProbeBuilder::TIMEOUT_MAX;
    match range.contains(&span) && !text.starts_with('-') {
        true => Ok(span),
        false => {
            Err(format!("{} is not between 0.001 and {} milliseconds", shown(text), TIMEOUT_MAX_S * 1000))
        }
    }
}

pub(super) fn webhook_format(text: &str) -> Result<WebhookFormat, String> {
    match text {
        "json" => Ok(WebhookFormat::Json),
        "text" => Ok(WebhookFormat::Text),
        _ => Err(format!("{} is not json or text", quote(text))),
    }
}

pub(super) fn notify(text: &str) -> Result<Notify, String> {
    match text {
        "down" => Ok(Notify::Down),
        "all" => Ok(Notify::All),
        _ => Err(format!("{} is not down or all", quote(text))),
    }
}

pub(super) fn state_interval(text: &str) -> Result<Duration, String> {
    match interval(text)? {
        interval if interval >= Duration::from_secs(1) => Ok(interval),
        _ => Err(format!("{} is less than 1 s", shown(text))),
    }
}

pub(super) fn history_days(text: &str) -> Result<u8, String> {
    Ok(whole(text, 0, History::DAYS_MAX.into())? as u8)
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "auto" => Ok(LogFormat::Auto),
        "plain" => Ok(LogFormat::Plain),
        "time" => Ok(LogFormat::Time),
        "journal" => Ok(LogFormat::Journal),
        _ => Err(format!("{} is not auto, plain, time or journal", quote(text))),
    }
}

pub(super) fn on_or_off(text: &str) -> Result<bool, String> {
    match text {
        "on" => Ok(true),
        "off" => Ok(false),
        _ => Err(format!("{} is not on or off", quote(text))),
    }
}

pub(super) fn frame_ancestor(text: &str) -> Result<String, String> {
    match is_frame_ancestor(text) {
        true => Ok(text.to_owned()),
        false => Err(format!("{} is not an origin (https://home.example) or *", quote(text))),
    }
}

pub(super) fn remind(text: &str) -> Result<Duration, String> {
    match interval(text)? {
        interval if interval >= Notifications::REMIND_MIN => Ok(interval),
        _ => Err(format!("{} is less than 60 seconds", shown(text))),
    }
}

pub(super) fn command(text: &str) -> Result<Vec<String>, String> {
    refuse_control_characters(text)?;
    words::command(text)
}

/// A URL to post to. It may contain a secret, so errors do not repeat it.
pub(super) fn webhook(text: &str) -> Result<String, String> {
    refuse_control_characters(text).map_err(|_| "the URL contains a control character".to_owned())?;
    match Kind::of_url(text) {
        Some(Kind::Http | Kind::Https) => Ok(text.to_owned()),
        _ => Err("the URL does not begin with http:// or https://".to_owned()),
    }
}

pub(super) fn plain(text: &str) -> Result<String, String> {
    if text.is_empty() {
        return Err("the value is empty".to_owned());
    }
    refuse_control_characters(text)?;
    Ok(text.to_owned())
}

pub(super) fn group(text: &str) -> Result<Arc<str>, String> {
    validate_name(text).map(|()| text.into())
}

pub(super) fn path(text: &str) -> Result<String, String> {
    refuse_control_characters(text)?;
    if text.contains(' ') {
        return Err(format!("{} contains a space (write %20)", quote(text)));
    }
    if !text.is_ascii() {
        return Err(format!("{} contains non-ASCII characters (percent-encode them)", quote(text)));
    }
    Ok(text.to_owned())
}

/// A method is a token (RFC 9110 section 9.1). Its case matters, and registered ones are in upper case.
pub(super) fn method(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > METHOD_MAX || !text.bytes().all(is_token_byte) {
        return Err(format!("{} is not a method, like GET or HEAD", quote(text)));
    }
    Ok(text.to_ascii_uppercase())
}

/// `Name: value` (RFC 9110 section 5). A tab is the only control character allowed in a value (section 5.5), so that
/// it cannot start another field or request.
pub(super) fn header(text: &str) -> Result<(String, String), String> {
    if text.chars().any(|c| c.is_control() && c != '\t') {
        refuse_control_characters(text)?;
    }
    match text.split_once(':') {
        Some((name, value)) if !name.is_empty() && name.bytes().all(is_token_byte) => {
            Ok((name.to_owned(), value.trim_matches([' ', '\t']).to_owned()))
        }
        _ => Err(format!("{} is not 'Name: value'", quote(text))),
    }
}

pub(super) fn body(text: &str) -> Result<Arc<[u8]>, String> {
    match text.len() > ProbeBuilder::REQUEST_BODY_MAX {
        true => Err(format!("is larger than {} KiB", ProbeBuilder::REQUEST_BODY_MAX >> 10)),
        false => Ok(text.as_bytes().into()),
    }
}

/// An address to bind. `localhost` is the only name accepted: no lookup is made.
pub(super) fn api_host(text: &str) -> Result<IpAddr, String> {
    if text.eq_ignore_ascii_case("localhost") {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    ip(text).ok_or_else(|| format!("{} is not an IP address (0.0.0.0 or :: listens on all)", quote(text)))
}

pub(super) fn interface(text: &str) -> Result<String, String> {
    check_interface(text).map(|()| text.to_owned()).map_err(|error| format!("{} {error}", quote(text)))
}

/// An IP address of this machine.
pub(super) fn address(text: &str) -> Result<IpAddr, String> {
    ip(text).ok_or_else(|| format!("{} is not an IP address", quote(text)))
}

/// Decimal, or hexadecimal after `0x`, as ip-rule(8) takes it.
pub(super) fn fwmark(text: &str) -> Result<u32, String> {
    let digits = |hex: &str| hex.bytes().all(|byte| byte.is_ascii_hexdigit());
    let mark = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(hex) if digits(hex) => u32::from_str_radix(hex, 16).ok(),
        Some(_) => None,
        None => integer(text).and_then(|number| u32::try_from(number).ok()),
    };
    let invalid = || format!("{} is not a number between 1 and 4294967295, like 2 or 0x10", quote(text));
    mark.filter(|mark| *mark > 0).ok_or_else(invalid)
}

pub(super) fn family(text: &str) -> Result<AddressFamily, String> {
    match text {
        "any" => Ok(AddressFamily::Any),
        "4" => Ok(AddressFamily::V4),
        "6" => Ok(AddressFamily::V6),
        _ => Err(format!("{} is not any, 4 or 6", quote(text))),
    }
}

/// Zero, or a time of at most a day.
pub(super) fn dns_hold(text: &str) -> Result<Duration, String> {
    match duration(text) {
        Some(hold) if hold <= ResolverConfig::HOLD_MAX => Ok(hold),
        Some(_) => Err(format!("{} is more than one day", quote(text))),
        None => Err(format!("{} is not a time, like 30, 2m or 1h", quote(text))),
    }
}

/// `ADDRESS[:PORT]`, an IPv6 address in brackets if a port follows.
pub(super) fn dns_server(text: &str) -> Result<SocketAddr, String> {
    let server = ip(text).map(|ip| SocketAddr::new(ip, PORT)).or_else(|| text.parse().ok());
    match server {
        Some(server) if server.port() > 0 => Ok(server),
        Some(_) => Err(format!("port 0 in {} is not between 1 and 65535", quote(text))),
        None => Err(format!("{} is not ADDRESS[:PORT], like 9.9.9.9 or [2620:fe::fe]:53", quote(text))),
    }
}

/// The host of a `Host` field, without a port, in lower case.
pub(super) fn host_name(text: &str) -> Result<String, String> {
    if let Some(ip) = ip(text) {
        return Ok(ip.to_string());
    }
    if text.contains(':') {
        return Err(format!("{} is not a host name (omit the scheme and the port)", quote(text)));
    }
    if !is_host(text) {
        return Err(format!("{} is not a host name", quote(text)));
    }
    Ok(text.to_ascii_lowercase())
}

/// An IP address, an IPv6 one with or without brackets.
fn ip(text: &str) -> Option<IpAddr> {
    if let Some(inside) = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return inside.parse::<Ipv6Addr>().ok().map(IpAddr::V6);
    }
    text.parse().ok()
}

fn whole(text: &str, min: u64, max: u64) -> Result<u64, String> {
    let number = integer(unsigned(text)).ok_or_else(|| format!("{} is not a whole number", quote(text)))?;
    match (min..=max).contains(&number) && !text.starts_with('-') {
        true => Ok(number),
        false => Err(format!("{} is not between {min} and {max}", shown(text))),
    }
}

/// A number of seconds, or a number and a unit; from 1 ms to `max` seconds.
fn seconds(text: &str, max: u64) -> Result<Duration, String> {
    let invalid = || format!("{} is not a time, like 0.5, 200ms, 5s or 2m", quote(text));
    let span = duration(unsigned(text)).ok_or_else(invalid)?;
    let range = Duration::from_millis(1)..=Duration::from_secs(max);
    match range.contains(&span) && !text.starts_with('-') {
        true => Ok(span),
        false => Err(format!("{} is not between 0.001 and {max} seconds", shown(text))),
    }
}

fn unsigned(text: &str) -> &str {
    text.strip_prefix(['+', '-']).unwrap_or(text)
}

fn refuse_control_characters(text: &str) -> Result<(), String> {
    match text.chars().any(char::is_control) {
        true => Err(format!("{} contains a control character", quote(text))),
        false => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_a_unit_or_are_seconds() {
        for (text, millis) in [
            ("5", 5_000),
            ("0.5", 500),
            ("+5", 5_000),
            ("200ms", 200),
            ("1.5s", 1_500),
            ("2m", 120_000),
            ("2 m", 120_000),
            ("1h", 3_600_000),
            ("1d", 86_400_000),
            ("3650d", 315_360_000_000),
        ] {
            assert_eq!(interval(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["5w", "5 min", "5M", "5ss", "d", "ms5", "5 5", "5\u{b5}s", "1e3"] {
            assert!(interval(text).expect_err(text).contains("is not a time"), "{text}");
        }
        for text in ["0ms", "0.5ms", "3651d", "-1d", "99999999999999999999d"] {
            assert!(interval(text).expect_err(text).contains("is not between"), "{text}");
        }
        for (text, micros) in
            [("500", 500_000), ("500ms", 500_000), ("2s", 2_000_000), ("0.001", 1), ("1h", 3_600_000_000)]
        {
            assert_eq!(milliseconds(text), Ok(Duration::from_micros(micros)), "{text}");
        }
        let range = "is not between 0.001 and 3600000 milliseconds";
        for text in ["0", "0ms", "-1s", "61m", "3600001"] {
            assert_eq!(milliseconds(text), Err(format!("{text} {range}")));
        }
        assert_eq!(milliseconds("2x"), Err("`2x` is not a time, like 500, 500ms or 2s".to_owned()));
    }
}
