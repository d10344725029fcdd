//! The list of endpoints as its clients read it, and targets with the same key.

use std::fs;

use crate::common::*;
use crate::control::directory;

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// What the integration of Home Assistant (gatus-api 1.0.3 to 1.2.0, and its first version, which read the response
/// itself) and the widget of Homepage take from each endpoint.
#[test]
fn clients_of_gatus_find_all_that_they_read() {
    let (server, conf) = (Server::answering(OK), directory("gatus").join("conf"));
    let file = format!(
        "--interval 0.1\nHome.Page {} --group 'My Lab'\nclosed tcp://{}\nnever tcp://127.0.0.1:1 --paused\n",
        server.url("http"),
        closed_port()
    );
    fs::write(&conf, file).expect("written");
    let daemon = Daemon::start(&["--config", &conf.display().to_string()]);
    eventually("checks", || (daemon.get("/status").1.matches("\"event\"").count() >= 6).then_some(()));
    let (status, head, body) = get(daemon.api, "/api/v1/endpoints/statuses");
    assert_eq!(status, 200);
    // aiohttp refuses to parse other types.
    assert!(head.contains("\r\nContent-Type: application/json\r\n"), "{head}");
    let list: serde_json::Value = serde_json::from_str(&body).expect("JSON");
    let list = list.as_array().expect("a list");
    assert_eq!(list.len(), 2, "the paused target has no result");
    for (endpoint, (key, name, group)) in
        list.iter().zip([("my-lab_home-page", "Home.Page", Some("My Lab")), ("_closed", "closed", None)])
    {
        assert_eq!((&endpoint["key"], &endpoint["name"]), (&key.into(), &name.into()));
        assert_eq!(endpoint.get("group").and_then(serde_json::Value::as_str), group);
        let results = endpoint["results"].as_array().expect("a list");
        assert!(!results.is_empty() && results.len() <= 20);
        for result in results {
            assert_eq!(result["success"].as_bool(), Some(group.is_some()));
            assert!(result["duration"].is_u64() && result["hostname"] == "127.0.0.1", "{result}");
            assert_eq!(result["timestamp"].as_str().map(str::len), Some("2026-11-29T13:51:09.250Z".len()));
            assert_eq!(result.get("errors").is_some(), group.is_none(), "{result}");
        }
        let times: Vec<_> = results.iter().map(|result| result["timestamp"].as_str()).collect();
        assert!(times.is_sorted(), "the newest one is last");
        let last = results.last().expect("one");
        assert_eq!(last.get("status").and_then(serde_json::Value::as_u64), group.map(|_| 200));
        let one: serde_json::Value =
            serde_json::from_str(&daemon.get(&format!("/api/v1/endpoints/{key}/statuses")).1).expect("JSON");
        assert_eq!((&one["key"], &one["name"]), (&key.into(), &name.into()));
    }
    for path in ["/api/v1/endpoints/_never/statuses", "/api/v1/endpoints/statuses/", "/api/v1/endpoints"] {
        assert_eq!(daemon.get(path).0, 404, "{path}");
    }
}

#[test]
fn targets_with_the_same_key_are_refused_at_start_and_reload() {
    let conf = directory("keys").join("conf");
    let path = conf.display().to_string();
    let error = "the names \"nas.lan\" and \"NAS-lan\" have the same key \"_nas-lan\" in the API of Gatus";
    fs::write(&conf, "nas.lan tcp://127.0.0.1:1\nother tcp://127.0.0.1:2\nNAS-lan tcp://127.0.0.1:3\n")
        .expect("written");
    let output = pingstate().args(["--config", &path, "--check-config"]).output().expect("runs");
    assert_eq!(output.status.code(), Some(2));
    assert_eq!(String::from_utf8_lossy(&output.stderr), format!("pingstate: {path}:3: {error}\n"));
    fs::write(&conf, "nas.lan tcp://127.0.0.1:1\nNAS-lan tcp://127.0.0.1:3 --group other\n")
        .expect("written");
    let daemon = Daemon::start(&["--config", &path]);
    fs::write(&conf, "nas.lan tcp://127.0.0.1:1\nNAS-lan tcp://127.0.0.1:3\n").expect("written");
    daemon.signal("-HUP");
    let line = eventually("the reload", || Some(daemon.next_line()).filter(|line| line.contains("reload")));
    assert!(line.ends_with(&format!("{path}:2: {error}")), "{line}");
    let urls = ["http://127.0.0.1:1/a_b", "http://127.0.0.1:1/a-b"];
    let output = pingstate().args(urls).output().expect("runs");
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains(" have the same key "), "{output:?}");
}
