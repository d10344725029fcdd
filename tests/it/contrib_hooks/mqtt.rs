//! The script for MQTT, with the broker Mosquitto.

use std::io::{BufRead, BufReader};
use std::net::TcpStream;
use std::process::Child;
use std::sync::mpsc::{Receiver, channel};

use serde_json::{Value, json};

use super::*;

const BROKER: &str = "/usr/sbin/mosquitto";
const PASSWORD: &str = r#"a "secret\ #'"#;

struct Broker {
    child: Child,
    port: String,
    dir: PathBuf,
}

impl Broker {
    fn start(name: &str) -> Option<Broker> {
        // Their help ends with an error status.
        for program in ["mosquitto", "mosquitto_pub"] {
            let path = if program == "mosquitto" { BROKER } else { program };
            if Command::new(path).arg("--help").output().is_err() {
                missing(program);
                return None;
            }
        }
        let dir = directory(&format!("mqtt-{name}"));
        let port = closed_port().port().to_string();
        let passwords = dir.join("passwords").display().to_string();
        let made = Command::new("mosquitto_passwd").args(["-c", "-b", &passwords, "u", PASSWORD]).output();
        assert!(made.expect("runs").status.success());
        // Started by root, Mosquitto becomes another user, which must read them.
        fs::set_permissions(&passwords, fs::Permissions::from_mode(0o644)).expect("set");
        let config = dir.join("mosquitto.conf");
        let lines = format!(
            "listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\npersistence false\nuser root\n"
        );
        fs::write(&config, lines).expect("written");
        let mut command = Command::new(BROKER);
        command.arg("-c").arg(&config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let broker = Broker { child: command.spawn().expect("mosquitto starts"), port, dir };
        eventually("mosquitto listens", || TcpStream::connect(format!("127.0.0.1:{}", broker.port)).ok());
        broker.settings("settings", PASSWORD);
        Some(broker)
    }

    /// A directory with settings for the script.
    fn settings(&self, name: &str, password: &str) -> String {
        let dir = self.dir.join(name);
        fs::create_dir_all(&dir).expect("a directory");
        let lines = format!("-h 127.0.0.1\n-p {}\n-u u\n-P {password}\n", self.port);
        fs::write(dir.join("mosquitto_pub"), lines).expect("written");
        dir.display().to_string()
    }

    /// The messages that a new client gets, in order: retained or not, topic, payload.
    fn subscribe(&self) -> (Subscriber, Receiver<(bool, String, String)>) {
        let mut command = Command::new("mosquitto_sub");
        command.args(["-h", "127.0.0.1", "-p", &self.port, "-u", "u", "-P", PASSWORD, "-t", "#"]);
        let mut child = command.args(["-F", "%r %t %p"]).stdout(Stdio::piped()).spawn().expect("starts");
        let lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let mut words = line.splitn(3, ' ').map(str::to_owned);
                let mut next = || words.next().expect("a word");
                let _ = sender.send((next() == "1", next(), next()));
            }
        });
        (Subscriber(child), messages)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct Subscriber(Child);

impl Drop for Subscriber {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn next(messages: &Receiver<(bool, String, String)>) -> (bool, String, String) {
    messages.recv_timeout(PATIENCE).expect("a message")
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Checks what Home Assistant requires of a discovery message; returns ID and topic of the state.
fn check_discovery(topic: &str, payload: &str, name: &str) -> (String, String) {
    let id = topic.strip_prefix("homeassistant/binary_sensor/").and_then(|rest| rest.strip_suffix("/config"));
    let id = id.expect("a topic of discovery");
    let is_valid = id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    assert!(is_valid && !id.is_empty(), "{id}");
    let config = json(payload);
    let state_topic = config["state_topic"].as_str().expect("a topic").to_owned();
    assert!(!state_topic.contains(['+', '#']), "{state_topic}");
    let expected = json!({
        "name": name,
        "unique_id": id,
        "device_class": "connectivity",
        "state_topic": state_topic,
        "value_template": "{{ value_json.state }}",
        "json_attributes_topic": state_topic,
        "device": {"identifiers": ["pingstate"], "name": "pingstate"},
        "origin": {"name": "pingstate"},
    });
    assert_eq!(config, expected);
    (id.to_owned(), state_topic)
}

#[test]
fn home_assistant_discovers_each_target_and_its_state() {
    let Some(broker) = Broker::start("discovery") else { return };
    let settings = broker.settings("settings", PASSWORD);
    let states =
        [("up", "ON", "1.25"), ("degraded", "ON", ""), ("down", "OFF", "x"), ("unknown", "None", "")];
    let names = ["web", "we+b/#", "we b", "we_b", "büro \"1\"", "$SYS/x"];
    for shell in shells("discovery") {
        let mut ids = Vec::new();
        for (name, (text, (to, state, latency))) in
            names.iter().zip(HOSTILE.into_iter().zip(states.into_iter().cycle()))
        {
            let env = [
                ("PINGSTATE_TARGET", *name),
                ("PINGSTATE_TO", to),
                ("PINGSTATE_DETAIL", text),
                ("PINGSTATE_ERROR", "refused"),
                ("PINGSTATE_LATENCY_MS", latency),
            ];
            assert_eq!(shell.run(&["mqtt", &settings], &env), (0, String::new()));
            // Retained: Home Assistant may connect later.
            let (_subscriber, messages) = broker.subscribe();
            let mut all: Vec<_> = (0..2 * (ids.len() + 1)).map(|_| next(&messages)).collect();
            assert!(all.iter().all(|(is_retained, ..)| *is_retained), "{all:?}");
            all.retain(|(_, topic, payload)| {
                !ids.iter().any(|(id, state)| topic.contains(&format!("/{id}/")) || topic == state)
                    || payload.is_empty()
            });
            all.sort();
            let (_, topic, payload) = &all[0];
            let (id, state_topic) = check_discovery(topic, payload, name);
            assert_eq!(all[1].1, state_topic);
            let latency = latency.parse::<f64>().map_or(Value::Null, Value::from);
            let expected = json!({
                "state": state, "pingstate": to, "detail": line(text), "error": "refused", "latency_ms": latency,
            });
            assert_eq!(json(&all[1].2), expected);
            ids.push((id, state_topic));
        }
        let unique: std::collections::HashSet<_> = ids.iter().collect();
        assert_eq!(unique.len(), names.len(), "{ids:?}");
        for topic in ids
            .iter()
            .flat_map(|(id, state)| [format!("homeassistant/binary_sensor/{id}/config"), state.clone()])
        {
            let mut command = Command::new("mosquitto_pub");
            command.args(["-r", "-n", "-q", "1", "-t", &topic]).env("XDG_CONFIG_HOME", &settings);
            assert_eq!(run_to_end(command), (0, String::new()));
        }
    }
}

#[test]
fn a_test_message_changes_no_state() {
    let Some(broker) = Broker::start("test") else { return };
    let settings = broker.settings("settings", PASSWORD);
    for shell in shells("mqtt-test") {
        let (_subscriber, messages) = broker.subscribe();
        let env = [
            ("PINGSTATE_TEST", "1"),
            ("PINGSTATE_TARGET", "web"),
            ("PINGSTATE_TEXT", "hello"),
            ("MQTT_ID", "n"),
        ];
        // The subscription may begin after the first message.
        let message = eventually("a message", || {
            assert_eq!(shell.run(&["mqtt", &settings], &env), (0, String::new()));
            messages.try_recv().ok()
        });
        assert_eq!(message, (false, "n/test".to_owned(), "hello".to_owned()));
    }
    let (_subscriber, messages) = broker.subscribe();
    let mut command = Command::new("mosquitto_pub");
    command.args(["-q", "1", "-r", "-t", "last", "-m", "x"]).env("XDG_CONFIG_HOME", &settings);
    assert_eq!(run_to_end(command), (0, String::new()));
    assert_eq!(next(&messages).1, "last");
}

#[test]
fn mqtt_names_what_is_missing_or_refused_and_hides_the_password() {
    let Some(broker) = Broker::start("errors") else { return };
    let wrong = broker.settings("wrong", "wrong");
    let settings = broker.settings("settings", PASSWORD);
    for shell in shells("mqtt-errors") {
        let run = |env: &[(&str, &str)], dir: &str| shell.run(&["mqtt", dir], env);
        let (status, output) = run(&[], &wrong);
        assert!(status == 1 && output.starts_with("mqtt: ") && output.contains("not authorised"), "{output}");
        assert_eq!(output.lines().count(), 1, "{output}");
        let nowhere = "mqtt: cannot read /nowhere/mosquitto_pub\n";
        assert_eq!(run(&[], "/nowhere"), (1, nowhere.to_owned()));
        assert_eq!(run(&[("MQTT_ID", "a/b")], &settings).0, 1);
        let env =
            [("CREDENTIALS_DIRECTORY", &*settings), ("PINGSTATE_TARGET", "web"), ("PINGSTATE_TO", "up")];
        assert_eq!(shell.run(&["mqtt"], &env), (0, String::new()));
    }
    if has("strace", &["-f", "true"]) {
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-e", "trace=execve", "-s", "65536", "sh", &hook("mqtt"), &settings]);
        let (status, trace) = run_to_end(command);
        assert!(status == 0 && trace.contains(r#""mosquitto_pub""#) && !trace.contains("secret"), "{trace}");
    }
    let dir = broker.dir.clone();
    drop(broker);
    for shell in shells("mqtt-stopped") {
        let (status, output) = shell.run(&["mqtt", dir.join("settings").to_str().expect("text")], &[]);
        assert_eq!((status, &*output), (1, "mqtt: Error: Connection refused\n"));
    }
}

#[test]
fn the_daemon_reports_a_failure_and_the_recovery_by_mqtt() {
    let Some(broker) = Broker::start("daemon") else { return };
    let settings = broker.settings("settings", PASSWORD);
    let (_subscriber, messages) = broker.subscribe();
    fail_and_recover(&["--on-change", &format!("{} {settings}", hook("mqtt"))], &[], || {
        loop {
            let (_, topic, payload) = next(&messages);
            match topic == "pingstate/web/state" {
                true => break json(&payload)["pingstate"].as_str().expect("a state").to_owned(),
                false => assert_eq!(check_discovery(&topic, &payload, "web").0, "pingstate_web"),
            }
        }
    });
}
