//! The targets of a home network in one file: each of them fails in two ways and recovers, and the log, `/status` and
//! `/metrics` state why.
#![cfg(all(feature = "tls", target_os = "linux"))]

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

use crate::common::net::{Namespace, must, run_in_namespace};
use crate::common::*;
use crate::https::{answer, server_config};
use crate::name_servers::Nsd;

const PLUGIN: &str = "/usr/lib/nagios/plugins/check_file_age";
const TOKEN: &str = "0123-4567-89ab-cdef";
const NAMES: [&str; 7] = ["router", "dns", "cert", "backup", "job", "api", "site"];

fn zone(record: &str) -> String {
    let serial = fs::read_to_string("/proc/uptime").expect("linux").replace('.', "");
    let serial = serial.split(' ').next().expect("a number");
    format!(
        "$ORIGIN example.\n@ 60 SOA ns hm {serial} 60 60 60 60\n@ 60 NS ns\nns 60 A 127.0.0.1\n{record}\n"
    )
}

/// A TLS server whose certificate can be replaced.
struct Site {
    server: Server,
    config: Arc<Mutex<Arc<rustls::ServerConfig>>>,
    ca: rcgen::Certificate,
    ca_key: KeyPair,
}

impl Site {
    fn start() -> Site {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca_key = KeyPair::generate().expect("a key");
        let ca = params.self_signed(&ca_key).expect("a certificate");
        let config = Arc::new(Mutex::new(Site::config(&ca, &ca_key, days(30))));
        let current = config.clone();
        let server = Server::start(move |stream| {
            let config = current.lock().expect("no panic").clone();
            answer(stream, config);
        });
        Site { server, config, ca, ca_key }
    }

    fn config(ca: &rcgen::Certificate, ca_key: &KeyPair, not_after: SystemTime) -> Arc<rustls::ServerConfig> {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
        params.not_before = rcgen::date_time_ymd(2019, 1, 1);
        params.not_after = not_after.into();
        let key = KeyPair::generate().expect("a key");
        server_config(&params.signed_by(&key, ca, ca_key).expect("a certificate"), &key)
    }

    fn renew(&self, not_after: SystemTime) {
        *self.config.lock().expect("no panic") = Site::config(&self.ca, &self.ca_key, not_after);
    }
}

/// In this number of days and an hour.
fn days(days: u64) -> SystemTime {
    #[allow(clippy::disallowed_methods)] // The daemon has the same clock.
    let now = SystemTime::now();
    now + Duration::from_secs(days * 24 * 3600 + 3600)
}

struct Observer {
    daemon: Daemon,
    lines: std::sync::mpsc::Receiver<String>,
    log: Vec<String>,
}

impl Observer {
    /// Waits for a line of the log that starts with this text.
    fn wait_for_line(&mut self, start: &str) {
        let start = format!("pingstate: {start}");
        eventually(&start, || {
            self.log.extend(self.lines.try_iter());
            self.log.iter().any(|line| line.starts_with(&start)).then_some(())
        });
    }

    /// Waits for this state of the target and a detail that starts with this text.
    fn wait_for(&self, target: &str, state: &str, detail: &str) {
        eventually(&format!("{target} {state} {detail}"), || {
            let (_, body) = self.daemon.get(&format!("/targets/{target}"));
            let json: serde_json::Value = serde_json::from_str(&body).expect("JSON");
            let text = |key: &str| json[key].as_str().unwrap_or_default();
            (text("state") == state && text("last_detail").starts_with(detail)).then_some(())
        });
    }

    fn metric(&self, series: &str) -> f64 {
        let metrics = self.daemon.get("/metrics").1;
        let value = metrics.lines().find_map(|line| line.strip_prefix(series)?.trim().parse().ok());
        value.unwrap_or_default()
    }
}

#[test]
fn every_target_of_a_home_network_fails_with_a_reason_and_recovers() {
    if !run_in_namespace("acceptance::every_target_of_a_home_network_fails_with_a_reason_and_recovers")
        || !has("nsenter", &["--version"])
    {
        return;
    }
    if !Path::new(PLUGIN).exists() {
        return missing("monitoring-plugins");
    }
    must("ip link set lo up");
    fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647").expect("permitted");
    let Some(nsd) = Nsd::start(&zone("nas 60 A 192.0.2.7")) else { return };
    let router = Namespace::new();
    must(&format!("ip link add v1 type veth peer name v2 netns {}", router.pid()));
    must("ip addr add 10.8.0.1/24 dev v1");
    must("ip link set v1 up");
    must("sysctl -qw net.ipv4.neigh.v1.retrans_time_ms=50");
    router.must("ip addr add 10.8.0.2/24 dev v2");
    router.must("ip link set v2 up");
    let site = Site::start();
    let (temperature, status) = (Arc::new(Mutex::new("{\"temp\": 41}")), Arc::new(Mutex::new("200 OK")));
    let (json, head) = (temperature.clone(), status.clone());
    let web = Server::start(move |mut stream| {
        let is_api = read_head(&stream).starts_with("GET /api ");
        let (head, body) = match is_api {
            true => ("200 OK", *json.lock().expect("no panic")),
            false => (*head.lock().expect("no panic"), "hello"),
        };
        let _ = stream.write_all(
            format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
                .as_bytes(),
        );
    });
    let dir = Path::new(env!("CARGO_TARGET_TMPDIR")).join("acceptance");
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("a directory");
    let path = |file: &str| dir.join(file).display().to_string();
    let dump = path("dump");
    fs::write(&dump, "backup").expect("written");
    fs::write(path("token"), TOKEN).expect("written");
    fs::set_permissions(path("token"), fs::Permissions::from_mode(0o600)).expect("set");
    fs::write(path("ca.pem"), site.ca.pem()).expect("written");
    let file = path("conf");
    let (dns, tls, web) = (nsd.port, site.server.address, web.address);
    let (ca, token) = (path("ca.pem"), path("token"));
    let text = format!(
        "--interval 0.2 --fall 1\n\
         router ping://10.8.0.2 --timeout 1\n\
         dns dns://127.0.0.1:{dns}/nas.example --check answer:192.0.2.7\n\
         cert tls://{tls} --ca-file {ca} --cert-days 14\n\
         backup \"exec:{PLUGIN} -w 3600 -c 7200 -f {dump}\"\n\
         job heartbeat: --interval 1 --grace 1 --token-file {token}\n\
         api http://{web}/api --check 'json:/temp < 80'\n\
         site http://{web}/\n"
    );
    fs::write(&file, text).expect("written");
    let mut daemon = Daemon::start(&["--config", &file]);
    let (works, ends, api) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicBool::new(false)), daemon.api);
    let (is_working, is_ending) = (works.clone(), ends.clone());
    let job = thread::spawn(move || {
        while !is_ending.load(Ordering::SeqCst) {
            if is_working.load(Ordering::SeqCst) {
                get(api, &format!("/heartbeat/{TOKEN}"));
            }
            #[allow(clippy::disallowed_methods)] // A job runs once in a while.
            thread::sleep(Duration::from_millis(200));
        }
    });
    let lines = daemon.stderr();
    let mut observer = Observer { daemon, lines, log: Vec::new() };
    for name in NAMES {
        observer.wait_for(name, "up", "");
    }

    // The first failure of each, at the same time.
    router.must("ip link set v2 down");
    nsd.reload(&zone("nas 60 A 192.0.2.9"));
    site.renew(days(4));
    fs::remove_file(&dump).expect("removed");
    works.store(false, Ordering::SeqCst);
    *temperature.lock().expect("no panic") = "{\"temp\": 91}";
    *status.lock().expect("no panic") = "500 Internal Server Error";
    observer.wait_for_line("router (icmp://10.8.0.2) is down: ");
    for line in [
        format!(
            "dns (dns://127.0.0.1:{dns}/nas.example?type=A) is down: the answer lacks 192.0.2.7; instead it has 192.0.2.9, "
        ),
        format!("cert (tls://{tls}) is degraded: TLS handshake ok, certificate expires in 4 days, "),
        format!("backup (exec:{PLUGIN}) is down: FILE_AGE CRITICAL: File not found - {dump}"),
        "job (heartbeat:) is down: no heartbeat for 2 s (was up for ".to_owned(),
        format!("api (http://{web}/api) is down: /temp is 91, not < 80, "),
        format!("site (http://{web}/) is down: HTTP 500, "),
    ] {
        observer.wait_for_line(&line);
    }
    let silent = "host unreachable: it, or the router to it, does not answer on the local network";
    observer.wait_for("router", "down", silent);
    for name in NAMES {
        assert_eq!(observer.metric(&format!("pingstate_up{{target=\"{name}\"}}")), 0.0, "{name}");
    }
    assert!(observer.daemon.get("/targets/cert").1.contains("\"warnings\": [\n    \"cert_soon\"\n  ]"));

    // Another failure of each.
    router.must("ip link set v2 up");
    router.must("sysctl -qw net.ipv4.icmp_echo_ignore_all=1");
    nsd.reload(&zone(""));
    site.renew(SystemTime::UNIX_EPOCH + Duration::from_secs(1_577_836_800));
    get(api, &format!("/heartbeat/{TOKEN}/fail?msg=disk%20full"));
    *temperature.lock().expect("no panic") = "{}";
    *status.lock().expect("no panic") = "404 Not Found";
    observer.wait_for_line(&format!(
        "cert (tls://{tls}) is down: TLS: certificate expired on Wed, 01 Jan 2020 00:00:00 GMT, "
    ));
    for (name, detail) in [
        ("router", "timed out after 1 s waiting for a reply from 10.8.0.2"),
        ("dns", "NXDOMAIN: the name does not exist"),
        ("api", "/temp is missing"),
        ("site", "HTTP 404"),
    ] {
        observer.wait_for(name, "down", detail);
    }

    // All recover.
    router.must("sysctl -qw net.ipv4.icmp_echo_ignore_all=0");
    nsd.reload(&zone("nas 60 A 192.0.2.7"));
    site.renew(days(30));
    fs::write(&dump, "backup").expect("written");
    works.store(true, Ordering::SeqCst);
    *temperature.lock().expect("no panic") = "{\"temp\": 41}";
    *status.lock().expect("no panic") = "200 OK";
    for name in NAMES {
        observer.wait_for(name, "up", "");
        let is_recovery = |line: &&String| {
            line.starts_with(&format!("pingstate: {name} ("))
                && line.contains(" is up: ")
                && line.contains(" (was down for ")
        };
        eventually("the line about a recovery", || {
            observer.log.extend(observer.lines.try_iter());
            observer.log.iter().find(is_recovery).map(|_| ())
        });
        assert_eq!(observer.metric(&format!("pingstate_up{{target=\"{name}\"}}")), 1.0, "{name}");
    }
    for (name, reasons) in [
        ("router", &["unreachable", "no_reply"][..]),
        ("dns", &["dns_answer", "dns_rcode"]),
        ("cert", &["tls_expired"]),
        ("backup", &["exec"]),
        ("job", &["no_heartbeat", "heartbeat_fail"]),
        ("api", &["json"]),
        ("site", &["status"]),
    ] {
        for reason in reasons {
            let series = format!("pingstate_failures_total{{target=\"{name}\",reason=\"{reason}\"}}");
            assert!(observer.metric(&series) >= 1.0, "{series}");
        }
    }
    println!("{}", observer.log.join("\n"));
    ends.store(true, Ordering::SeqCst);
    job.join().expect("no panic");
}
