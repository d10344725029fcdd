//! `/probe` compared with Debian's blackbox exporter: both probe the same targets, and have the same series with the
//! same values.
#![cfg(feature = "tls")]

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use crate::common::dns::{NameServer, record, wire};
use crate::common::*;
use crate::https::Site;

/// Series of the exporter that `/probe` does not have; the manual lists them.
const LEFT_OUT: [&str; 7] = [
    "probe_dns_additional_rrs",
    "probe_dns_authority_rrs",
    "probe_http_content_length",
    "probe_http_last_modified_timestamp_seconds",
    "probe_http_uncompressed_body_length",
    "probe_ssl_last_chain_expiry_timestamp_seconds",
    "probe_ssl_last_chain_info",
];

const CONFIG: &str = "modules:
  http: {prober: http, timeout: 1s, http: {preferred_ip_protocol: ip4, tls_config: {insecure_skip_verify: true}}}
  strict: {prober: http, timeout: 1s, http: {preferred_ip_protocol: ip4}}
  tcp: {prober: tcp, timeout: 1s, tcp: {preferred_ip_protocol: ip4}}
  tls: {prober: tcp, timeout: 1s, tcp: {preferred_ip_protocol: ip4, tls: true, tls_config: {insecure_skip_verify: true}}}
  icmp: {prober: icmp, timeout: 1s, icmp: {preferred_ip_protocol: ip4}}
  A: {prober: dns, timeout: 1s, dns: {preferred_ip_protocol: ip4, query_name: a.example, query_type: A}}
  SOA: {prober: dns, timeout: 1s, dns: {preferred_ip_protocol: ip4, query_name: a.example, query_type: SOA}}
";

struct Exporter {
    child: Child,
    address: SocketAddr,
    config: std::path::PathBuf,
}

impl Exporter {
    fn start() -> Option<Exporter> {
        const PROGRAM: &str = "prometheus-blackbox-exporter";
        if !has(PROGRAM, &["--version"]) {
            return None;
        }
        let address = closed_port();
        let config = std::env::temp_dir().join(format!("pingstate-blackbox-{}.yml", address.port()));
        std::fs::write(&config, CONFIG).expect("written");
        let child = Command::new(PROGRAM)
            .arg(format!("--config.file={}", config.display()))
            .arg(format!("--web.listen-address={address}"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("the exporter starts");
        eventually("the exporter listens", || TcpStream::connect(address).ok());
        Some(Exporter { child, address, config })
    }
}

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_file(&self.config);
    }
}

/// The values of the series in a response to `/probe`.
fn series(api: SocketAddr, path: &str) -> BTreeMap<String, f64> {
    // HTTP/1.0 has no chunks.
    let response = talk(api, format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n").as_bytes());
    let response = String::from_utf8(response).expect("text");
    let (head, text) = response.split_once("\r\n\r\n").expect("a head");
    assert!(head.contains(" 200 OK"), "{path}: {response}");
    let samples = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    let parse = |line: &str| {
        let (series, value) = line.rsplit_once(' ').expect("a value");
        (series.to_owned(), value.parse().expect("a number"))
    };
    samples.map(parse).collect()
}

fn name(series: &str) -> &str {
    series.split('{').next().unwrap_or(series)
}

/// Compares the series of one target: `added` are those that only the daemon has.
fn compare(exporter: &Exporter, module: &str, target: &str, args: &[&str], added: &[&str]) {
    let daemon = Daemon::start(&[args, &["--timeout", "1", "--name", "x", target]].concat());
    eventually("the first check ends", || (daemon.state() != "unknown").then_some(()));
    let ours = series(daemon.api, "/probe?target=x");
    let plain = target.strip_prefix("tcp://").or(target.strip_prefix("tls://")).unwrap_or(target);
    let plain = plain.strip_prefix("icmp://").unwrap_or(plain);
    let plain = plain.strip_prefix("dns://").and_then(|rest| rest.split('/').next()).unwrap_or(plain);
    let mut theirs = series(exporter.address, &format!("/probe?module={module}&target={plain}"));
    theirs.retain(|series, _| !LEFT_OUT.contains(&name(series)));
    let names = |map: &BTreeMap<String, f64>| map.keys().cloned().collect::<Vec<_>>();
    let mut shared = ours.clone();
    for series in added {
        assert!(shared.remove(*series).is_some(), "{target}: no {series} in {:?}", names(&ours));
    }
    assert_eq!(names(&shared), names(&theirs), "{target}");
    for (series, value) in shared {
        let is_time = series.contains("duration") || series.contains("lookup_time");
        assert!(
            is_time || value == theirs[&series],
            "{target}: {series} is {value}, not {}",
            theirs[&series]
        );
    }
}

#[test]
fn series_are_those_of_the_blackbox_exporter() {
    let Some(exporter) = Exporter::start() else { return };
    let ok = Server::answering("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n");
    let not_found = Server::answering("HTTP/1.1 404 Not Found\r\nContent-Length: 3\r\n\r\nno\n");
    let site = Site::start(&["localhost", "127.0.0.1"]);
    let https = site.url("127.0.0.1");
    let location = https.clone();
    let redirect = Server::start(move |mut stream| {
        read_head(&stream);
        let _ = write!(stream, "HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n");
    });
    let silent = Server::start(|mut stream| while stream.read(&mut [0; 64]).is_ok_and(|len| len > 0) {});
    let closed = closed_port();
    let any = ["--no-verify-tls"];
    for target in [ok.url("http"), not_found.url("http"), format!("http://{closed}/"), silent.url("http")] {
        compare(&exporter, "http", &target, &[], &[]);
    }
    compare(&exporter, "http", &https, &any, &[]);
    compare(&exporter, "http", &redirect.url("http"), &any, &[]);
    // The expiry of a rejected certificate is what its owner wants to know.
    compare(&exporter, "strict", &https, &[], &["probe_ssl_earliest_cert_expiry"]);
    compare(&exporter, "tcp", &format!("tcp://{}", ok.address), &[], &[]);
    compare(&exporter, "tcp", &format!("tcp://{closed}"), &[], &[]);
    let tls = https.trim_end_matches('/').replacen("https", "tls", 1);
    compare(&exporter, "tls", &tls, &any, &[]);
    match pingstate().args(["--once", "icmp://127.0.0.1"]).output().expect("runs").status.success() {
        true => compare(&exporter, "icmp", "icmp://127.0.0.1", &[], &[]),
        false => missing("ping"),
    }
}

#[test]
fn series_of_dns_are_those_of_the_blackbox_exporter() {
    let Some(exporter) = Exporter::start() else { return };
    let soa = NameServer::start(|question| {
        let numbers = [2026112901_u32, 7200, 3600, 1209600, 300].map(u32::to_be_bytes).concat();
        let data = [wire("ns.example"), wire("admin.example"), numbers].concat();
        vec![question.raw(0x8580, 1, &record(&[0xc0, 12], 6, 60, &data))]
    });
    let addresses = NameServer::with(&["192.0.2.7", "192.0.2.8"], 60);
    let unknown = NameServer::start(|question| vec![question.code(3)]);
    let silent = NameServer::start(|_| Vec::new());
    let server = |server: SocketAddr| format!("dns://{server}/a.example");
    compare(&exporter, "SOA", &(server(soa.address) + "?type=SOA"), &[], &[]);
    for address in [addresses.address, unknown.address, silent.address, closed_port()] {
        compare(&exporter, "A", &server(address), &[], &[]);
    }
}
