//! The examples of `contrib` for nginx and Home Assistant, with the real daemon.
#![cfg(feature = "tls")]

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::common::*;
use crate::control::{directory, token_file};
use crate::proxies::Proxy;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const TOKEN: &str = "0123456789abcdef";
const NGINX: &str = include_str!("../../contrib/nginx/pingstate.conf");
const HOME_ASSISTANT: &str = include_str!("../../contrib/home-assistant/pingstate.yaml");

/// The example as the only site of a server that the test starts.
const AROUND: &str = "daemon off; master_process off; pid DIR/pid; error_log stderr;
events {}
http {
    access_log off;
    client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi;
    uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
    EXAMPLE
}
";

fn replaced(text: &str, pairs: &[(&str, &str)]) -> String {
    pairs.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "{from} is not in {text}");
        text.replace(from, to)
    })
}

#[test]
fn the_site_of_nginx_passes_streams_and_keeps_the_token_in_force() {
    if !has("nginx", &["-v"]) || !has("curl", &["--version"]) {
        return;
    }
    let dir = directory("nginx-site");
    let key = rcgen::KeyPair::generate().expect("a key");
    let params = rcgen::CertificateParams::new(vec!["status.example.com".to_owned()]).expect("a name");
    let certificate = params.self_signed(&key).expect("a certificate");
    let [pem, private] =
        [("site.pem", certificate.pem()), ("site.key", key.serialize_pem())].map(|(name, text)| {
            fs::write(dir.join(name), text).expect("written");
            dir.join(name).display().to_string()
        });
    let server = Server::answering(OK);
    let token = token_file(&dir, TOKEN);
    let allowed = ["--api-allow-host", "status.example.com", "--api-token-file", &token];
    let daemon =
        Daemon::start(&[&allowed[..], &["--interval", "0.2", "--name", "web", &server.url("http")]].concat());
    daemon.wait_for_state("up");
    let comments: Vec<_> = NGINX.lines().filter(|line| !line.trim_start().starts_with('#')).collect();
    let example = replaced(
        &comments.join("\n"),
        &[
            ("listen 443 ssl;", "listen ADDRESS ssl;"),
            ("listen [::]:443 ssl;", ""),
            ("/etc/letsencrypt/live/status.example.com/fullchain.pem", &pem),
            ("/etc/letsencrypt/live/status.example.com/privkey.pem", &private),
            ("127.0.0.1:8787", "API"),
        ],
    );
    let config = AROUND.replace("EXAMPLE", &example);
    let path = dir.display().to_string();
    let tested = config
        .replace("ADDRESS", &closed_port().to_string())
        .replace("API", "127.0.0.1:1")
        .replace("DIR", &path);
    fs::write(dir.join("config"), tested).expect("written");
    let output = Command::new("nginx").args(["-t", "-p", &path, "-c", &format!("{path}/config")]).output();
    let text = String::from_utf8(output.expect("runs").stderr).expect("text");
    assert!(text.ends_with("test is successful\n") && !text.contains("[warn]"), "{text}");
    let nginx = Proxy::start("nginx", daemon.api, &config, &["-p", "DIR", "-c", "FILE"]);
    let origin = format!("https://status.example.com:{}", nginx.address.port());
    let resolve = format!("status.example.com:{}:127.0.0.1", nginx.address.port());
    let curl = |path: &str, args: &[&str]| {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-m", "20", "--cacert", &pem, "--resolve", &resolve, &format!("{origin}{path}")]);
        curl.args(args).stdin(Stdio::null());
        curl
    };
    let ask = |path: &str, args: &[&str]| {
        let output = curl(path, &[args, &["-w", " %{http_code}"]].concat()).output().expect("runs");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).replace('\n', "")
    };
    assert_eq!(ask("/state", &[]), "up 200");
    assert_eq!(ask("/wait?state=up&timeout=5", &[]), "up 200");
    assert!(ask("/metrics", &[]).ends_with(" 200"));

    let authorization = format!("Authorization: Bearer {TOKEN}");
    let post = |path: &str, args: &[&str]| ask(path, &[&["-X", "POST"], args].concat());
    assert!(post("/check", &[]).ends_with(" 401"));
    assert!(post("/check", &["-H", "Authorization: Bearer 0123456789abcdee"]).ends_with(" 401"));
    assert!(post("/check", &["-H", &authorization]).ends_with(" 202"));
    let page = |origin: &str| post("/check", &["-H", &authorization, "-H", &format!("Origin: {origin}")]);
    assert!(page("https://evil.example").ends_with(" 403"));
    assert!(page(&origin).ends_with(" 202"));

    let mut stream = curl("/events?checks=1", &["-N"]).stdout(Stdio::piped()).spawn().expect("runs");
    let lines = BufReader::new(stream.stdout.take().expect("piped")).lines();
    let events = lines.map_while(Result::ok).filter(|line| line.starts_with("event: check")).take(3);
    assert_eq!(events.count(), 3, "while the response continues");
    let _ = stream.kill();
    let _ = stream.wait();
}

/// Renders the templates as Home Assistant does, and pauses the target with its command.
const RENDER: &str = r#"
import json, sys, urllib.request, jinja2, yaml
yaml.SafeLoader.add_constructor("!secret", lambda loader, node: "Bearer " + sys.argv[2])
config = yaml.safe_load(sys.stdin)
render = lambda text, **values: jinja2.Template(text).render(**values)
for rest in config["rest"]:
    value = json.load(urllib.request.urlopen(rest["resource"]))
    for kind in "sensor", "binary_sensor":
        for sensor in rest[kind]:
            print(sensor["unique_id"], render(sensor["value_template"], value_json=value))
command = config["rest_command"]["pingstate_pause"]
request = urllib.request.Request(render(command["url"], target=sys.argv[1]), method=command["method"].upper(),
    headers=command["headers"])
print(urllib.request.urlopen(request).status)
"#;

#[test]
fn the_templates_of_home_assistant_match_the_responses() {
    if !has("python3", &["-c", "import jinja2, yaml"]) {
        return;
    }
    let dir = directory("home-assistant");
    let server = Server::answering(OK);
    let token = token_file(&dir, TOKEN);
    let conf = dir.join("conf");
    let text = format!("--interval 0.2 --fall 1\nweb {}\nnas tcp://{}\n", server.url("http"), closed_port());
    fs::write(&conf, text).expect("written");
    let args = ["--api-token-file", &token, "--config", conf.to_str().expect("text")];
    let daemon = Daemon::start(&args);
    eventually("both states", || daemon.get("/status").1.contains("\"unknown\": 0").then_some(()));
    let config = replaced(HOME_ASSISTANT, &[("nas.lan:8787", &daemon.api.to_string())]);
    fs::write(dir.join("pingstate.yaml"), config).expect("written");
    let run = || {
        let input = fs::File::open(dir.join("pingstate.yaml")).expect("written above");
        let output = Command::new("python3").args(["-c", RENDER, "web", TOKEN]).stdin(input).output();
        let output = output.expect("runs");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    };
    let text = run();
    let latency = text.lines().find_map(|line| line.strip_prefix("pingstate_web_latency "));
    assert!(latency.and_then(|ms| ms.parse().ok()).is_some_and(|ms: f64| ms > 0.0), "{text}");
    let expected = [
        "pingstate down",
        "pingstate_down 1",
        "pingstate_web True",
        "pingstate_web_detail HTTP 200",
        "pingstate_web_problem False",
        "200",
    ];
    let lines: Vec<_> = text.lines().filter(|line| !line.contains("latency")).collect();
    assert_eq!(lines, expected);
    assert!(daemon.get("/targets/web").1.contains("\"state\": \"unknown\""), "it is paused");
    let text = run();
    assert!(text.contains("pingstate_web False\n"), "{text}");
}
