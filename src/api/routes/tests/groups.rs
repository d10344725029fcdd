//! Groups, and listings without the checks.

use super::*;

fn grouped_targets(t0: Now) -> Targets {
    grouped(
        &[
            ("a", "+", "net"),
            ("b", "+--", "web & co"),
            ("c", "+", "web & co"),
            ("d", "-", ""),
            ("e", "", "net"),
        ],
        t0,
    )
}

fn json(targets: &Targets, path: &str, now: Now) -> serde_json::Value {
    let response = get(targets, path, now);
    assert_eq!((response.status, response.content_type), (200, JSON), "{path}");
    serde_json::from_slice(&response.body).expect("JSON")
}

#[test]
fn a_group_has_the_worst_state_of_its_targets() {
    let mut targets = grouped_targets(test_now());
    assert_eq!(said(&targets, "/groups/net/state"), text(200, "unknown\n"));
    assert_eq!(said(&targets, "/groups/net/healthz"), text(503, "unknown\n"));
    assert_eq!(said(&targets, "/groups/web%20%26%20co/state"), text(200, "down\n"));
    assert_eq!(said(&targets, "/groups/web%20%26%20co/healthz"), text(503, "down\n"));
    targets.pause(&[targets.id(1), targets.id(4)], None, test_now());
    assert_eq!(said(&targets, "/groups/web%20&%20co/state"), text(200, "up\n"), "a paused one is left out");
    assert_eq!(said(&targets, "/groups/net/healthz"), text(200, "ok\n"));
    targets.pause(&[targets.id(0)], None, test_now());
    assert_eq!(said(&targets, "/groups/net/state"), text(200, "unknown\n"), "all are paused");
    for path in [
        "/groups",
        "/groups/",
        "/groups/a",
        "/groups/NET/state",
        "/groups/net/",
        "/groups/web%20",
        "/groups/net/x",
    ] {
        assert_eq!(said(&targets, path), text(404, "not found\n"), "{path}");
    }
}

#[test]
fn a_group_is_listed_like_all_targets() {
    let now = test_now();
    let mut targets = grouped_targets(now);
    targets.pause(&[targets.id(2)], None, test_now());
    let all = json(&targets, "/status", now);
    let group = json(&targets, "/groups/web%20%26%20co", now);
    let keys =
        |value: &serde_json::Value| value.as_object().expect("an object").keys().cloned().collect::<Vec<_>>();
    assert_eq!(keys(&group), keys(&all));
    assert_eq!(group["state"], "down");
    let counts = serde_json::json!({"unknown": 0, "up": 0, "degraded": 0, "down": 1, "paused": 1});
    assert_eq!(group["counts"], counts);
    assert_eq!(
        group["targets"].as_array().expect("a list")[..],
        all["targets"].as_array().expect("a list")[1..3]
    );
    assert_eq!(all["targets"][1]["group"], "web & co");
    assert!(all["targets"][3]["group"].is_null());
    let net = json(&targets, "/groups/net", now);
    assert_eq!(net["targets"][1]["name"], "e");
    // One target is no exception.
    let mut one = grouped(&[("web", "+", "x")], test_now());
    assert_eq!(json(&one, "/groups/x", now)["counts"]["up"], 1);
    assert_eq!(json(&one, "/status", now)["name"], "web");
    one.is_list = true;
    assert_eq!(keys(&json(&one, "/status", now)), keys(&all));
    assert_eq!(json(&one, "/", now)["targets"][0], json(&one, "/targets/web", now));
}

#[test]
fn listings_can_be_without_the_checks() {
    let now = test_now();
    let targets = grouped_targets(now);
    let single = grouped(&[("a", "+", "net")], test_now());
    for (targets, path) in [
        (&targets, "/status"),
        (&targets, "/"),
        (&targets, "/groups/net"),
        (&targets, "/targets/a"),
        (&single, "/"),
        (&single, "/groups/net"),
    ] {
        let without_checks = |mut value: serde_json::Value| {
            let remove =
                |target: &mut serde_json::Value| target.as_object_mut().and_then(|map| map.remove("recent"));
            match value.get_mut("targets").and_then(serde_json::Value::as_array_mut) {
                Some(list) => assert!(list.iter_mut().all(|target| remove(target).is_some())),
                None => assert!(remove(&mut value).is_some()),
            }
            value
        };
        let all = without_checks(json(targets, path, now));
        assert_eq!(json(targets, &format!("{path}?recent=0"), now), all, "{path}");
        assert_eq!(without_checks(json(targets, &format!("{path}?recent=1"), now)), all, "{path}");
        assert_eq!(said(targets, &format!("{path}?recent=no")), text(400, "recent must be 0 or 1\n"));
    }
}

/// It does not depend on whether the target was checked.
#[test]
fn the_time_since_a_state_began_is_in_seconds_since_1970() {
    let t0 = test_now();
    let targets = grouped_targets(t0);
    let now = t0.after(ms(5250));
    for (path, since) in
        [("/targets/b", 1_738_200_002.0), ("/targets/e", 1_738_200_000.0), ("/targets/c", 1_738_200_000.0)]
    {
        let value = json(&targets, path, now);
        assert_eq!(value["since_ts"], since, "{path}");
    }
}
