//! Targets with a long history, for tests.

use std::time::Duration;

use crate::clock::{Now, test_now};
use crate::monitor::mute::Mute;
use crate::monitor::{Monitor, Targets};
use crate::result::{ProbeResult, Reason};

const DAY_S: u64 = 86_400;

/// Targets with 90 days of history at the returned time. Every tenth one is down, another degraded, a third one paused;
/// 5 % of the days have an outage.
pub(crate) fn targets(count: usize) -> (Targets, Now) {
    let t0 = test_now();
    let names = ["web", "git server", "nas", "router", "mail", "backup", "日本", "db"];
    let monitors = (0..count).map(|index| {
        let name = format!("{} {}", names[index % names.len()], index);
        Monitor::new(Mute(name.leak()))
    });
    let mut targets = Targets::new(monitors.collect(), t0);
    targets.record_history(90, t0);
    let ids: Vec<_> = targets.ids().collect();
    let end = t0.after(Duration::from_secs(89 * DAY_S + 50_000));
    for (index, id) in ids.iter().enumerate() {
        let mut seed = index as u64 * 7919 + 17;
        let mut random = |below: u64| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (seed >> 33) % below
        };
        for day in 0..89 {
            let now = t0.after(Duration::from_secs(day * DAY_S + 50_000));
            targets.fire(*id, &up(random(20)), now);
            if random(20) == 0 {
                let outage = now.after(Duration::from_secs(100));
                targets.fire(*id, &down(), outage);
                targets.fire(*id, &down(), outage.after(Duration::from_secs(5)));
                targets.fire(*id, &up(9), outage.after(Duration::from_secs(600 + random(3000))));
            }
        }
        for check in 1..=25 {
            let now = Now { ..t0.after(Duration::from_secs(89 * DAY_S + 50_000 - 5 * (26 - check))) };
            let result = if random(15) == 0 { down() } else { up(random(20)) };
            targets.fire(*id, &result, now);
        }
        let last = t0.after(Duration::from_secs(89 * DAY_S + 49_999));
        let results: &[bool] = match index % 10 {
            3 => &[false, false],
            6 => &[true, false],
            _ => &[true],
        };
        for ok in results {
            targets.fire(*id, &if *ok { up(12) } else { down() }, last);
        }
        if index % 10 == 8 {
            targets.pause(&[*id], Some(end.instant + Duration::from_secs(3600)), last);
        }
    }
    (targets, end)
}

fn up(ms: u64) -> ProbeResult {
    let result = ProbeResult::up(Duration::from_micros(9_870 + ms * 1000), "HTTP 200");
    ProbeResult {
        address: Some("192.0.2.117:443".parse().expect("an address")),
        tls_not_after: Some(test_now().after(Duration::from_secs(160 * DAY_S)).system_time()),
        ..result
    }
}

fn down() -> ProbeResult {
    ProbeResult::down(Reason::Refused, "connection refused by 192.0.2.117:443")
}
