//! Building probes: defaults and invalid settings.

use super::*;
use crate::check::Banner;
use crate::probe::Probe;
use crate::probe::harness::Harness;
use crate::probe::http::settings::{HEADER_BYTES_MAX, HEADERS_MAX};

fn seconds(probe: &NetProbe) -> u64 {
    probe.timeout().as_secs()
}

/// The setting and the message of the error.
fn error(builder: ProbeBuilder) -> (&'static str, String) {
    let error = builder.build().expect_err("an error");
    assert_eq!(error.to_string(), format!("{}: {}", error.field(), error.message()));
    assert!(!error.to_string().contains(char::is_control), "{error}");
    (error.field(), error.message().to_owned())
}

fn invalid_field(builder: ProbeBuilder) -> &'static str {
    error(builder).0
}

#[test]
fn defaults_are_those_of_the_python_version() {
    for (protocol, address, port, name, target, timeout) in [
        ("tcp", "1.1.1.1", None, "1.1.1.1:443", "tcp://1.1.1.1:443", 2),
        ("TCP", "Host", Some(22), "host:22", "tcp://host:22", 2),
        ("tcp", "::1", Some(22), "[::1]:22", "tcp://[::1]:22", 2),
        ("http", "[::1]", None, "[::1]:80", "http://[::1]:80/", 5),
        ("http", "h", Some(8080), "h:8080", "http://h:8080/", 5),
    ] {
        let probe = probe(protocol, address, port).build().expect(target);
        assert_eq!((probe.name(), probe.url(), seconds(&probe)), (name, target, timeout));
    }
}

#[test]
fn a_port_is_optional() {
    assert_eq!(probe("http", "h", 81).build().expect("a probe").url(), "http://h:81/");
    assert_eq!(probe("http", "h", Some(81)).build().expect("a probe").url(), "http://h:81/");
    assert_eq!(probe("http", "h", None).build().expect("a probe").url(), "http://h:80/");
}

#[cfg(feature = "tls")]
#[test]
fn https_has_its_own_port_and_shares_its_roots() {
    let probes: Vec<_> = (0..50).map(|_| probe("https", "h", None).build().expect("a probe")).collect();
    assert_eq!(probes[0].url(), "https://h:443/");
    let trust = TlsTrust::new(false, &[]).expect("no roots");
    assert!(probe("https", "h", None).trust(&trust).verify_tls(true).build().is_ok());
    assert_eq!(invalid_field(probe("https", "h", None).ca_pem(b"not PEM")), "ca-file");
    assert_eq!(invalid_field(probe("http", "h", None).ca_pem(b"not PEM")), "ca-file");
    assert_eq!(TlsTrust::new(true, b"not PEM").expect_err("no PEM").field(), "ca-file");
}

#[cfg(not(feature = "tls"))]
#[test]
fn https_needs_tls() {
    for kind in ["https", "tls"] {
        let (field, message) = error(probe(kind, "h", None));
        assert_eq!((field, message), ("protocol", format!("{kind} is not in this build (feature \"tls\")")));
    }
    assert!(probe("http", "h", None).build().is_ok());
}

#[test]
fn paths_begin_with_a_slash() {
    for (path, target) in [
        ("", "http://h:80/"),
        ("/", "http://h:80/"),
        ("healthz", "http://h:80/healthz"),
        ("/a?b=c", "http://h:80/a?b=c"),
        ("?x", "http://h:80/?x"),
    ] {
        let probe = probe("http", "h", None).path(path).build().expect(path);
        assert_eq!(probe.url(), target);
    }
    let from_url = ProbeBuilder::from_url("http://h/a?b").path("c").build().expect("a probe");
    assert_eq!(from_url.url(), "http://h:80/c");
}

#[test]
fn settings_that_do_not_apply_to_the_protocol_are_errors() {
    let tcp = || probe("tcp", "h", 1);
    assert!(tcp().path("/").check("").timeout(Duration::from_secs(1)).name("x").build().is_ok());
    assert_eq!(invalid_field(tcp().path("/x")), "path");
    for (builder, field) in [
        (tcp().method("GET"), "method"),
        (tcp().header("X", "y"), "header"),
        (tcp().max_body(1), "max-body"),
        (tcp().follow_redirects(true), "no-redirect"),
        (tcp().verify_tls(true), "no-verify-tls"),
        (tcp().ca_pem(b"x"), "ca-file"),
        (tcp().check_response(|_| true), "check"),
    ] {
        assert_eq!(error(builder), (field, "does not apply to tcp".to_owned()));
    }
    let http = probe("http", "h", None).check_banner(|_| Banner::Yes);
    assert_eq!(error(http), ("check", "does not apply to http".to_owned()));
}

#[test]
fn closures_and_specs_replace_each_other() {
    let http = || probe("http", "h", None).check_response(|_| true);
    assert_eq!(invalid_field(http().check("status:")), "check");
    assert!(probe("http", "h", None).check("status:").check_response(|_| true).build().is_ok());
    assert_eq!(invalid_field(http().check("status:200").check("status:").check("status:201")), "check");
    let many = |count| (0..count).fold(http(), |probe, _| probe.check("status:200"));
    assert!(many(ProbeBuilder::CHECKS_MAX).build().is_ok());
    let message = "at most 16 are allowed".to_owned();
    assert_eq!(error(many(ProbeBuilder::CHECKS_MAX + 1)), ("check", message));
}

#[test]
fn invalid_settings_are_reported_by_field() {
    let http = || probe("http", "h", None);
    let tcp = || probe("tcp", "h", 1);
    let long = "x".repeat(70_000);
    for (builder, field) in [
        (probe("ftp", "h", None), "protocol"),
        (probe("", "h", None), "protocol"),
        (probe("http", "h", 0), "port"),
        (probe("http", "", None), "address"),
        (probe("tcp", "a b", 1), "address"),
        (probe("tcp", "h/x", 1), "address"),
        (probe("http", "u@h", None), "address"),
        (probe("http", "h:81", None), "address"),
        (probe("http", "h\r\n", None), "address"),
        (probe("http", &long, None), "address"),
        (ProbeBuilder::from_url("h:443"), "url"),
        (ProbeBuilder::from_url(""), "url"),
        (http().path("/\r\nX: y"), "path"),
        (http().path("/\u{7f}"), "path"),
        (http().path(&long), "path"),
        (http().check("banner_contains:x"), "check"),
        (http().check("status:"), "check"),
        (tcp().check("status:200"), "check"),
        (http().check_banner(|_| Banner::Yes), "check"),
        (tcp().check_response(|_| true), "check"),
        (http().method("HEAD").check("body_contains:x"), "check"),
        (http().timeout(Duration::ZERO), "timeout"),
        (tcp().timeout(ProbeBuilder::TIMEOUT_MAX + Duration::from_nanos(1)), "timeout"),
        (http().method(""), "method"),
        (http().method("G T"), "method"),
        (http().method("CONNECT"), "method"),
        (http().header("", "x"), "header"),
        (http().header("X y", "x"), "header"),
        (http().header("X: y", "x"), "header"),
        (http().header("X", "a\r\nY: b"), "header"),
        (http().header("X\n", "a"), "header"),
        (http().header("Content-Length", "5"), "header"),
        (http().header("X", &"y".repeat(HEADER_BYTES_MAX)), "header"),
        ((0..=HEADERS_MAX).fold(http(), |p, _| p.header("X", "y")), "header"),
        (http().max_body(ProbeBuilder::BODY_MAX + 1), "max-body"),
        (http().max_body(3).check("body_contains:pong"), "max-body"),
        (http().name(""), "name"),
        (http().name(" "), "name"),
        (http().name("a\nb"), "name"),
        (http().name(&long), "name"),
        (http().name(&"x".repeat(ProbeBuilder::NAME_MAX + 1)), "name"),
    ] {
        assert_eq!(invalid_field(builder), field);
    }
}

#[test]
fn values_at_their_limits_are_accepted() {
    let http = || probe("http", "h", None);
    for builder in [
        http().timeout(ProbeBuilder::TIMEOUT_MAX),
        http().timeout(Duration::from_nanos(1)),
        http().max_body(4).check("body_contains:pong"),
        http().max_body(0),
        http().max_body(ProbeBuilder::BODY_MAX),
        http().header("X", &"y".repeat(HEADER_BYTES_MAX - 1)),
        (0..HEADERS_MAX).fold(http(), |p, _| p.header("X", "y")),
        http().name(&"x".repeat(ProbeBuilder::NAME_MAX)),
        http().method("HEAD").check("status:200"),
        http().method("PROPFIND"),
        http().header("X", "").header("User-Agent", "me"),
        http().name("Büro: Drucker (2. Stock)"),
        http().check_response(|response| response.status == 200),
        http().check_response(|response| (response.body.is_empty(), "empty")),
        probe("tcp", "h", 1)
            .check_banner(|received| if received.is_empty() { Banner::More } else { Banner::No }),
        probe("tcp", "h", 1).check_banner(|_| (Banner::Yes, "fine")),
    ] {
        assert!(builder.build().is_ok());
    }
}

#[test]
fn debug_output_contains_no_secrets() {
    let builder = probe("http", "h", None).header("Authorization", "s3cret");
    assert!(!format!("{builder:?}").contains("s3cret"));
    assert!(!format!("{:?}", builder.build()).contains("s3cret"));
}

#[test]
fn a_clone_connects_to_the_same_target() {
    let probe = probe("tcp", "[::1]", 22).name("ssh").build().expect("a probe");
    let copy = probe.clone();
    assert_eq!(copy.name(), "ssh");
    assert_eq!(Harness::begin(&copy).connect(), ("::1".to_owned(), 22));
}
