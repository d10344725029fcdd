//! `/targets/NAME/history`, and the uptime in the snapshot.

use super::*;

/// The body of a 200.
fn body(targets: &Targets, path: &str, now: Now) -> Result<serde_json::Value, u16> {
    match reply(&request(Method::Get, path), targets, &access(), now) {
        Reply::Now(response) if response.status == 200 => Ok(serde_json::from_slice(&response.body).unwrap()),
        Reply::Now(response) => Err(response.status),
        other => panic!("{other:?}"),
    }
}

/// One target, up from 23:59:50 on, and down from 00:00:10 on. The time is 00:00:15.
fn recorded(days: u8) -> (Targets, Now) {
    let t0 = Now { unix: Duration::from_secs(1_738_195_200 - 10), ..test_now() };
    let mut targets = targets(&[("a", "")], t0);
    targets.record_history(days, t0);
    let id = targets.id(0);
    targets.fire(id, &ProbeResult::up(ms(10), "fine"), t0);
    targets.fire(id, &ProbeResult::up(ms(20), "fine"), t0.after(ms(11_000)));
    for second in [19, 20] {
        targets.fire(id, &ProbeResult::down(Reason::Refused, "refused"), t0.after(ms(second * 1000)));
    }
    (targets, t0.after(ms(25_000)))
}

#[test]
fn the_history_has_the_slots_with_data() {
    let (targets, now) = recorded(90);
    let history = body(&targets, "/targets/a/history", now).unwrap();
    let before = serde_json::json!({
        "start_ts": 1_738_193_400, "up_s": 10, "degraded_s": 0, "down_s": 0, "latency_ms": 10.0,
    });
    let after = |start| {
        serde_json::json!({
            "start_ts": start, "up_s": 9, "degraded_s": 1, "down_s": 5, "latency_ms": 20.03,
        })
    };
    assert_eq!(history["name"], "a");
    let mut first = history["half_hours"][0].clone();
    first["latency_ms"] = 10.0.into();
    assert_eq!(first, before);
    assert_eq!(history["half_hours"].as_array().map(Vec::len), Some(2));
    assert_eq!(history["days"].as_array().map(Vec::len), Some(2));
    for (key, start) in [("half_hours", 1_738_195_200), ("days", 1_738_195_200)] {
        let mut second = history[key][1].clone();
        let latency = second["latency_ms"].as_f64().unwrap();
        assert!((latency - 20.0).abs() < 0.1, "{latency}");
        second["latency_ms"] = 20.03.into();
        assert_eq!(second, after(start), "{key}");
    }
}

#[test]
fn the_uptime_is_the_last_key() {
    let (targets, now) = recorded(90);
    let Reply::Now(response) = reply(&request(Method::Get, "/targets/a"), &targets, &access(), now) else {
        panic!("no response");
    };
    let text = String::from_utf8(response.body.to_vec()).unwrap();
    let end =
        "  \"uptime\": {\n    \"24h\": 0.8,\n    \"7d\": 0.8,\n    \"30d\": 0.8,\n    \"90d\": 0.8\n  }\n}\n";
    assert!(text.ends_with(end), "{text}");
    let unchecked = super::targets(&[("a", "")], now);
    let mut recorded = super::targets(&[("a", "")], now);
    recorded.record_history(7, now);
    let uptime = |targets| body(targets, "/targets/a", now).unwrap().get("uptime").cloned();
    assert_eq!(uptime(&unchecked), None);
    assert_eq!(
        uptime(&recorded),
        Some(serde_json::json!({"24h": null, "7d": null, "30d": null, "90d": null}))
    );
}

#[test]
fn without_a_history_there_is_neither() {
    let (targets, now) = recorded(0);
    assert_eq!(body(&targets, "/targets/a/history", now), Err(404));
    assert!(body(&targets, "/targets/a", now).unwrap().get("uptime").is_none());
    assert_eq!(body(&targets, "/targets/b/history", now), Err(404));
}
