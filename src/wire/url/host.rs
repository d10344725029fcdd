//! The authority of a URL: a DNS name or an IP address, and a port.

use std::borrow::Cow;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::{Scheme, refuse_control_characters};
use crate::network::{Network, is_link_local};
use crate::text::{integer, quote};

/// The longest DNS name, in bytes (RFC 1035 section 2.3.4).
pub(crate) const NAME_MAX: usize = 253;
/// The longest label of a DNS name, in bytes.
const LABEL_MAX: usize = 63;

/// Appended to the error about a user or password in a URL.
pub(crate) const AUTHORIZATION_HINT: &str = " (use --basic-auth-file)";

/// Parses `HOST[:PORT]`. Default: the scheme's port.
pub(super) fn read_authority(scheme: &Scheme, authority: &str) -> Result<(String, u16), String> {
    refuse_userinfo(authority)?;
    let (host, port) = split_port(authority)?;
    Ok((read_host(host)?, port_or_default(scheme, authority, port)?))
}

/// Parses the authority of a redirect: user and password are dropped, and an IPv4 address may have any form
/// that `inet_aton` accepts.
pub(super) fn read_lenient_authority(scheme: &Scheme, authority: &str) -> Result<(String, u16), String> {
    let authority = authority.split_once('@').map_or(authority, |(_, after)| after);
    refuse_userinfo(authority)?;
    let (host, port) = split_port(authority)?;
    let host = read_ipv4_numbers(host).map_or_else(|| read_host(host), |ip| Ok(ip.to_string()))?;
    Ok((host, port_or_default(scheme, authority, port)?))
}

/// Parses `HOST[:PORT]`; an IPv6 address needs brackets only before a port.
pub(crate) fn read_host_and_port(text: &str, default_port: u16) -> Result<(String, u16), String> {
    if let Ok(ip) = text.parse::<Ipv6Addr>() {
        return Ok((ip.to_string(), default_port));
    }
    if text.contains("://") {
        return Err(format!("{} is a URL, not a host", quote(text)));
    }
    let (host, port) = split_port(text)?;
    Ok((read_host(host)?, port.map_or(Ok(default_port), read_port)?))
}

/// Splits the zone of a link-local address (`fe80::1%eth0`) from an authority or host. In a URL, the percent sign may be
/// encoded (`%25`, RFC 6874).
pub(super) fn split_zone(text: &str) -> Result<(Cow<'_, str>, Option<String>), String> {
    let Some((before, after)) = text.split_once('%') else { return Ok((text.into(), None)) };
    let (zone, rest) = match before.starts_with('[') {
        true => after.split_at(after.find(']').unwrap_or(after.len())),
        false => (after, ""),
    };
    let Ok(ip) = before.trim_start_matches('[').parse::<Ipv6Addr>() else { return Ok((text.into(), None)) };
    let zone = zone.strip_prefix("25").filter(|zone| !zone.is_empty()).unwrap_or(zone);
    let is_odd = |c: char| !c.is_ascii_graphic() || matches!(c, '/' | '%' | '[' | ']' | '@');
    if zone.is_empty() || zone.len() > Network::INTERFACE_MAX || zone.contains(is_odd) {
        return Err(format!("{} is not the name or number of a network interface", quote(zone)));
    }
    if !is_link_local(ip.into()) {
        return Err(format!("{ip} has no zone: only link-local addresses (fe80::…) have one"));
    }
    Ok(([before, rest].concat().into(), Some(zone.to_owned())))
}

fn port_or_default(scheme: &Scheme, authority: &str, port: Option<&str>) -> Result<u16, String> {
    match port {
        // An empty port is the default port (RFC 3986 section 3.2.3).
        None | Some("") => scheme.default_port().ok_or_else(|| {
            let example = quote(&format!("{}://{authority}:443", scheme.name));
            format!("a {} target needs a port, as in {example}", scheme.name)
        }),
        Some(port) => read_port(port),
    }
}

/// Parses a host without a port: an IPv6 address needs no brackets.
pub(super) fn read_bare(host: &str) -> Result<String, String> {
    refuse_userinfo(host)?;
    if host.contains("://") {
        return Err(format!("{} is a URL, not a host", quote(host)));
    }
    if let Ok(ip) = host.parse::<Ipv6Addr>() {
        return Ok(ip.to_string());
    }
    if host.starts_with('[') {
        return match split_port(host)? {
            (host, None) => read_host(host),
            _ => Err(format!("{} holds a port, which is given separately", quote(host))),
        };
    }
    match host.split_once(':') {
        Some((_, rest)) if rest.contains(':') => Err(format!("{} is not an IPv6 address", quote(host))),
        Some(_) => Err(format!("{} holds a port, which is given separately", quote(host))),
        None => read_host(host),
    }
}

/// Passwords are rejected because command lines, logs and the API expose them. For the same reason the error
/// does not quote the text.
fn refuse_userinfo(text: &str) -> Result<(), String> {
    match text.contains('@') {
        true => Err(format!("a URL cannot hold a user or password{AUTHORIZATION_HINT}")),
        false => Ok(()),
    }
}

/// Splits the host, with its brackets if any, from the text after the colon.
fn split_port(authority: &str) -> Result<(&str, Option<&str>), String> {
    let end = match authority.strip_prefix('[') {
        Some(inside) => match inside.find(']') {
            // Plus both brackets.
            Some(at) => at + 2,
            None => return Err(format!("a bracket is not closed in {}", quote(authority))),
        },
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, rest) = authority.split_at(end);
    match rest.strip_prefix(':') {
        Some(port) if port.contains(':') => {
            Err(format!("{} is not HOST:PORT (an IPv6 address stands in brackets)", quote(authority)))
        }
        Some(port) => Ok((host, Some(port))),
        None if rest.is_empty() => Ok((host, None)),
        None => Err(format!("{} is not HOST:PORT", quote(authority))),
    }
}

fn read_port(text: &str) -> Result<u16, String> {
    match integer(text).map(u16::try_from) {
        Some(Ok(port)) if port > 0 => Ok(port),
        _ => Err(format!("port {} is not between 1 and 65535", quote(text))),
    }
}

/// Returns a name in lower case, or an address in canonical form without brackets.
fn read_host(host: &str) -> Result<String, String> {
    refuse_control_characters(host)?;
    if host.is_empty() {
        return Err("there is no host".to_owned());
    }
    if let Some(inside) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return read_ipv6(inside);
    }
    if !host.is_ascii() {
        return Err(format!("host {} is not ASCII: write it in punycode (xn--…)", quote(host)));
    }
    if let Ok(ip) = host.parse::<Ipv4Addr>() {
        return Ok(ip.to_string());
    }
    check_name(host)?;
    Ok(host.to_ascii_lowercase())
}

/// Parses one to four numbers; the last one fills the remaining bytes: `127.1`, `2130706433`.
fn read_ipv4_numbers(host: &str) -> Option<Ipv4Addr> {
    let mut parts = host.split('.').map(read_ipv4_number);
    let mut last = parts.next()??;
    let (mut address, mut bits) = (0, 32);
    for part in parts {
        if last > 255 || bits == 8 {
            return None;
        }
        bits -= 8;
        address |= last << bits;
        last = part?;
    }
    (last >> bits == 0).then(|| Ipv4Addr::from((address | last) as u32))
}

/// Parses a decimal number, an octal one after `0`, or a hexadecimal one after `0x`.
fn read_ipv4_number(text: &str) -> Option<u64> {
    let (digits, radix) = match text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")) {
        Some(digits) => (digits, 16),
        None if text.starts_with('0') => (text, 8),
        None => (text, 10),
    };
    // `from_str_radix` would accept a sign.
    let is_number = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_number.then(|| u32::from_str_radix(digits, radix).ok().map(u64::from))?
}

fn read_ipv6(text: &str) -> Result<String, String> {
    match text.parse::<Ipv6Addr>() {
        Ok(ip) => Ok(ip.to_string()),
        Err(_) if text.contains('%') => {
            Err(format!("{}: an address with a zone (%…) cannot be used here", quote(text)))
        }
        Err(_) => Err(format!("{} is not an IPv6 address", quote(text))),
    }
}

/// A name consists of ASCII alphanumerics, hyphens, underscores (common in home networks) and dots. It may
/// end with a dot.
fn check_name(host: &str) -> Result<(), String> {
    let name = host.strip_suffix('.').unwrap_or(host);
    if let Some(odd) = name.chars().find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.')) {
        let odd = if odd == ' ' { "a space".to_owned() } else { quote(odd.encode_utf8(&mut [0; 4])) };
        return Err(format!("host {} cannot hold {odd}", quote(host)));
    }
    if name.len() > NAME_MAX || name.split('.').any(|label| label.len() > LABEL_MAX) {
        return Err(format!("host {} is longer than a name can be", quote(host)));
    }
    if name.split('.').any(str::is_empty) {
        return Err(format!("host {} has an empty part", quote(host)));
    }
    // No top-level domain is numeric (RFC 3696 section 2): this is a mistyped address, and a DNS query would
    // only hide that.
    if name.rsplit('.').next().is_some_and(|last| integer(last).is_some()) {
        return Err(format!("host {} is not an IPv4 address", quote(host)));
    }
    Ok(())
}
