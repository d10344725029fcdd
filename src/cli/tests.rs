//! Valid and invalid command lines.

mod arguments;
mod conflicts;
mod generated;

use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use super::depends::Depends;
use super::log::LogFormat;
use super::options::{NotificationSettings, RequestFlags};
use super::*;
use crate::monitor::Notify;
use crate::network::{AddressFamily, Network};
use crate::probe::build::WebhookFormat;
use crate::probe::cert_days::CertDays;
use crate::probe::kinds::Kind;

fn command(args: &[&str]) -> Result<Command, Vec<String>> {
    let args: Vec<OsString> = ["pingstate"].iter().chain(args).map(Into::into).collect();
    parse(args.into_iter())
}

fn options(args: &[&str]) -> Options {
    match command(args) {
        Ok(Command::Run(options)) => *options,
        other => panic!("{args:?}: {other:?}"),
    }
}

/// The error of an invalid command line.
fn refusal(args: &[&str]) -> String {
    match command(args) {
        Err(errors) => {
            let [error] = &errors[..] else { panic!("{args:?}: {errors:?}") };
            assert!(!error.contains(|c: char| c.is_control()), "{args:?}: {error:?}");
            assert!(!error.is_empty() && error.len() < 400, "{args:?}: {error}");
            error.clone()
        }
        other => panic!("{args:?}: {other:?}"),
    }
}

fn parts(kind: Kind, address: &str, port: Option<u16>, path: &str) -> Vec<TargetSpec> {
    vec![TargetSpec::Parts { kind, address: address.into(), port, path: path.into() }]
}

fn targets(args: &[&str]) -> Vec<TargetSpec> {
    options(args).targets.into_iter().map(|options| options.target).collect()
}

fn settings(args: &[&str]) -> Settings {
    (*options(args).targets[0].settings).clone()
}

fn name(args: &[&str]) -> Option<String> {
    options(args).targets[0].name.clone()
}

#[test]
fn the_defaults_are_those_of_the_python_version() {
    let options = options(&[]);
    let api = SocketAddr::from(([127, 0, 0, 1], 8787));
    let (push, alive) = (RequestFlags::default(), RequestFlags::default());
    let (api_token_file, api_token_reads) = (None, false);
    assert_eq!(
        options.daemon,
        Daemon {
            api,
            api_allow_hosts: vec![],
            api_token_file,
            api_token_reads,
            api_page: true,
            api_frame: None,
            log_format: LogFormat::Auto,
            dns: vec![],
            history_days: 90,
            state_file: None,
            state_interval: Duration::from_secs(900),
            dns_hold: Duration::from_secs(30),
            push,
            alive
        }
    );
    assert_eq!((options.config, options.check_config, options.once), (None, false, false));
    let [target] = &options.targets[..] else { panic!("{:?}", options.targets) };
    assert_eq!(*target.settings, Settings::default());
    assert_eq!((&target.name, target.line), (&None, 0));
    assert_eq!(parts(Kind::Tcp, "1.1.1.1", None, "/")[0], target.target);
}

#[test]
fn every_flag_is_read() {
    let line = "--protocol https --address nas.lan --port 8443 --path /x?y=1 --check status:200-299,401 \
        --timeout 0.25 --no-verify-tls --interval 1.5 --api-host :: --api-port 0 --log-format journal --once --json --method HEAD \
        --max-body 1024 --name nas --no-redirect --dns 9.9.9.9 --dns [::1]:5353 --dns ::2 --dns 1.2.3.4:54 \
        --ca-file /etc/ca.pem --api-allow-host NAS.lan --api-allow-host [::2] --fall 3 --rise 4 --retries 2 \
        --retry-interval 0.5 --interval-down 60 --interval-fast 0.2 --slow 500 --slow-clear 1.5 --paused --depends router --depends switch \
        --interface wan2 --source ::3 --fwmark 0x10 --family 6 --dns-hold 1m \
        --hook-first --notify all --remind 1h --group my-nas --private \
        --webhook-format text --webhook-text-key content --webhook-header-file /etc/secret \
        --webhook HTTPS://h/x --hook-timeout 2.5 --cert-days 33% --pin sha256//x --pin y --tls-name n \
        --connect-to [::1]:2 --cert c.pem --key k.pem --basic-auth-file /etc/auth --header-file \
        /etc/headers --api-token-file /etc/token --api-token-reads --history-days 7 \
        --state-file /var/state --state-interval 1m --api-page off --api-frame https://home.example \
        --push-url http://h/y --push-interval 1m --push-header-file p --alive-url https://h/z --alive-interval 1";
    let mut args: Vec<&str> = line.split_whitespace().collect();
    args.extend([
        "--header",
        "X-One:  a b ",
        "--header",
        "x-one:",
        "--body-file",
        "unused",
        "--body",
        "a b",
        "--on-change",
        "/bin/tell 'the admin' \"\" #x",
    ]);
    let servers = ["9.9.9.9:53", "[::1]:5353", "[::2]:53", "1.2.3.4:54"].map(|s| s.parse().unwrap()).to_vec();
    let probe = crate::probe::build::Settings {
        checks: vec!["status:200-299,401".into()],
        timeout: Some(Duration::from_millis(250)),
        method: Some("HEAD".into()),
        headers: vec![("X-One".into(), "a b".into()), ("x-one".into(), String::new())],
        body: Some(b"a b".as_slice().into()),
        max_body: Some(1024),
        follow_redirects: Some(false),
        cert_days: Some(CertDays::Percent(33)),
        pins: vec!["sha256//x".into(), "y".into()],
        tls_name: Some("n".into()),
        connect_to: Some("[::1]:2".into()),
        network: Network {
            interface: Some("wan2".into()),
            source: Some("::3".parse().unwrap()),
            fwmark: Some(16),
            family: AddressFamily::V6,
            zone: None,
            servers: servers.clone(),
        },
        ..Default::default()
    };
    let settings = Settings {
        probe,
        retries: Some(2),
        retry_interval: Some(Duration::from_millis(500)),
        body_file: None,
        basic_auth_file: Some("/etc/auth".into()),
        header_file: Some("/etc/headers".into()),
        ca_file: Some("/etc/ca.pem".into()),
        ca_only: false,
        no_verify_tls: true,
        cert: Some("c.pem".into()),
        key: Some("k.pem".into()),
        grace: None,
        token_file: None,
        interval: Some(Duration::from_millis(1500)),
        interval_down: Some(Duration::from_secs(60)),
        interval_fast: Some(Duration::from_millis(200)),
        fall: Some(3),
        rise: Some(4),
        slow: Some(Duration::from_millis(500)),
        slow_clear: Some(Duration::from_micros(1500)),
        paused: true,
        depends: Depends { names: vec!["router".into(), "switch".into()], is_own: false },
        group: Some("my-nas".into()),
        private: true,
        notifications: NotificationSettings {
            on_change: Some(vec!["/bin/tell".into(), "the admin".into(), String::new()]),
            hook_timeout: Some(Duration::from_millis(2500)),
            hook_first: true,
            webhook: Some("HTTPS://h/x".into()),
            webhook_format: Some(WebhookFormat::Text),
            webhook_text_key: Some("content".into()),
            webhook_header_file: Some("/etc/secret".into()),
            notify: Some(Notify::All),
            remind: Some(Duration::from_secs(3600)),
        },
    };
    let target = TargetOptions {
        target: parts(Kind::Https, "nas.lan", Some(8443), "/x?y=1").remove(0),
        name: Some("nas".into()),
        settings: Rc::new(settings),
        line: 0,
    };
    let daemon = Daemon {
        api: "[::]:0".parse().unwrap(),
        api_allow_hosts: vec!["nas.lan".into(), "::2".into()],
        api_token_file: Some("/etc/token".into()),
        api_token_reads: true,
        api_page: false,
        api_frame: Some("https://home.example".into()),
        log_format: LogFormat::Journal,
        dns: servers,
        dns_hold: Duration::from_secs(60),
        history_days: 7,
        state_file: Some("/var/state".into()),
        state_interval: Duration::from_secs(60),
        push: RequestFlags {
            url: Some("http://h/y".into()),
            interval: Some(Duration::from_secs(60)),
            header_file: Some("p".into()),
            ca_file: Some("/etc/ca.pem".into()),
        },
        alive: RequestFlags {
            url: Some("https://h/z".into()),
            interval: Some(Duration::from_secs(1)),
            header_file: None,
            ca_file: Some("/etc/ca.pem".into()),
        },
    };
    let expected = Options {
        targets: vec![target],
        daemon,
        config: None,
        check_config: false,
        test_notify: false,
        once: true,
        json: true,
    };
    assert_eq!(options(&args), expected);
    let joined: Vec<String> =
        args.join("\n").replace("\n--", "\r--").split('\r').map(|arg| arg.replacen('\n', "=", 1)).collect();
    assert_eq!(options(&joined.iter().map(String::as_str).collect::<Vec<_>>()), expected, "{joined:?}");
}

#[test]
fn of_a_body_and_a_file_the_last_applies() {
    let file = settings(&["--protocol=http", "--body=x", "--body-file=f"]);
    assert_eq!((file.probe.body, file.body_file), (None, Some("f".into())));
    let large = format!("--body={}", "x".repeat(64 * 1024 + 1));
    assert_eq!(refusal(&["--protocol=http", &large]), "--body: is larger than 64 KiB");
}

#[test]
fn a_target_of_parts_has_the_port_of_its_protocol() {
    assert_eq!(targets(&["--protocol", "tcp"]), parts(Kind::Tcp, "1.1.1.1", None, "/"));
    assert_eq!(targets(&["--protocol", "http"]), parts(Kind::Http, "1.1.1.1", None, "/"));
    assert_eq!(targets(&["--protocol=HTTPS"]), parts(Kind::Https, "1.1.1.1", None, "/"));
    assert_eq!(targets(&["--address", "[::1]", "--port=22"]), parts(Kind::Tcp, "[::1]", Some(22), "/"));
}

#[test]
fn targets_are_accepted_between_flags_and_after_two_hyphens() {
    let url = |text: &str| TargetSpec::Url(text.into());
    assert_eq!(targets(&["tcp://a:1", "--once", "http://b"]), [url("tcp://a:1"), url("http://b")]);
    assert_eq!(targets(&["--", "-x", "--port"]), [url("-x"), url("--port")]);
    assert_eq!(name(&["--name", "n", "tcp://a:1"]).as_deref(), Some("n"));
    let many: Vec<String> = (0..=TARGETS_MAX).map(|i| format!("tcp://h{i}:1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(targets(&many[1..]).len(), TARGETS_MAX);
    assert_eq!(refusal(&many), "TARGET: at most 10000 are allowed");
}

#[test]
fn the_last_value_applies() {
    let args = ["--port", "1", "--interval=1", "--port", "2", "--interval", "3"];
    assert_eq!(targets(&args), parts(Kind::Tcp, "1.1.1.1", Some(2), "/"));
    assert_eq!(settings(&args).interval, Some(Duration::from_secs(3)));
}

#[test]
fn help_and_version_are_not_errors() {
    for args in [&["-h"][..], &["--help"], &["--once", "--help", "--nonsense"], &["-hV"]] {
        assert_eq!(command(args), Ok(Command::Help));
    }
    assert_eq!(command(&["-V"]), Ok(Command::Version));
    assert_eq!(command(&["--version"]), Ok(Command::Version));
    assert_eq!(VERSION, format!("pingstate {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn invalid_values_are_refused_with_the_name_of_their_flag() {
    for (flag, value, message) in [
        ("--ping-count", "21", "--ping-count: 21 is not between 1 and 20"),
        ("--ping-interval", "5 min", "--ping-interval: `5 min` is not a time, like 0.5, 200ms, 5s or 2m"),
        ("--ping-interval", "ms", "--ping-interval: `ms` is not a time, like 0.5, 200ms, 5s or 2m"),
        ("--ping-interval", "0ms", "--ping-interval: 0ms is not between 0.001 and 3600 seconds"),
        ("--ping-interval", "-1", "--ping-interval: -1 is not between 0.001 and 3600 seconds"),
        ("--ping-interval", "1d", "--ping-interval: 1d is not between 0.001 and 3600 seconds"),
        ("--ping-loss", "100%", "--ping-loss: 100 is not between 0 and 99"),
        ("--ping-ttl", "0", "--ping-ttl: 0 is not between 1 and 255"),
        ("--ping-size", "8", "--ping-size: 8 is not between 16 and 1400"),
        ("--protocol", "udp", "--protocol: `udp` is not tcp, http, https, tls, icmp, exec, dns or heartbeat"),
        ("--port", "70000", "--port: 70000 is not between 1 and 65535"),
        ("--port", "0", "--port: 0 is not between 1 and 65535"),
        ("--port", "-1", "--port: -1 is not between 1 and 65535"),
        ("--port", "99999999999999999999999", "is not between 1 and 65535"),
        ("--port", "8o", "--port: `8o` is not a whole number"),
        ("--port", "1.5", "not a whole number"),
        ("--port", "", "`` is not a whole number"),
        ("--api-port", "65536", "--api-port: 65536 is not between 0 and 65535"),
        ("--interval", "0", "--interval: 0 is not between 0.001 and 315360000 seconds"),
        ("--interval", "0.000", "is not between"),
        ("--interval", "0.0009", "is not between"),
        ("--interval", "-1", "--interval: -1 is not between 0.001 and 315360000 seconds"),
        ("--interval", "-0.5", "is not between"),
        ("--interval", "-.5", "is not between"),
        ("--interval", "NaN", "--interval: `NaN` is not a time, like 0.5, 200ms, 5s or 2m"),
        ("--interval", "-nan", "is not a time, like"),
        ("--interval", "inf", "is not a time, like"),
        ("--interval", "-inf", "is not a time, like"),
        ("--interval", "infinity", "is not a time, like"),
        ("--interval", "1e400", "is not a time, like"),
        ("--interval", "", "is not a time, like"),
        ("--interval", ".", "is not a time, like"),
        ("--interval", "+", "is not a time, like"),
        ("--interval", "--5", "--interval: missing value before `--5`"),
        ("--interval", "5sec", "is not a time, like"),
        ("--interval", "1,5", "is not a time, like"),
        ("--interval", "1.2.3", "is not a time, like"),
        ("--interval", "315360000.1", "is not between"),
        ("--interval", "18446744073709551616", "is not between"),
        ("--interval", "18446744073.709551616", "is not between"),
        ("--timeout", "0", "--timeout: 0 is not between 0.001 and 3600 seconds"),
        ("--timeout", "3601", "--timeout: 3601 is not between"),
        ("--timeout", "-2", "--timeout: -2 is not between"),
        ("--timeout", "two", "--timeout: `two` is not a time"),
        ("--max-body", "0", "--max-body: 0 is not between 1 and 16777216"),
        ("--max-body", "16777217", "is not between"),
        ("--send", "a\\q", "--send: `a\\q` has an unknown escape; there are: \\r \\n \\t \\\\ \\xHH"),
        ("--cert-days", "0", "--cert-days: 0 is not between 1 and 3650"),
        ("--cert-days", "3651", "--cert-days: 3651 is not between 1 and 3650"),
        ("--cert-days", "100%", "--cert-days: 100 is not between 1 and 99"),
        ("--cert-days", "%", "--cert-days: `` is not a whole number"),
        ("--cert-days", "14d", "--cert-days: `14d` is not a whole number"),
        ("--fall", "0", "--fall: 0 is not between 1 and 1000000"),
        ("--rise", "1000001", "--rise: 1000001 is not between"),
        ("--address", "", "--address: the value is empty"),
        ("--address", "a\nb", "--address: `a\\nb` contains a control character"),
        ("--path", "/a\r\nb", "--path: `/a\\r\\nb` contains a control character"),
        ("--path", "/a b", "--path: `/a b` contains a space (write %20)"),
        ("--path", "/ü", "--path: `/ü` contains non-ASCII characters"),
        ("--method", "", "--method: `` is not a method"),
        ("--method", "GET /", "--method: `GET /` is not a method"),
        ("--header", "novalue", "--header: `novalue` is not 'Name: value'"),
        ("--header", ": x", "is not 'Name: value'"),
        ("--header", "a b: x", "is not 'Name: value'"),
        ("--header", "a: x\r\nEvil: 1", "--header: `a: x\\r\\nEvil: 1` contains a control character"),
        ("--header", "a: x\x0by", "contains a control character"),
        ("--header", "a\t: x", "is not 'Name: value'"),
        ("--name", "", "--name: the value is empty"),
        ("--name", "a\x1b[2J", "--name: `a\\u{1b}[2J` contains a control character"),
        ("--ca-file", "", "--ca-file: the value is empty"),
        ("--api-host", "nas.lan", "--api-host: `nas.lan` is not an IP address"),
        ("--api-host", "", "--api-host: `` is not an IP address"),
        ("--api-host", "127.0.0.1:80", "is not an IP address"),
        ("--api-host", "[127.0.0.1]", "is not an IP address"),
        ("--dns", "dns.google", "--dns: `dns.google` is not ADDRESS[:PORT]"),
        ("--dns", "1.1.1.1:0", "--dns: port 0 in"),
        ("--dns", "1.1.1.1:70000", "is not ADDRESS[:PORT]"),
        ("--dns", "[::1]:", "is not ADDRESS[:PORT]"),
        ("--api-allow-host", "nas.lan:80", "--api-allow-host: `nas.lan:80` is not a host name"),
        ("--api-allow-host", "http://nas.lan", "is not a host name"),
        ("--api-allow-host", "", "is not a host name"),
        ("--api-allow-host", ".lan", "--api-allow-host: `.lan` is not a host name"),
    ] {
        let mut args = vec!["--protocol", "http", flag, value];
        assert!(refusal(&args).contains(message), "{args:?}: {}", refusal(&args));
        args.truncate(2);
        let joined = format!("{flag}={value}");
        args.push(&joined);
        let (error, message) = (refusal(&args), message.split(':').next().unwrap());
        assert!(
            error.starts_with(flag) && (error.contains(message) || message.is_empty()),
            "{args:?}: {error}"
        );
    }
    assert!(refusal(&["--name", &"x\n".repeat(9999)]).len() < 200, "errors are short");
}

#[test]
fn values_at_their_limits_are_accepted() {
    assert_eq!(settings(&["--interval", "0.001"]).interval, Some(Duration::from_millis(1)));
    assert_eq!(settings(&["--interval", "315360000"]).interval, Some(Duration::from_secs(315_360_000)));
    assert_eq!(settings(&["--interval", "+5.0"]).interval, None);
    assert_eq!(settings(&["--interval", ".5"]).interval, Some(Duration::from_millis(500)));
    assert_eq!(settings(&["--interval", "5."]).interval, None);
    assert_eq!(settings(&["--interval", "1.0000000019"]).interval, Some(Duration::from_nanos(1_000_000_001)));
    assert_eq!(settings(&["--timeout", "3600"]).probe.timeout, Some(Duration::from_secs(3600)));
    assert_eq!(settings(&["--protocol=http", "--max-body=16777216"]).probe.max_body, Some(16 << 20));
    for (text, limit) in [("14", CertDays::Days(14)), ("+33%", CertDays::Percent(33))] {
        assert_eq!(settings(&["--protocol=tls", "--cert-days", text]).probe.cert_days, Some(limit));
    }
    assert_eq!(settings(&["--protocol=http", "--header=A: b\tc"]).probe.headers[0].1, "b\tc");
    assert_eq!(options(&["--api-host", "LOCALHOST"]).daemon.api.to_string(), "127.0.0.1:8787");
    assert_eq!(options(&["--api-host", "[::1]", "--api-port", "1"]).daemon.api.to_string(), "[::1]:1");
    assert_eq!(settings(&["--check", ""]).probe.checks, [""]);
    assert_eq!(name(&["--name", "-"]).as_deref(), Some("-"));
    assert_eq!(name(&["--name=--once"]).as_deref(), Some("--once"));
}
