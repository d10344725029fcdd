//! The page as text.

use std::time::Duration;

use super::*;
use crate::clock::test_now;
use crate::monitor::Monitor;
use crate::monitor::mute::Mute;
use crate::result::{ProbeResult, Reason};

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// Targets with these names and the results that the signs of `+` and `-` mean, one a second; `p` pauses.
fn targets(scripts: &[(&str, &str)], t0: Now) -> Targets {
    let monitors = scripts.iter().map(|(name, _)| Monitor::new(Mute(name.to_string().leak()))).collect();
    let mut targets = Targets::new(monitors, t0);
    for (index, (_, script)) in scripts.iter().enumerate() {
        let id = targets.id(index);
        for (second, sign) in (0..).zip(script.chars()) {
            let now = t0.after(ms(second * 1000));
            match sign {
                '+' => drop(targets.fire(id, &ProbeResult::up(ms(10 + second), "HTTP 200"), now)),
                '-' => drop(targets.fire(id, &ProbeResult::down(Reason::Refused, "refused <by> it"), now)),
                _ => drop(targets.pause(&[id], None, now)),
            }
        }
    }
    targets
}

fn html(targets: &Targets, now: Now) -> String {
    String::from_utf8(render(targets, now)).expect("UTF-8")
}

fn page(scripts: &[(&str, &str)]) -> String {
    let now = test_now();
    html(&targets(scripts, now), now.after(ms(60_000)))
}

/// The text between the first `start` after `from` and the next `end`.
fn between<'a>(html: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = html.split_once(start).unwrap_or_else(|| panic!("no {start} in {html}"));
    rest.split_once(end).expect("its end").0
}

#[test]
#[cfg(feature = "tls")]
fn the_policy_has_the_hashes_of_style_and_script() {
    use rustls::crypto::ring::cipher_suite::TLS13_AES_128_GCM_SHA256;
    let sha256 = TLS13_AES_128_GCM_SHA256.tls13().expect("of TLS 1.3").common.hash_provider;
    let hash = |text: &str| crate::wire::base64::encode(sha256.hash(text.as_bytes()).as_ref());
    assert_eq!(
        (STYLE_HASH, SCRIPT_HASH),
        (&*hash(STYLE), &*hash(SCRIPT)),
        "write these into src/api/page.rs"
    );
    let html = page(&[]);
    assert_eq!(between(&html, "<style>", "</style>"), STYLE);
    assert_eq!(between(&html, "<script>", "</script>"), SCRIPT);
}

#[test]
fn only_what_the_policy_permits_is_used() {
    let html = page(&[("a", "+-"), ("b", ""), ("c", "p"), ("d", "-")]);
    for forbidden in [" style=", " onclick", " onload", "http:", "https:", "src=", "href=\"/", "javascript:"]
    {
        let found = html.replace("http://www.w3.org/2000/svg", "").contains(forbidden);
        assert!(!found, "{forbidden}");
    }
    assert!(SCRIPT.lines().count() <= 25 && !STYLE.contains("url("));
    let fields = header_fields("");
    assert!(fields.contains("frame-ancestors 'self'\r\n") && fields.ends_with("\r\n"), "{fields}");
    assert!(header_fields("https://a.example").contains("frame-ancestors 'self' https://a.example\r\n"));
    assert!(header_fields("*").contains("frame-ancestors 'self' *\r\n"));
}

#[test]
fn the_headline_has_the_worst_state_and_the_counts() {
    for (scripts, class, text) in [
        (&[][..], "unknown", "○ no targets"),
        (&[("a", "")], "unknown", "○ unknown"),
        (&[("a", "+")], "up", "● up"),
        (&[("a", "p")], "paused", "‖ paused"),
        (&[("a", "+"), ("b", "+")], "up", "● all 2 up"),
        (&[("a", "p"), ("b", "p")], "paused", "‖ 2 of 2 paused"),
        (&[("a", "+"), ("b", "p")], "up", "● 1 of 2 up, 1 paused"),
        (&[("a", ""), ("b", "p"), ("c", "")], "unknown", "○ 2 of 3 unknown, 1 paused"),
        (
            &[("a", "+"), ("b", ""), ("c", "+-"), ("d", "-"), ("e", "p"), ("f", "-")],
            "down",
            "▼ 2 of 6 down, 1 degraded, 1 unknown, 1 paused",
        ),
    ] {
        let html = page(scripts);
        assert!(html.contains(&format!("<h1 class={class}><span role=status>{text}</span></h1>")), "{html}");
        assert!(html.contains(&format!("<title>{text} – pingstate</title>")), "{html}");
    }
    let icons = Shown::ALL.map(Shown::icon);
    assert!(icons.iter().enumerate().all(|(index, icon)| !icons[..index].contains(icon)));
    assert!(page(&[("a", "-"), ("b", "+")]).contains(&icons[0]));
}

#[test]
fn rows_are_ordered_by_severity_and_show_shape_and_word() {
    let html =
        page(&[("u1", "+"), ("p", "+p"), ("x", ""), ("g", "+-"), ("d2", "-"), ("u2", "+"), ("d1", "-")]);
    let names: Vec<_> = html.split("<bdi>").skip(1).map(|row| row.split('<').next()).collect();
    assert_eq!(names, ["d2", "d1", "g", "x", "p", "u1", "u2"].map(Some));
    for (class, symbol) in [("down", "▼"), ("degraded", "▲"), ("unknown", "○"), ("paused", "‖"), ("up", "●")]
    {
        let row = between(&html, &format!("<details class={class}>"), "</details>");
        assert!(row.contains(&format!("<span class=s>{symbol} {class}</span>")), "{row}");
    }
}

#[test]
fn a_row_has_the_facts_of_its_target() {
    let t0 = test_now();
    let mut targets = targets(&[("web", "+-"), ("new", "")], t0);
    let result = ProbeResult {
        latency: Some(Duration::from_micros(1234)),
        address: Some("[2001:db8::1]:443".parse().expect("an address")),
        tls_not_after: Some(t0.after(Duration::from_secs(10 * 86_400 + 100)).system_time()),
        ..ProbeResult::down(Reason::Status, "HTTP 500")
    };
    targets.fire(targets.id(0), &result, t0.after(ms(2000)));
    let html = html(&targets, t0.after(ms(92_000)));
    let row = between(&html, "<details class=down>", "</details>");
    assert!(row.contains("<span class=l>1.2 ms</span>"), "{row}");
    let facts =
        between(row, "<dl>", "</dl>").replace("<dt>", "\n").replace("<time>", "").replace("</time>", "");
    let expected = "
since<dd>2025-01-30T01:20:02Z, 1 m 30 s
last check<dd>2025-01-30T01:20:02Z: HTTP 500
address<dd>[2001:db8::1]:443
certificate<dd>valid until 2025-02-09T01:21:40Z, 10 days
URL<dd>web
changes<dd>2025-01-30T01:20:02Z ▼ down: HTTP 500<br>2025-01-30T01:20:01Z ▲ degraded: refused &lt;by&gt; it";
    assert_eq!(facts, expected);
    let row = between(&html, "<details class=unknown>", "</details>");
    assert!(row.contains("<span class=l>–</span></summary>"), "{row}");
    assert!(row.contains("<dt>last check<dd>none yet") && !row.contains("<dt>changes"), "{row}");
    let expired = ProbeResult { tls_not_after: Some(t0.system_time()), ..result };
    targets.fire(targets.id(0), &expired, t0.after(ms(3000)));
    let html = super::tests::html(&targets, t0.after(ms(3000)));
    assert!(html.contains("<dt>certificate<dd>expired <time>2025-01-30T01:20:00Z</time>"), "{html}");
}

#[test]
fn a_pause_has_its_end() {
    let t0 = test_now();
    let mut targets = targets(&[("a", "+")], t0);
    let id = targets.id(0);
    targets.pause(&[id], Some(t0.instant + Duration::from_secs(3600)), t0);
    let html = html(&targets, t0.after(ms(60_000)));
    assert!(html.contains("<dt>paused until<dd><time>2025-01-30T02:20:00Z</time>"), "{html}");
    assert!(page(&[("a", "p")]).contains("<dt>paused until<dd>it is resumed"));
}

#[test]
fn a_held_target_names_its_parents() {
    let t0 = test_now();
    let child = Monitor::new(Mute("nas")).depends_on("a<b").depends_on("c");
    let mut targets = Targets::new(vec![Monitor::new(Mute("a<b")), Monitor::new(Mute("c")), child], t0);
    let row = |targets: &Targets| between(&html(targets, t0), "<bdi>nas</bdi>", "</details>").to_owned();
    assert!(row(&targets).contains("<dt>depends on<dd>a&lt;b, c<dt>"), "{}", row(&targets));
    targets.hold(targets.id(2), &ProbeResult::down(Reason::Refused, "refused"), t0);
    let held = row(&targets);
    assert!(held.contains("○ unknown</span>") && held.contains("<small>held by a&lt;b</small>"), "{held}");
    targets.fire(targets.id(2), &ProbeResult::up(ms(1), "HTTP 200"), t0);
    assert!(!row(&targets).contains("held by"));
}

#[test]
fn private_targets_show_neither_where_they_are_nor_why_they_fail() {
    let t0 = test_now();
    let private = Monitor::new(Mute("nas")).private(true);
    let mut targets = Targets::new(vec![private, Monitor::new(Mute("web"))], t0);
    let address = Some("192.0.2.1:443".parse().expect("an address"));
    for index in 0..2 {
        let (id, failure) =
            (targets.id(index), ProbeResult::down(Reason::Refused, "refused by 192.0.2.1:443"));
        targets.fire(id, &ProbeResult::up(ms(1), "HTTP 200 of 192.0.2.1"), t0);
        targets.fire(id, &ProbeResult { address, ..failure }, t0);
    }
    let html = html(&targets, t0);
    let rows: Vec<&str> = html.split("<details ").skip(1).collect();
    assert!(
        rows[0].contains("<bdi>nas</bdi>") && rows[0].contains("<dt>changes") && rows[0].contains("degraded")
    );
    for fact in ["192.0.2.1", "refused", "<dt>URL", "<dt>address", "<small>"] {
        assert!(!rows[0].contains(fact) && rows[1].contains(fact), "{fact}: {html}");
    }
}

#[test]
fn names_and_details_cannot_become_markup() {
    let t0 = test_now();
    let names = [
        "Überwachung 日本語 עברית العربية ไทย 🦀",
        "<script>alert(1)</script>",
        "\"' onmouseover='alert(1)",
        "</bdi></summary></main>",
        "a & b &lt;",
        "nul\0 esc\u{1b}[2J",
    ];
    let mut targets = targets(&names.map(|name| (name, "")), t0);
    for (index, name) in names.iter().enumerate() {
        let id = targets.id(index);
        targets.fire(id, &ProbeResult::up(ms(1), name), t0);
        targets.fire(
            id,
            &ProbeResult { detail: (*name).to_owned(), ..ProbeResult::down(Reason::Body, "") },
            t0,
        );
    }
    let html = html(&targets, t0);
    let (plain, _) = html.split_once("<script>").expect("a script");
    assert_eq!(plain.matches("<details").count(), names.len());
    assert!(!plain.contains("<script>alert") && !plain.contains("onmouseover='"), "{plain}");
    assert!(!plain.contains(['\0', '\u{1b}']));
    for end in ["</bdi>", "</summary>", "</dl>", "</details>"] {
        assert_eq!(plain.matches(end).count(), names.len(), "{end}");
    }
    assert!(plain.contains("<bdi>Überwachung 日本語 עברית العربية ไทย 🦀</bdi>"));
    assert!(plain.contains("<bdi>&quot;&#39; onmouseover=&#39;alert(1)</bdi>"));
}

#[test]
fn groups_are_sections_with_the_worst_first() {
    let t0 = test_now();
    let member = |(name, group): (&'static str, &str)| match group {
        "" => Monitor::new(Mute(name)),
        group => Monitor::new(Mute(name)).group(group),
    };
    let members = [("a", "home"), ("b", ""), ("c", "<lab>"), ("d", "home"), ("e", "<lab>"), ("f", "")];
    let mut targets = Targets::new(members.map(member).into(), t0);
    for (index, ok) in [true, true, true, true, false, true].into_iter().enumerate() {
        let result = if ok { ProbeResult::up(ms(1), "") } else { ProbeResult::down(Reason::Refused, "") };
        targets.fire(targets.id(index), &result, t0);
    }
    let html = html(&targets, t0);
    let main = between(&html, "<main>", "</main>");
    let order: Vec<&str> = ["<h2>", "<bdi>"]
        .iter()
        .flat_map(|tag| main.match_indices(tag))
        .map(|(at, tag)| (at, main[at + tag.len()..].split('<').next().expect("text")))
        .collect::<std::collections::BTreeMap<_, _>>()
        .into_values()
        .collect();
    assert_eq!(order, ["&lt;lab&gt;", "e", "c", "home", "a", "d", "other targets", "b", "f"]);
    assert!(!page(&[("a", "+")]).contains("<h2>"));
}

/// The parts of a row that is up.
fn healthy_row(html: &str) -> Option<&str> {
    html.split("<details class=up>").nth(1)
}

#[test]
fn the_page_stays_small_with_many_targets() {
    let shell = page(&[]).len();
    assert!(shell <= 4096, "{shell}");
    for count in [1, 20, 200] {
        let (targets, now) = sample::targets(count);
        let html = html(&targets, now);
        assert!(html.len() <= 4096 + count * 1200, "{}", html.len());
        assert!(count != 20 || html.len() <= 30_000, "{}", html.len());
        assert_eq!(html.matches("<details").count(), count);
        let row = healthy_row(&html).expect("a target that is up");
        assert_eq!((row.matches("<svg class=p").count(), row.matches("<svg class=b").count() > 0), (1, true));
    }
}

#[test]
fn above_200_targets_healthy_ones_have_no_graphics() {
    let (targets, now) = sample::targets(201);
    let html = html(&targets, now);
    assert_eq!(html.matches("<details").count(), 201);
    let (failing, healthy) = html.split_once("<details class=up>").expect("a target that is up");
    assert!(
        !healthy.contains("<svg") && failing.contains("<svg class=p") && failing.contains("<svg class=b")
    );
}

#[test]
fn above_1000_targets_those_that_are_up_are_counted() {
    let (targets, now) = sample::targets(1000);
    assert_eq!(html(&targets, now).matches("<details").count(), 1000);
    for count in [1001, 10_000] {
        let t0 = test_now();
        let names: Vec<String> = (0..count).map(|index| index.to_string()).collect();
        let scripts = names.iter().map(|name| (name.as_str(), if name.ends_with("77") { "-" } else { "+" }));
        let targets = super::tests::targets(&scripts.collect::<Vec<_>>(), t0);
        let html = html(&targets, t0);
        let down = count / 100;
        assert_eq!((html.matches("<details").count(), html.matches("<bdi>77</bdi>").count()), (down, 1));
        let text = format!("<p>{} more are up and not listed</p></main>", count - down);
        assert!(html.contains(&text) && html.contains(&format!("▼ {down} of {count} down")), "{text}");
        assert!(html.len() <= 4096 + (down + 1) * 1200);
    }
}

#[test]
fn days_and_uptimes_are_those_of_the_history() {
    let t0 = test_now();
    let hour = |hours: u64| t0.after(Duration::from_secs(hours * 3600));
    let mut targets = targets(&[("a", "")], t0);
    assert!(!page(&[("a", "+")]).contains("svg class=b") && !page(&[("a", "+")]).contains("uptime"));
    targets.record_history(90, t0);
    let id = targets.id(0);
    let fire = |targets: &mut Targets, ok: bool, now: Now| {
        let result = if ok { ProbeResult::up(ms(1), "") } else { ProbeResult::down(Reason::Refused, "") };
        targets.fire(id, &result, now);
    };
    assert!(html(&targets, hour(1)).contains("aria-label=\"0 days: 0 down, 0 degraded\""));
    fire(&mut targets, true, hour(1));
    // Degraded for ten minutes on the second day, down for an hour on the third.
    fire(&mut targets, false, hour(30));
    fire(&mut targets, true, hour(30).after(Duration::from_secs(600)));
    fire(&mut targets, false, hour(50));
    fire(&mut targets, false, hour(50));
    fire(&mut targets, true, hour(51));
    let html = html(&targets, hour(80));
    assert!(html.contains("aria-label=\"4 days: 1 down, 1 degraded\""), "{html}");
    assert!(html.contains("<path d=\"M258 16h3M267 16h3\"/>"), "{html}");
    assert!(html.contains("<path class=g d=\"M261 16h3\"/><path class=d d=\"M264 16h3\"/>"), "{html}");
    assert!(html.contains("<dt>uptime<dd>24h 100 %, 7d 98.73 %, 30d 98.73 %, 90d 98.73 %"), "{html}");
}
