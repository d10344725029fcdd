//! The rules, the configurations and the dashboard of `contrib`: checked by promtool and amtool, and evaluated by
//! Debian's Prometheus and Alertmanager with the data of three daemons, one of which pushes to VictoriaMetrics.
#![cfg(feature = "tls")]

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use crate::common::*;
use crate::https::{answer, server_config};
use crate::push::Receiver;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const RULES: &str = include_str!("../../contrib/prometheus/pingstate.rules.yml");
const PROMETHEUS: &str = include_str!("../../contrib/prometheus/prometheus.yml");
const ALERTMANAGER: &str = include_str!("../../contrib/alertmanager/alertmanager.yml");
const DASHBOARD: &str = include_str!("../../contrib/grafana/pingstate.json");

fn directory(name: &str) -> PathBuf {
    let dir = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("prometheus-{name}"));
    let _ = fs::remove_dir_all(&dir);
    fs::create_dir_all(&dir).expect("a directory");
    dir
}

fn write(dir: &Path, name: &str, text: &str) -> String {
    let file = dir.join(name);
    fs::write(&file, text).expect("written");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).expect("set");
    file.display().to_string()
}

/// Replaces each text, which must be there.
fn replaced(text: &str, pairs: &[(&str, &str)]) -> String {
    pairs.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from} is not in {text}");
        text.replace(from, to)
    })
}

fn assert_succeeds(program: &str, args: &[&str]) {
    let output = Command::new(program).args(args).output().expect("runs");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && !text.contains("FAILED"), "{program} {args:?}: {text}");
}

#[test]
fn promtool_and_amtool_accept_the_files_and_the_unit_tests_of_the_rules_pass() {
    let file = |name: &str| format!("{}/contrib/{name}", env!("CARGO_MANIFEST_DIR"));
    if has("promtool", &["--version"]) {
        let rules = file("prometheus/pingstate.rules.yml");
        assert_succeeds("promtool", &["check", "rules", "--lint-fatal", &rules]);
        assert_succeeds("promtool", &["test", "rules", &file("prometheus/pingstate.test.yml")]);
        let dir = directory("check");
        let config = replaced(PROMETHEUS, &[("/etc/prometheus/pingstate.rules.yml", &rules)]);
        assert_succeeds("promtool", &["check", "config", &write(&dir, "prometheus.yml", &config)]);
    }
    if has("amtool", &["--version"]) {
        let config = file("alertmanager/alertmanager.yml");
        assert_succeeds("amtool", &["check-config", &config]);
        let receiver = ["config", "routes", "test", "--verify.receivers=admin", "severity=warning"];
        assert_succeeds("amtool", &[&receiver[..], &["--config.file", &config]].concat());
    }
}

/// `NAME TARGET`, or `NAME INSTANCE`.
fn name(alert: &serde_json::Value) -> String {
    let labels = &alert["labels"];
    let subject = labels["target"].as_str().or(labels["instance"].as_str()).expect("a subject");
    format!("{} {subject}", labels["alertname"].as_str().expect("a name"))
}

fn names(alerts: &str) -> BTreeSet<String> {
    json(alerts).as_array().expect("alerts").iter().map(name).collect()
}

/// What the webhook of Alertmanager received: the alerts that are firing, and all that ever were.
#[derive(Clone, Default)]
struct Alerts(Arc<Mutex<(BTreeSet<String>, BTreeSet<String>)>>);

impl Alerts {
    fn receive(&self, notification: &[u8]) {
        let json: serde_json::Value = serde_json::from_slice(notification).expect("JSON");
        let mut alerts = self.0.lock().expect("no panic");
        for alert in json["alerts"].as_array().expect("alerts") {
            let name = name(alert);
            if alert["status"] == "firing" {
                alerts.0.insert(name.clone());
                alerts.1.insert(name);
            } else {
                alerts.0.remove(&name);
            }
        }
    }

    fn server(&self) -> Server {
        let alerts = self.clone();
        Server::start(move |mut stream| {
            let head = read_head(&stream).to_ascii_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let Some(length) = length.and_then(|length| length.parse().ok()) else { return };
            let mut body = vec![0; length];
            stream.read_exact(&mut body).expect("a body");
            alerts.receive(&body);
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        })
    }

    /// Waits until exactly these are firing; no others may have been, apart from those of before.
    fn expect(&self, expected: &[&str], before: &[&str]) {
        let expected: BTreeSet<String> = expected.iter().map(|name| (*name).to_owned()).collect();
        eventually(&format!("{expected:?}"), || {
            let alerts = self.0.lock().expect("no panic");
            let unexpected = |name: &&String| !expected.contains(*name) && !before.contains(&&***name);
            assert_eq!(alerts.1.iter().find(unexpected), None, "{expected:?}");
            (alerts.0 == expected).then_some(())
        });
    }
}

/// The number of samples that an expression returns.
fn samples(prometheus: &Receiver, expression: &str) -> usize {
    let query: String = expression.bytes().map(|byte| format!("%{byte:02x}")).collect();
    let json = json(&prometheus.get(&format!("/api/v1/query?query={query}")));
    json["data"]["result"].as_array().expect("a result").len()
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("JSON")
}

fn expressions(dashboard: &serde_json::Value) -> Vec<String> {
    let panels = dashboard["panels"].as_array().expect("panels");
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().expect("targets"));
    targets.map(|target| target["expr"].as_str().expect("an expression").to_owned()).collect()
}

/// A TLS server whose certificate expires in a week.
fn expiring() -> Server {
    let mut params = rcgen::CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
    #[allow(clippy::disallowed_methods)] // Tests live in real time.
    let now = SystemTime::now();
    params.not_after = (now + Duration::from_secs(7 * 86_400)).into();
    let key = rcgen::KeyPair::generate().expect("a key");
    let certificate = params.self_signed(&key).expect("a certificate");
    let config = server_config(&certificate, &key);
    Server::start(move |stream| answer(stream, config.clone()))
}

#[test]
fn exactly_the_expected_alerts_of_three_daemons_arrive_and_every_expression_returns_data() {
    let programs = ["prometheus", "prometheus-alertmanager"].map(|program| has(program, &["--version"]));
    let dir = directory("alerts");
    let path = |name: &str| dir.join(name).display().to_string();
    let arguments = ["-httpListenAddr=ADDRESS", "-storageDataPath=DIRECTORY", "-memory.allowedBytes=64MiB"];
    let victoria = Receiver::start("victoria-metrics", "-version", &arguments);
    let Some(victoria) = victoria.filter(|_| programs == [true, true]) else { return };

    // Each daemon reaches "web" in its own way, as from different places.
    let mut webs = [0; 3].map(|_| Some(Server::answering(OK)));
    let urls = webs.each_ref().map(|web| web.as_ref().expect("running").url("http"));
    let options = "--interval 0.2 --fall 1 --rise 1";
    let mail = expiring();
    let gateway = Server::answering(OK);
    let token = write(&dir, "token", "0123-4567-89ab-cdef\n");
    let first = format!(
        "{options}\nweb {}\ngateway {}\nslow {} --slow 0.01\nmail https://localhost:{}/ --no-verify-tls --cert-days 14\n\
         backup heartbeat: --interval 0.2 --grace 100ms --token-file {token}\n",
        urls[0],
        gateway.url("http"),
        urls[1],
        mail.address.port()
    );
    let push = format!(
        "{options} --push-interval 1 --push-url http://{}/api/v1/import/prometheus?extra_label=instance=garage",
        victoria.address
    );
    let configs = [first, format!("{options}\nweb {}\n", urls[1]), format!("{push}\nweb {}\n", urls[2])];
    let start = |(index, config): (usize, &String)| {
        Daemon::start(&["--config", &write(&dir, &format!("{index}.conf"), config)])
    };
    let mut daemons: Vec<Daemon> = configs.iter().enumerate().map(start).collect();
    let second = daemons[1].api.to_string();
    webs[0] = None;

    let alerts = Alerts::default();
    let webhook = alerts.server();
    let delays = [("group_wait: 30s", "group_wait: 1s"), ("group_wait: 5m", "group_wait: 1s")];
    let interval = ("group_interval: 5m", "group_interval: 1s");
    let address = webhook.address.to_string();
    let config = replaced(ALERTMANAGER, &[&delays[..], &[interval, ("localhost:9000", &address)]].concat());
    let file = format!("--config.file={}", write(&dir, "alertmanager.yml", &config));
    let args =
        [&file, "--storage.path=DIRECTORY", "--web.listen-address=ADDRESS", "--cluster.listen-address="];
    let alertmanager = Receiver::start("prometheus-alertmanager", "--version", &args).expect("installed");

    let waits = ["1m", "2m", "5m", "10m"].map(|wait| format!("        for: {wait}\n"));
    let waits: Vec<_> = waits.iter().map(|wait| (&**wait, "        for: 2s\n")).collect();
    write(&dir, "pingstate.rules.yml", &replaced(RULES, &waits));
    let targets = format!(r#"[{{"targets": ["{}", "{second}"]}}]"#, daemons[0].api);
    write(&dir, "pingstate.json", &targets);
    let config = replaced(
        PROMETHEUS,
        &[
            ("scrape_interval: 30s", "scrape_interval: 1s"),
            ("evaluation_interval: 30s", "evaluation_interval: 1s"),
            ("[/etc/prometheus/pingstate.rules.yml]", &format!("[{}]", path("pingstate.rules.yml"))),
            ("[/etc/prometheus/pingstate.json]", &format!("[{}]", path("pingstate.json"))),
            ("localhost:9093", &alertmanager.address.to_string()),
            ("victoria.lan:8428']", &format!("{}']", victoria.address)),
        ],
    );
    let file = format!("--config.file={}", write(&dir, "prometheus.yml", &config));
    let args = [
        &file,
        "--storage.tsdb.path=DIRECTORY",
        "--web.listen-address=ADDRESS",
        "--rules.alert.resend-delay=1s",
    ];
    let prometheus = Receiver::start("prometheus", "--version", &args).expect("installed");

    let backup = "PingstateHeartbeatMissing backup";
    // It is also degraded, which is inhibited.
    let mail = "PingstateCertificateExpires mail";
    let slow = "PingstateTargetDegraded slow";
    let partly = "PingstateTargetPartlyDown web";
    let down = "PingstateTargetDown web";
    alerts.expect(&[backup, mail, slow, partly], &[]);
    // The majority is that of one which is scraped and the one which pushes.
    webs[2] = None;
    alerts.expect(&[backup, mail, slow, down], &[partly]);
    drop(daemons.remove(1));
    let absent = format!("PingstateDaemonAbsent {second}");
    alerts.expect(&[backup, mail, slow, down, &absent], &[partly]);

    // An alert that was received is an expression that returned data.
    let groups = json(&prometheus.get("/api/v1/rules"));
    let rules = groups["data"]["groups"][0]["rules"].as_array().expect("rules");
    let received = alerts.0.lock().expect("no panic").1.clone();
    for rule in rules {
        let name = rule["name"].as_str().expect("a name");
        let is_received = received.iter().any(|alert| alert.starts_with(&format!("{name} ")));
        assert!(is_received || samples(&prometheus, name) > 0, "{name} has no data");
    }
    assert_eq!(rules.len(), RULES.matches("expr:").count());
    for expression in expressions(&json(DASHBOARD)) {
        let query = expression.replace("$target", "web|mail|backup").replace("$instance", ".*");
        let query = query.replace("$__range", "1m").replace("$__rate_interval", "1m");
        eventually(&expression, || (samples(&prometheus, &query) > 0).then_some(()));
    }
    let query = r#"count(pingstate_up{target="web",job="pingstate-pushed",instance="garage"}) == 1"#;
    assert_eq!(samples(&prometheus, query), 1);

    webs[0] =
        Some(Server::start_at(urls[0][7..].trim_end_matches('/').parse().expect("an address"), |stream| {
            read_head(&stream);
            let _ = (&stream).write_all(OK.as_bytes());
        }));
    alerts.expect(&[backup, mail, slow, partly, &absent], &[down]);

    drop(gateway);
    eventually("the alerts inhibited by that for the gateway", || {
        let inhibited = names(&alertmanager.get("/api/v2/alerts?active=false&inhibited=true"));
        let expected = [backup, "PingstateTargetDegraded mail", slow, partly].map(str::to_owned);
        (inhibited == expected.into()).then_some(())
    });
    let active = names(&alertmanager.get("/api/v2/alerts?active=true&inhibited=false"));
    let expected = [mail, "PingstateTargetDown gateway", &absent].map(str::to_owned);
    assert_eq!(active, expected.into());
}

#[test]
fn the_dashboard_takes_its_data_source_from_a_variable_and_its_panels_do_not_overlap() {
    let dashboard = json(DASHBOARD);
    let variables = dashboard["templating"]["list"].as_array().expect("variables");
    assert_eq!((&variables[0]["name"], &variables[0]["type"]), (&"datasource".into(), &"datasource".into()));
    assert_eq!(
        DASHBOARD.matches("\"uid\": ").count(),
        DASHBOARD.matches("\"uid\": \"${datasource}\"").count() + 1
    );
    let number = |panel: &serde_json::Value, key: &str| panel["gridPos"][key].as_u64().expect("a number");
    let mut cells = BTreeSet::new();
    let mut ids = BTreeSet::new();
    for panel in dashboard["panels"].as_array().expect("panels") {
        assert!(ids.insert(panel["id"].as_u64()), "{panel}");
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| number(panel, key));
        assert!(x + w <= 24, "{panel}");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(cells.insert(cell), "{panel}");
        }
    }
}
