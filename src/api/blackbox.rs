//! `/probe`: the last check of one target under the names of Prometheus's blackbox exporter, so that
//! dashboards made for that show it. Nothing is probed for it: only what is watched can be asked for.

use std::time::Duration;

use crate::api::exposition::{CONTENT_TYPE, Exposition, Value};
use crate::api::params::{bad, no_target, value};
use crate::api::response::{Response, TEXT};
use crate::fsm::{Event, Last};
use crate::monitor::{Fleet, Watch};

/// The last check of the target that the query names.
#[cold]
pub(super) fn probe(query: &str, fleet: &Fleet) -> Result<Response, Response> {
    let Some(target) = value(query, "target")? else {
        return Err(bad(&["target must be the name or the URL of a target"]));
    };
    let watch = find(&target, fleet).ok_or_else(no_target)?;
    let Some(last) = watch.fsm().last() else {
        return Err(Response::new(503, TEXT, "not checked yet\n"));
    };
    let mut out = Exposition::with_capacity(2048);
    tell(&mut out, watch.target(), last);
    Ok(Response::new(200, CONTENT_TYPE, out.into_bytes()))
}

/// The target of this name, or else the first of this URL.
fn find<'a>(target: &str, fleet: &'a Fleet) -> Option<&'a Watch> {
    fleet.find(target).or_else(|| fleet.watches().iter().find(|watch| watch.target() == target))
}

fn tell(out: &mut Exposition, url: &str, last: &Last) {
    let phases = last.phases();
    let parts = phases.each().into_iter().filter_map(|(_, span)| span);
    // One that got no answer took as long as its parts.
    let whole = last.latency.unwrap_or_else(|| parts.fold(Duration::ZERO, Duration::saturating_add));
    let version = last.address.map_or(0, |address| if address.is_ipv4() { 4 } else { 6 });
    let mut gauge = |name, help, value: Value| {
        out.family(name, "gauge", help);
        out.sample(&[], value);
    };
    gauge("probe_success", "Whether the last check succeeded.", (last.event == Event::Ok).into());
    gauge("probe_duration_seconds", "How long the last check took.", Value::Seconds(whole));
    let resolve = Value::Seconds(phases.resolve.unwrap_or_default());
    gauge("probe_dns_lookup_time_seconds", "How long finding the address took.", resolve);
    gauge("probe_ip_protocol", "Whether it was IPv4 or IPv6.", Value::Count(version));
    if let Some(not_after) = last.tls_not_after {
        let help = "When the certificate expires.";
        gauge("probe_ssl_earliest_cert_expiry", help, Value::Seconds(not_after));
    }
    if !url.starts_with("http:") && !url.starts_with("https:") {
        return;
    }
    let status = Value::Count(last.http_status.unwrap_or(0).into());
    gauge("probe_http_status_code", "The status of the answer.", status);
    gauge("probe_http_ssl", "Whether it was asked over TLS.", url.starts_with("https:").into());
    out.family("probe_http_duration_seconds", "gauge", "How long each part of the check took.");
    for (phase, span) in phases.each() {
        let phase = if phase == "first_byte" { "processing" } else { phase };
        out.sample(&[("phase", phase)], Value::Seconds(span.unwrap_or_default()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::test_now;
    use crate::monitor::Monitor;
    use crate::probe::build::ProbeBuilder;
    use crate::verdict::{ProbeResult, Reason};

    fn fleet() -> Fleet {
        let probe = |url: &str, name: &str| ProbeBuilder::from_url(url).name(name).build().expect("a probe");
        let monitors = vec![
            Monitor::new(probe("http://[::1]:8080/x?y=z", "web")),
            Monitor::new(probe("tcp://192.0.2.1:22", "ssh 1")),
            Monitor::new(probe("tcp://192.0.2.2:22", "new")),
        ];
        let now = test_now();
        let mut fleet = Fleet::new(monitors, now);
        let ms = Duration::from_millis;
        let mut up = ProbeResult::up(ms(42), "HTTP 200");
        (up.phases.connect, up.phases.first_byte) = (Some(ms(2)), Some(ms(40)));
        (up.http_status, up.address) = (Some(200), "[::1]:8080".parse().ok());
        fleet.fire(0, &up, now);
        let mut down = ProbeResult::down(Reason::ConnectTimeout, "no answer");
        (down.phases.resolve, down.phases.connect) = (Some(ms(10)), Some(ms(1990)));
        (down.address, down.tls_not_after) = ("192.0.2.1:22".parse().ok(), Some(Duration::from_secs(7)));
        fleet.fire(1, &down, now);
        fleet
    }

    fn said(query: &str) -> (u16, String) {
        let (Ok(response) | Err(response)) = probe(query, &fleet());
        assert_eq!(response.content_type, if response.status == 200 { CONTENT_TYPE } else { TEXT });
        (response.status, String::from_utf8(response.body).expect("text"))
    }

    /// The samples, without what is said of them.
    fn samples(query: &str) -> String {
        let (status, text) = said(query);
        assert_eq!(status, 200, "{text}");
        text.lines().filter(|line| !line.starts_with('#')).map(|line| line.to_owned() + "\n").collect()
    }

    #[test]
    fn a_target_is_found_by_name_or_url() {
        let web = "probe_success 1\nprobe_duration_seconds 0.042\nprobe_dns_lookup_time_seconds 0\n\
            probe_ip_protocol 6\nprobe_http_status_code 200\nprobe_http_ssl 0\n\
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
             probe_ip_protocol 4\nprobe_ssl_earliest_cert_expiry 7\n"
        );
    }

    #[test]
    fn nothing_else_is_probed() {
        let no = |status, line: &str| (status, format!("{line}\n"));
        assert_eq!(said(""), no(400, "target must be the name or the URL of a target"));
        assert_eq!(said("target=%"), no(400, "target is not well encoded"));
        for other in ["", "ssh", "http://[::1]:8080/", "tcp://192.0.2.3:22"] {
            assert_eq!(said(&format!("target={other}")), no(404, "no target of this name"));
        }
        assert_eq!(said("target=new"), no(503, "not checked yet"));
    }
}
