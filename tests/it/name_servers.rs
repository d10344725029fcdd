//! Targets of the kind dns, against a scripted name server and against NSD.

use std::net::{TcpListener, UdpSocket};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use pingstate::{ProbeBuilder, ProbeResult, Reason};

use crate::common::dns::{NameServer, Question, record};
use crate::common::*;

const OWN: &[u8] = &[0xc0, 12];

fn probe(url: &str) -> ProbeBuilder {
    ProbeBuilder::from_url(url).timeout(PATIENCE)
}

fn check(builder: ProbeBuilder) -> ProbeResult {
    builder.build().expect("a probe").check()
}

/// The answer with this address.
fn address(question: &Question, last: u8) -> Vec<u8> {
    question.raw(0x8180, 1, &record(OWN, 1, 60, &[192, 0, 2, last]))
}

#[test]
fn the_right_answer_is_found_after_wrong_ones() {
    let server = NameServer::start(|question| {
        let forged = |position: usize| {
            let mut message = address(question, 66);
            message[position] ^= 1;
            message
        };
        let prefix = address(question, 66)[..20].to_vec();
        vec![vec![], vec![0xff; 300], forged(1), forged(13), forged(25), prefix, address(question, 1)]
    });
    let result = check(probe(&format!("dns://{}/db.example", server.address)));
    assert_eq!((result.ok, &*result.detail), (true, "192.0.2.1"));
    assert_eq!(result.address, Some(server.address));
}

#[test]
fn a_lost_query_is_sent_again() {
    let received = AtomicUsize::new(0);
    let server = NameServer::start(move |question| match received.fetch_add(1, Ordering::SeqCst) {
        0 => vec![],
        _ => vec![address(question, 1)],
    });
    let timeout = Duration::from_secs(3);
    let result = check(probe(&format!("dns://{}/db.example", server.address)).timeout(timeout));
    assert!(result.ok && result.latency >= Some(timeout / 3), "{result:?}");
    assert_eq!(server.count(), 2);

    let silent = NameServer::start(|_| vec![]);
    let timeout = Duration::from_millis(300);
    let result = check(probe(&format!("dns://{}/db.example", silent.address)).timeout(timeout));
    assert_eq!(result.reason, Some(Reason::DnsNoAnswer));
    assert_eq!(result.detail, format!("timed out after 0.3 s waiting for the answer of {}", silent.address));
    assert_eq!(silent.count(), 2);
}

#[test]
fn a_server_without_edns_is_asked_again_without_it() {
    for code in [1, 4] {
        let server = NameServer::start(move |question| match question.is_edns() {
            true => vec![question.code(code)],
            false => vec![address(question, 1)],
        });
        for tcp_only in [false, true] {
            let result = check(probe(&format!("dns://{}/db.example", server.address)).dns_tcp(tcp_only));
            assert_eq!((result.ok, &*result.detail), (true, "192.0.2.1"));
        }
    }
}

#[test]
fn a_truncated_answer_is_asked_for_over_tcp() {
    let server = NameServer::start(|question| match question.over_tcp {
        true => {
            let record = |i: u16| record(OWN, 1, 60, &[10, 0, i.to_be_bytes()[0], i.to_be_bytes()[1]]);
            vec![question.raw(0x8180, 4000, &(0..4000).flat_map(record).collect::<Vec<_>>())]
        }
        false => vec![question.raw(0x8380, 0, &[])],
    });
    let url = format!("dns://{}/db.example", server.address);
    let result = check(probe(&url).check("answer_contains:10.0.15.159"));
    assert!(result.ok, "{result:?}");
    assert_eq!(result.dns.expect("a response").answers.len(), 10);
    let server = NameServer::start(|question| match question.over_tcp {
        true => vec![],
        false => vec![question.raw(0x8380, 0, &[])],
    });
    let url = format!("dns://{}/db.example", server.address);
    let result = check(probe(&url).timeout(Duration::from_millis(300)));
    assert_eq!(result.reason, Some(Reason::DnsNoAnswer));
}

#[test]
fn exit_codes_tell_a_server_without_address_from_a_failed_query() {
    let server = NameServer::start(|question| match &*question.name {
        "db.example" => vec![address(question, 1)],
        _ => vec![question.code(3)],
    });
    let servers = server.address.to_string();
    let run = |args: &[&str]| {
        let output = pingstate().args(["--once", "--dns", &servers]).args(args).output().expect("runs");
        (output.status.code(), String::from_utf8(output.stdout).expect("text"))
    };
    // The authority is empty: the server of --dns.
    let (code, text) = run(&["dns:db.example"]);
    assert!(code == Some(0) && text.ends_with("dns:db.example?type=A  192.0.2.1\n"), "{text}");
    let (code, text) = run(&["--dns-tcp", "dns:///db.example"]);
    assert!(code == Some(0) && text.ends_with("192.0.2.1\n"), "{text}");
    let (code, text) = run(&["dns:none.example"]);
    assert!(code == Some(1) && text.ends_with("NXDOMAIN: the name does not exist\n"), "{text}");
    let (code, text) = run(&["dns://none.example/db.example"]);
    assert!(code == Some(3) && text.contains("name does not exist: none.example"), "{text}");
    let (code, text) = run(&["--check=rcode:NXDOMAIN", "dns:none.example"]);
    assert!(code == Some(0) && text.ends_with("  NXDOMAIN\n"), "{text}");
    let output = pingstate().args(["--once", "dns://9.9.9.9"]).output().expect("runs");
    let error = String::from_utf8(output.stderr).expect("text");
    assert_eq!(output.status.code(), Some(2));
    assert!(
        error.starts_with("pingstate: TARGET dns://9.9.9.9: there is no name to query: expected "),
        "{error}"
    );
    assert_eq!(error.lines().count(), 1);
}

#[test]
fn a_refused_query_is_reported_at_once() {
    let closed = UdpSocket::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port");
    let result = check(probe(&format!("dns://{closed}/db.example")));
    assert_eq!(
        (result.reason, result.detail),
        (Some(Reason::Refused), format!("connection refused by {closed}"))
    );
}

/// NSD with one zone, ended when dropped.
pub(crate) struct Nsd {
    child: Child,
    directory: PathBuf,
    pub(crate) port: u16,
}

impl Nsd {
    /// `None` if it is not installed.
    pub(crate) fn start(zone: &str) -> Option<Nsd> {
        if !has("nsd", &["-v"]) || !has("dig", &["-v"]) {
            return None;
        }
        let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
        let port = listener.local_addr().expect("an address").port();
        drop(listener);
        let directory = std::env::temp_dir().join(format!("pingstate-nsd-{}-{port}", std::process::id()));
        std::fs::create_dir_all(&directory).expect("created");
        let root = directory.display();
        let conf = format!(
            "server:\n ip-address: 127.0.0.1@{port}\n username: \"\"\n chroot: \"\"\n zonesdir: \"{root}\"\n \
             pidfile: \"\"\n zonelistfile: \"{root}/zone.list\"\n xfrdfile: \"{root}/xfrd.state\"\n \
             xfrdir: \"{root}\"\n database: \"\"\n server-count: 1\n\
             remote-control:\n control-enable: no\n\
             zone:\n name: example\n zonefile: zone\n"
        );
        std::fs::write(directory.join("zone"), zone).expect("written");
        std::fs::write(directory.join("conf"), conf).expect("written");
        let mut nsd = Command::new("nsd");
        nsd.arg("-d").arg("-c").arg(directory.join("conf")).stdout(Stdio::null()).stderr(Stdio::null());
        let child = nsd.spawn().expect("starts");
        let nsd = Nsd { child, directory, port };
        eventually("NSD", || {
            (!nsd.dig("example", "SOA", &["+tries=1", "+timeout=1"]).is_empty()).then_some(())
        });
        Some(nsd)
    }

    /// Replaces the zone.
    #[cfg(feature = "tls")] // Its only user.
    pub(crate) fn reload(&self, zone: &str) {
        std::fs::write(self.directory.join("zone"), zone).expect("written");
        let sent = Command::new("kill").args(["-HUP", &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// The sorted lines of `dig +short`.
    fn dig(&self, name: &str, kind: &str, options: &[&str]) -> Vec<String> {
        let mut dig = Command::new("dig");
        dig.args(["+short", "@127.0.0.1", "-p", &self.port.to_string(), name, kind]).args(options);
        let output = dig.output().expect("runs");
        if !output.status.success() {
            return Vec::new();
        }
        let mut lines: Vec<String> =
            String::from_utf8(output.stdout).expect("text").lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

impl Drop for Nsd {
    fn drop(&mut self) {
        // Its server is a child process, which SIGKILL would leave behind.
        let _ = Command::new("kill").arg(self.child.id().to_string()).status();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.directory);
    }
}

const ZONE: &str = r#"$ORIGIN example.
$TTL 60
@ SOA ns.example. admin\.x.example. 2024049765 7200 3600 1209600 300
@ NS ns
@ NS Ns2.Other.
ns A 127.0.0.1
a A 192.0.2.2
a A 192.0.2.1
a AAAA 2001:db8::1
a AAAA ::ffff:192.0.2.1
a AAAA ::192.0.2.1
a AAAA 1:0:2:0:0:3:0:4
alias CNAME A.example.
dangling CNAME a
@ MX 10 Mail
@ MX 0 .
_sip._tcp SRV 0 5 5060 sip
txt TXT "v=spf1 -all" "a;@\"\\\009\255"
txt TXT ""
txt TXT unquoted
caa CAA 0 issue "letsencrypt.org; a=b"
caa CAA 128 iodef "mailto:a\"b@example"
caa CAA 0 issuewild ";"
ptr PTR We\.ird\032na@me.example.
ptr PTR \(a\)\;\$.example.
"#;

#[test]
fn records_are_those_that_dig_prints() {
    let big: String = (10..50).map(|i| format!("big TXT \"{}{i}\"\n", "x".repeat(200))).collect();
    let Some(nsd) = Nsd::start(&(ZONE.to_owned() + &big)) else { return };
    let server = format!("dns://127.0.0.1:{}", nsd.port);
    for (name, kind) in [
        ("a.example", "A"),
        ("a.example", "AAAA"),
        ("alias.example", "CNAME"),
        ("example", "MX"),
        ("example", "NS"),
        ("ptr.example", "PTR"),
        ("example", "SOA"),
        ("_sip._tcp.example", "SRV"),
        ("txt.example", "TXT"),
        ("caa.example", "CAA"),
        ("big.example", "TXT"),
    ] {
        for tcp_only in [false, true] {
            let option = if tcp_only { "+tcp" } else { "+notcp" };
            let expected = nsd.dig(name, kind, &[option, "+noidnout"]);
            assert!(!expected.is_empty(), "{name} {kind}");
            let url = format!("{server}/{name}?type={kind}");
            let check_all = format!("answer:{}", expected.join(","));
            let specs = ["", if name.starts_with("big") { "answer_contains:x49" } else { &check_all }];
            for spec in specs {
                let result = check(probe(&url).dns_tcp(tcp_only).check(spec));
                assert!(result.ok, "{url} {spec}: {result:?}");
                let answers = &result.dns.expect("a response").answers;
                assert_eq!(answers[..], expected[..expected.len().min(10)], "{url}");
            }
        }
    }
    let result = check(probe(&format!("{server}/alias.example")));
    assert_eq!(result.detail, "192.0.2.1, 192.0.2.2");
    let result = check(probe(&format!("{server}/dangling.example?type=MX")));
    assert_eq!(result.detail, "no MX record: the name is an alias of a.example.");
    let result = check(probe(&format!("{server}/other?type=MX")));
    assert!(result.detail.starts_with("REFUSED: "), "{}", result.detail);
}

#[test]
fn a_daemon_reports_the_records_and_the_serial_number() {
    let Some(nsd) = Nsd::start(ZONE) else { return };
    let soa = format!("dns://127.0.0.1:{}/example?type=SOA", nsd.port);
    let none = format!("dns://127.0.0.1:{}/a.example?type=MX", nsd.port);
    let daemon = Daemon::start(&["--interval", "0.2", &soa, &none]);
    let text = eventually("both checks", || {
        let text = daemon.get("/status").1;
        (!text.contains("\"last_event\": null")).then_some(text)
    });
    let status: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let [zone, empty] = [0, 1].map(|index| &status["targets"][index]);
    let serial = "ns.example. admin\\.x.example. 2024049765 7200 3600 1209600 300";
    assert_eq!(
        (&zone["name"], &zone["probe"], &zone["last_detail"]),
        (&"example".into(), &soa.into(), &serial.into())
    );
    assert_eq!(zone["dns"], serde_json::json!({"rcode": "NOERROR", "answers": [serial]}));
    assert_eq!((&empty["error"], &empty["last_detail"]), (&"dns_answer".into(), &"no MX record".into()));
    assert_eq!(empty["dns"], serde_json::json!({"rcode": "NOERROR", "answers": []}));
    assert!(zone["phases_ms"]["first_byte"].is_number());
    let metrics = daemon.get("/metrics").1;
    assert!(metrics.contains("\npingstate_dns_soa_serial{target=\"example\"} 2024049765\n"), "{metrics}");
}
