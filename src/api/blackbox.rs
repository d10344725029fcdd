//! `/probe`: the last check of one target under the metric names of the Prometheus blackbox exporter, so that
//! dashboards for it work. A request starts no probe: it selects a configured target.

use std::net::IpAddr;
use std::time::Duration;

use crate::api::exposition::{CONTENT_TYPE, Exposition, Value};
use crate::api::params::{bad, no_target, value};
use crate::api::response::{Response, TEXT};
use crate::clock::since_epoch;
use crate::fsm::{Event, Last};
use crate::monitor::{Target, Targets};
use crate::probe::kinds::{self, Kind};
use crate::result::{Reason, TlsVersion};
use crate::wire::http::query::raw_parameter;

#[cold]
pub(super) fn probe(query: &str, targets: &Targets) -> Result<Response, Response> {
    let Some(target) = value(query, "target")? else {
        return Err(bad(&["target must be the name or the URL of a target"]));
    };
    // A URL that was not encoded for the query may contain `%` and `+` itself.
    let raw = raw_parameter(query, "target").unwrap_or_default();
    let target = find(&target, targets).or_else(|| by_url(raw, targets)).ok_or_else(no_target)?;
    if target.is_paused() {
        return Err(Response::new(503, TEXT, "paused\n"));
    }
    let Some(last) = target.fsm().last() else {
        return Err(Response::new(503, TEXT, "not checked yet\n"));
    };
    let mut out = Exposition::with_capacity(2048);
    write_last_check(&mut out, target, last);
    Ok(Response::new(200, CONTENT_TYPE, out.into_bytes()))
}

/// The target with this name, or else the first with this URL.
fn find<'a>(text: &str, targets: &'a Targets) -> Option<&'a Target> {
    let has_url = |target: &&Target| target.url() == text && !target.is_private();
    targets.find(text).or_else(|| targets.list().iter().find(has_url)).or_else(|| by_url(text, targets))
}

/// The first target with this URL, which is parsed like a TARGET of the command line. The scheme is optional,
/// as in the blackbox exporter. A final `/` is ignored unless a target matches exactly.
fn by_url<'a>(text: &str, targets: &'a Targets) -> Option<&'a Target> {
    let schemes = kinds::ANY.iter().map(|kind| format!("{}://", kind.name()));
    std::iter::once(String::new()).chain(schemes).find_map(|scheme| {
        let url = kinds::shown_url(&(scheme + text))?;
        let mut targets = targets.list().iter().filter(|target| !target.is_private());
        let bare = |url: &'a str| url.strip_suffix('/').unwrap_or(url);
        targets
            .clone()
            .find(|target| target.url() == url)
            .or_else(|| targets.find(|target| bare(target.url()) == url.strip_suffix('/').unwrap_or(&url)))
    })
}

fn write_last_check(out: &mut Exposition, target: &Target, last: &Last) {
    let phases = last.phases;
    let parts = phases.each().into_iter().filter_map(|(_, span)| span);
    // A check without a response has no latency: its phases are added up.
    let total = last.latency.unwrap_or_else(|| parts.fold(Duration::ZERO, Duration::saturating_add));
    let version = last.address.map_or(0, |address| if address.is_ipv4() { 4 } else { 6 });
    out.gauge("probe_success", "Whether the last check succeeded.", (last.event == Event::Ok).into());
    out.gauge("probe_duration_seconds", "Duration of the last check.", Value::Seconds(total));
    let resolve = Value::Seconds(phases.resolve.unwrap_or_default());
    out.gauge("probe_dns_lookup_time_seconds", "Duration of resolving the name.", resolve);
    out.gauge("probe_ip_protocol", "4 for IPv4, 6 for IPv6.", Value::Count(version));
    // The address is soon found by trying all hashes.
    let address = last.address.filter(|_| !target.is_private());
    let hash = Value::Count(address.map_or(0, |address| ip_hash(address.ip())));
    out.gauge("probe_ip_addr_hash", "Hash of the address, which changes with it.", hash);
    if let Some(not_after) = last.tls_not_after {
        let help = "When the certificate expires.";
        out.gauge("probe_ssl_earliest_cert_expiry", help, Value::Seconds(since_epoch(not_after)));
    }
    if let Some(version) = last.tls_version {
        let version = if version == TlsVersion::V13 { "TLS 1.3" } else { "TLS 1.2" };
        out.family("probe_tls_version_info", "gauge", "The TLS version of the last connection.");
        out.sample(&[("version", version)], Value::Count(1));
    }
    match Kind::of_url(target.url()) {
        Some(Kind::Icmp) => write_icmp(out, last),
        Some(Kind::Dns) => write_dns(out, last),
        Some(Kind::Exec | Kind::Heartbeat) | None => {}
        Some(kind) => {
            let is_text_missing = matches!(last.reason, Some(Reason::Body | Reason::Header | Reason::Banner));
            let help = "Whether the check did not find its text.";
            out.gauge("probe_failed_due_to_regex", help, is_text_missing.into());
            if kinds::HTTP_KINDS.contains(&kind) {
                write_http(out, last);
            }
        }
    }
}

fn write_http(out: &mut Exposition, last: &Last) {
    let status = Value::Count(last.http_status.unwrap_or(0).into());
    out.gauge("probe_http_status_code", "The status of the last response.", status);
    let version = last.http_status.map_or(0, |_| if last.http10 { 1000 } else { 1100 });
    let version = Value::Seconds(Duration::from_millis(version));
    out.gauge("probe_http_version", "The HTTP version of the last response.", version);
    out.gauge("probe_http_redirects", "The number of redirects.", Value::Count(last.http_redirects.into()));
    out.gauge("probe_http_ssl", "Whether the last connection used TLS.", last.tls_version.is_some().into());
    let name = |phase| if phase == "first_byte" { "processing" } else { phase };
    let phases = last.phases.each().map(|(phase, span)| (name(phase), span));
    out.family("probe_http_duration_seconds", "gauge", "Duration of each phase of the check.");
    write_phases(out, &phases);
}

fn write_dns(out: &mut Exposition, last: &Last) {
    let count = last.dns.as_ref().map_or(0, |dns| dns.answer_count);
    out.gauge("probe_dns_answer_rrs", "The number of records in the answer.", Value::Count(count.into()));
    out.gauge("probe_dns_query_succeeded", "Whether the server has answered.", last.dns.is_some().into());
    if let Some(serial) = last.dns.as_ref().and_then(|dns| dns.soa_serial) {
        out.gauge("probe_dns_serial", "The serial number of the zone.", Value::Count(serial.into()));
    }
    let phases = last.phases;
    let phases = [("resolve", phases.resolve), ("connect", phases.connect), ("request", phases.first_byte)];
    out.family("probe_dns_duration_seconds", "gauge", "Duration of each phase of the check.");
    write_phases(out, &phases);
}

/// A phase that did not take place is 0, as in the blackbox exporter.
fn write_phases(out: &mut Exposition, phases: &[(&str, Option<Duration>)]) {
    for (phase, span) in phases {
        out.sample(&[("phase", phase)], Value::Seconds(span.unwrap_or_default()));
    }
}

/// FNV-1a of 32 bits, as in the blackbox exporter.
fn ip_hash(ip: IpAddr) -> u64 {
    let hash = |bytes: &[u8]| {
        bytes.iter().fold(0x811c_9dc5, |hash: u32, byte| (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193))
    };
    u64::from(match ip {
        IpAddr::V4(ip) => hash(&ip.octets()),
        IpAddr::V6(ip) => hash(&ip.octets()),
    })
}

fn write_icmp(out: &mut Exposition, last: &Last) {
    let rtt = last.ping.as_ref().and_then(|ping| ping.rtt).map(|rtt| rtt.median);
    let phases = [("resolve", last.phases.resolve), ("setup", last.phases.connect), ("rtt", rtt)];
    out.family("probe_icmp_duration_seconds", "gauge", "How long each part of the check took.");
    write_phases(out, &phases);
    if let Some(limit) = last.ping.as_ref().and_then(|ping| ping.hop_limit) {
        let help = "The hop limit (IPv4: time to live) of the reply.";
        out.gauge("probe_icmp_reply_hop_limit", help, Value::Count(limit.into()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{system_time, test_now};
    use crate::monitor::Monitor;
    use crate::probe::build::ProbeBuilder;
    use crate::result::{PingStats, ProbeResult};

    fn targets() -> Targets {
        let probe = |url: &str, name: &str| ProbeBuilder::from_url(url).name(name).build().expect("a probe");
        let monitors = vec![
            Monitor::new(probe("http://[::1]:8080/x?y=z", "web")),
            Monitor::new(probe("tcp://192.0.2.1:22", "ssh 1")),
            Monitor::new(probe("tcp://192.0.2.2:22", "new")),
        ];
        let now = test_now();
        let mut targets = Targets::new(monitors, now);
        let ms = Duration::from_millis;
        let mut up = ProbeResult::up(ms(42), "HTTP 200");
        (up.phases.connect, up.phases.first_byte) = (Some(ms(2)), Some(ms(40)));
        (up.http_status, up.address) = (Some(200), "[::1]:8080".parse().ok());
        targets.fire(targets.id(0), &up, now);
        let mut down = ProbeResult::down(Reason::ConnectTimeout, "no answer");
        (down.phases.resolve, down.phases.connect) = (Some(ms(10)), Some(ms(1990)));
        (down.address, down.tls_not_after) =
            ("192.0.2.1:22".parse().ok(), Some(system_time(Duration::from_secs(7))));
        targets.fire(targets.id(1), &down, now);
        targets
    }

    fn response(query: &str) -> (u16, String) {
        let (Ok(response) | Err(response)) = probe(query, &targets());
        assert_eq!(response.content_type, if response.status == 200 { CONTENT_TYPE } else { TEXT });
        (response.status, String::from_utf8(response.body).expect("text"))
    }

    /// The response without its comment lines.
    fn samples(query: &str) -> String {
        let (status, text) = response(query);
        assert_eq!(status, 200, "{text}");
        text.lines().filter(|line| !line.starts_with('#')).map(|line| line.to_owned() + "\n").collect()
    }

    #[test]
    fn a_target_is_found_by_name_or_url() {
        let web = "probe_success 1\nprobe_duration_seconds 0.042\nprobe_dns_lookup_time_seconds 0\n\
            probe_ip_protocol 6\nprobe_ip_addr_hash 1751717746\nprobe_failed_due_to_regex 0\n\
            probe_http_status_code 200\nprobe_http_version 1.1\nprobe_http_redirects 0\nprobe_http_ssl 0\n\
            probe_http_duration_seconds{phase=\"resolve\"} 0\n\
            probe_http_duration_seconds{phase=\"connect\"} 0.002\n\
            probe_http_duration_seconds{phase=\"tls\"} 0\n\
            probe_http_duration_seconds{phase=\"processing\"} 0.04\n\
            probe_http_duration_seconds{phase=\"transfer\"} 0\n";
        let url = "target=http%3A%2F%2F%5B%3A%3A1%5D%3A8080%2Fx%3Fy%3Dz";
        for query in ["module=http_2xx&target=web", url, "target=http://[::1]:8080/x?y=z"] {
            assert_eq!(samples(query), web, "{query}");
        }
        assert_eq!(
            samples("target=ssh+1"),
            "probe_success 0\nprobe_duration_seconds 2\nprobe_dns_lookup_time_seconds 0.01\n\
             probe_ip_protocol 4\nprobe_ip_addr_hash 1969986452\n\
             probe_ssl_earliest_cert_expiry 7\nprobe_failed_due_to_regex 0\n"
        );
    }

    #[test]
    fn a_url_is_read_like_a_target() {
        let urls = [
            "http://localhost/healthz",
            "https://Example.COM",
            "tcp://[::1]:22",
            "tcp://nas.lan:445",
            "http://nas.lan:8080/a%20b?c=+d&e",
            "http://nas.lan/dir/",
            "http://nas.lan/file",
            "http://nas.lan/file/",
            "dns:Example.com?type=MX",
            "dns://NS.lan/example.com",
            "ping://NAS.lan",
        ];
        let probe = |(place, url): (usize, &&str)| {
            Monitor::new(ProbeBuilder::from_url(url).name(&format!("n{place}")).build().expect("a probe"))
        };
        let mut monitors: Vec<_> = urls.iter().enumerate().map(probe).collect();
        // These show less than their URL, which cannot select them.
        let exec = ProbeBuilder::from_url("exec:check --token secret").name("exec").build().expect("a probe");
        let heartbeat = ProbeBuilder::from_url("heartbeat:").name("job").token("0123456789abcdef");
        monitors.extend([exec, heartbeat.build().expect("a probe")].map(Monitor::new));
        let mut targets = Targets::new(monitors, test_now());
        for place in 0..targets.list().len() {
            let result = ProbeResult::up(Duration::from_millis(place as u64 + 1), "fine");
            targets.fire(targets.id(place), &result, test_now());
        }
        let found = |query: &str| {
            let (Ok(response) | Err(response)) = super::probe(query, &targets);
            let text = String::from_utf8(response.body).expect("text");
            let took = text.lines().find_map(|line| line.strip_prefix("probe_duration_seconds "));
            took.and_then(|text| text.parse::<f64>().ok()).map(|seconds| (seconds * 1000.0) as usize - 1)
        };
        for (target, place) in [
            ("http://localhost/healthz", Some(0)),
            ("HTTP://LocalHost:80/healthz", Some(0)),
            ("http%3A%2F%2Flocalhost%2Fhealthz", Some(0)),
            ("http://localhost:/healthz#top", Some(0)),
            ("http://localhost/healthz/", Some(0)),
            ("localhost/healthz", Some(0)),
            ("http://localhost/healthz&module=http_2xx&target=tcp://nas.lan:445", Some(0)),
            ("http://localhost/Healthz", None),
            ("http://localhost:81/healthz", None),
            ("https://localhost/healthz", None),
            ("https://example.com", Some(1)),
            ("https://EXAMPLE.com:443/", Some(1)),
            ("example.com:443", Some(1)),
            ("tcp://[0:0::1]:22", Some(2)),
            ("[::1]:22", Some(2)),
            ("%5B::1%5D:22/", Some(2)),
            ("nas.lan:445", Some(3)),
            ("NAS.lan:445", Some(3)),
            ("http://nas.lan:8080/a%2520b?c=%2Bd%26e", Some(4)),
            // Only the `&`, which would end the parameter, is encoded.
            ("http://nas.lan:8080/a%20b?c=+d%26e", None),
            ("http://nas.lan/dir", Some(5)),
            ("http://nas.lan/file", Some(6)),
            ("http://nas.lan/file/", Some(7)),
            ("http://nas.lan/", None),
            ("dns:example.com?type=MX", Some(8)),
            ("DNS:EXAMPLE.com.?CLASS=IN;TYPE=mx", Some(8)),
            ("dns:///example.com?type=MX", Some(8)),
            ("dns%3Aexample.com%3Ftype%3Dmx", Some(8)),
            ("dns:example.com", None),
            ("dns:example.com?type=", None),
            ("dns:", None),
            ("dns://ns.lan/example.com", Some(9)),
            ("Dns://NS.LAN:53/Example.com?type=a", Some(9)),
            ("ns.lan/example.com", Some(9)),
            ("dns://ns.lan:54/example.com", None),
            ("dns://ns2.lan/example.com", None),
            ("ping://nas.lan", Some(10)),
            ("PING://Nas.LAN/", Some(10)),
            ("icmp://nas.lan", Some(10)),
            ("nas.lan", Some(10)),
            ("exec:check --token other", None),
            ("heartbeat:x", None),
        ] {
            assert_eq!(found(&format!("target={target}")), place, "{target}");
            assert_eq!(found(&format!("module=icmp&target={target}")), place, "{target}");
        }
        let raw = ProbeBuilder::from_url("http://nas.lan/a%20b+c").build().expect("a probe");
        targets = Targets::new(vec![Monitor::new(raw)], test_now());
        assert_eq!(super::probe("target=http://nas.lan/a%20b+c", &targets).map_err(|no| no.status), Err(503));
        assert_eq!(
            super::probe("target=http://nas.lan/a%20b%20c", &targets).map_err(|no| no.status),
            Err(404)
        );
    }

    #[test]
    fn the_http_version_is_reported() {
        let version = |status, http10| {
            let probe = ProbeBuilder::from_url("http://nas.lan/").name("nas").build().expect("a probe");
            let mut targets = Targets::new(vec![Monitor::new(probe)], test_now());
            let mut result = ProbeResult::up(Duration::ZERO, "fine");
            (result.http_status, result.http10) = (status, http10);
            targets.fire(targets.id(0), &result, test_now());
            let Ok(response) = super::probe("target=nas", &targets) else { panic!("target not found") };
            let text = String::from_utf8(response.body).expect("text");
            text.lines().find_map(|line| line.strip_prefix("probe_http_version ")).map(str::to_owned)
        };
        assert_eq!(version(Some(200), false).as_deref(), Some("1.1"));
        assert_eq!(version(Some(404), true).as_deref(), Some("1"));
        assert_eq!(version(None, false).as_deref(), Some("0"), "no response");
    }

    #[test]
    fn a_ping_has_the_series_of_the_icmp_prober() {
        let probe = ProbeBuilder::from_url("icmp://192.0.2.1").build().expect("a probe");
        let mut targets = Targets::new(vec![Monitor::new(probe)], test_now());
        let mut series = |result: &ProbeResult| {
            targets.fire(targets.id(0), result, test_now());
            let Ok(response) = super::probe("target=192.0.2.1", &targets) else { panic!("target not found") };
            let text = String::from_utf8(response.body).expect("text");
            let lines = text.lines().filter_map(|line| line.strip_prefix("probe_icmp_").map(str::to_owned));
            lines.collect::<Vec<_>>()
        };
        let mut result = ProbeResult::up(Duration::from_millis(2), "reply");
        result.phases.connect = Some(Duration::from_millis(1));
        let stats = PingStats::new(1, &mut [Duration::from_millis(2)], Some(57));
        result.ping = Some(Box::new(stats));
        let phases = |setup, rtt| {
            [("resolve", "0"), ("setup", setup), ("rtt", rtt)]
                .map(|(phase, seconds)| format!("duration_seconds{{phase=\"{phase}\"}} {seconds}"))
        };
        let up = [&phases("0.001", "0.002")[..], &["reply_hop_limit 57".to_owned()]].concat();
        assert_eq!(series(&result), up);
        assert_eq!(series(&ProbeResult::down(Reason::NoReply, "no reply")), phases("0", "0"));
    }

    #[test]
    fn kinds_without_banner_or_body_have_no_series_about_their_text() {
        for url in ["exec:check", "heartbeat:", "tcp://192.0.2.1:22"] {
            let mut probe = ProbeBuilder::from_url(url).name("it");
            if url == "heartbeat:" {
                probe = probe.token("0123456789abcdef");
            }
            let monitor = Monitor::new(probe.build().expect("a probe"));
            let mut targets = Targets::new(vec![monitor], test_now());
            targets.fire(targets.id(0), &ProbeResult::up(Duration::ZERO, "fine"), test_now());
            let Ok(response) = super::probe("target=it", &targets) else { panic!("target not found") };
            let text = String::from_utf8(response.body).expect("text");
            assert!(text.contains("\nprobe_success 1\n"), "{text}");
            assert_eq!(text.contains("probe_failed_due_to_regex"), url.starts_with("tcp"), "{text}");
        }
    }

    #[test]
    fn unknown_targets_are_errors() {
        let no = |status, line: &str| (status, format!("{line}\n"));
        assert_eq!(response(""), no(400, "target must be the name or the URL of a target"));
        assert_eq!(response("target=%"), no(400, "target is not well encoded"));
        for other in ["", "ssh", "http://[::1]:8080/", "tcp://192.0.2.3:22"] {
            assert_eq!(response(&format!("target={other}")), no(404, "no target of this name"));
        }
        assert_eq!(response("target=new"), no(503, "not checked yet"));
    }
}
