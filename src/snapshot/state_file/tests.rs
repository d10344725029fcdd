//! Lines of the state file: every value, every prefix, every bit.

use super::*;

fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn saved() -> Saved {
    let mut warnings = ProbeWarnings::default();
    warnings.insert(ProbeWarning::Slow);
    warnings.insert(ProbeWarning::Loss);
    let slots = |count: u64| (0..count).map(|index| Slot::from_bits(index << 40 | index)).collect();
    Saved {
        name: "web ü 100%\n".to_owned(),
        settings: u64::MAX,
        unix: Duration::from_millis(1_795_377_152_471),
        fsm: SavedFsm {
            state: State::Degraded,
            age: Duration::from_millis(86_400_001),
            policy_state: State::Up,
            warnings,
            checks: [1, (1 << 53) - 1],
            failures: vec![(Reason::Refused, 3), (Reason::Status, 4)],
            changes_to: [0, 1, 2, 3],
            time_in: [s(1), s(2), s(3), Duration::from_millis(4)],
            latency_sum: Duration::from_micros(987_654_321),
            latencies: 42,
        },
        notified: State::Down,
        reminders: Some((7, s(60))),
        pause: SavedPause::Rest(s(3600)),
        heartbeat: Some(SavedHeartbeat { age: s(5), rest: s(6) }),
        history: Some(SavedHistory {
            half_hours: SavedRing { newest: 997_432, latency_sum_us: 12, latency_count: 2, slots: slots(48) },
            days: SavedRing { newest: 20_780, latency_sum_us: 0, latency_count: 0, slots: slots(90) },
        }),
    }
}

/// As a new target is saved.
fn fresh() -> Saved {
    let full = saved();
    let empty = SavedRing::default();
    Saved {
        name: "web".to_owned(),
        settings: 0,
        fsm: SavedFsm {
            state: State::Unknown,
            age: Duration::ZERO,
            policy_state: State::Unknown,
            warnings: ProbeWarnings::default(),
            checks: [0; 2],
            failures: Vec::new(),
            changes_to: [0; 4],
            time_in: [Duration::ZERO; 4],
            latency_sum: Duration::ZERO,
            latencies: 0,
        },
        notified: State::Unknown,
        reminders: None,
        pause: SavedPause::UntilResumed,
        heartbeat: None,
        history: Some(SavedHistory { half_hours: empty.clone(), days: empty }),
        ..full
    }
}

fn line(saved: &Saved) -> Vec<u8> {
    let mut out = Vec::new();
    write_target(&mut out, saved);
    assert_eq!(out.pop(), Some(b'\n'));
    assert!(!out.contains(&b'\n'), "one line");
    out
}

#[test]
fn a_target_is_read_as_it_was_written() {
    let paused = |pause| Saved { pause, history: None, ..saved() };
    for saved in [saved(), fresh(), paused(SavedPause::None), paused(SavedPause::UntilResumed)] {
        let line = line(&saved);
        assert!(line.len() <= 2000, "{}", line.len());
        assert_eq!(parse_target(&line).as_ref(), Some(&saved), "{}", String::from_utf8_lossy(&line));
    }
}

#[test]
fn the_lines_are_those_of_the_format() {
    let text = String::from_utf8(line(&fresh())).unwrap();
    assert_eq!(
        text,
        "5ac78259 web 0 1795377152471 unknown 0 unknown - 0,0 - 0,0,0,0 0,0,0,0 0 0 unknown - until_resumed - 0:0:0: 0:0:0:"
    );
    let text = String::from_utf8(line(&saved())).unwrap();
    let start = " web%20ü%20100%25%0a 18446744073709551615 1795377152471 degraded 86400001 up slow,loss \
                 1,9007199254740991 refused:3,status:4 0,1,2,3 1000,2000,3000,4 987654321 42 down 7,60000 3600000 5000,6000 \
                 997432:12:2:AAAAAAAAAAABAAAAAAEAAA";
    assert!(text[8..].starts_with(start), "{text}");
    let mut header = Vec::new();
    write_header(&mut header, Header { unix: Duration::from_millis(1_795_377_152_471), targets: 2 });
    assert_eq!(String::from_utf8(header).unwrap(), "db6bc880 pingstate-state 1 1795377152471 2\n");
}

#[test]
fn prefixes_and_flipped_bits_are_invalid() {
    let mut header = Vec::new();
    write_header(&mut header, Header { unix: s(5), targets: 2 });
    header.pop();
    for saved in [saved(), fresh()] {
        let line = line(&saved);
        for end in 0..line.len() {
            assert_eq!(parse_target(&line[..end]), None);
        }
        for bit in 0..8 * line.len() {
            let mut flipped = line.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            // The checksum may be written in capital letters.
            let parsed = parse_target(&flipped);
            assert!(parsed.is_none() || parsed.as_ref() == Some(&saved), "bit {bit}");
        }
    }
    for end in 0..header.len() {
        assert_eq!(parse_header(&header[..end]), Err(InvalidHeader::Broken));
    }
}

#[test]
fn headers_of_other_versions_and_files_are_recognised() {
    let parse = |payload: &str| parse_header(&with_sum(payload));
    assert_eq!(parse("pingstate-state 1 5000 2"), Ok(Header { unix: s(5), targets: 2 }));
    assert_eq!(parse("pingstate-state 1 5000 2 more"), Ok(Header { unix: s(5), targets: 2 }));
    assert_eq!(parse("pingstate-state 2 what ever"), Err(InvalidHeader::Version(2)));
    assert_eq!(parse("pingstate-state 0 5000 2"), Err(InvalidHeader::Version(0)));
    for broken in [
        "",
        "pingstate-state",
        "pingstate-state 1",
        "pingstate-state 1 5",
        "pingstate-state 1 -5 2",
        "x 1 5 2",
    ] {
        assert_eq!(parse(broken), Err(InvalidHeader::Broken), "{broken}");
    }
    assert_eq!(parse_header(b"web https://nas.lan"), Err(InvalidHeader::Broken));
    assert_eq!(parse_header(&[0xff; 100]), Err(InvalidHeader::Broken));
}

#[test]
fn invalid_fields_make_a_line_invalid() {
    let text = String::from_utf8(line(&saved())).unwrap();
    let fields: Vec<&str> = text.split(' ').skip(1).collect();
    let replaced = |index: usize, field: &str| {
        let mut fields = fields.clone();
        fields[index] = field;
        parse_target(&with_sum(&fields.join(" ")))
    };
    assert!(replaced(0, "other").is_some());
    let long = format!("1:1:1:{}", base64::encode(&[0; 129 * 8]));
    for (index, field) in [
        (0, "%"),
        (0, "%2"),
        (0, "%ff"),
        (0, "%2é"),
        (1, "-1"),
        (1, "18446744073709551616"),
        (2, "253402300800000"),
        (3, "gone"),
        (4, "+1"),
        (4, ""),
        (6, "hot"),
        (7, "1"),
        (7, "1,2,3"),
        (7, "1,9007199254740992"),
        (8, "refused:9007199254740992"),
        (12, "9007199254740992"),
        (8, "refused"),
        (8, "refused:x"),
        (8, "status:4,refused:3"),
        (8, "unheard:3"),
        (14, "1"),
        (14, "4294967296,1"),
        (15, "never"),
        (16, "1"),
        (17, "1:1:1"),
        (17, "4294967296:1:1:"),
        (17, "1:1:1:AAAA"),
        (17, "1:1:1:!"),
        (18, &long),
    ] {
        assert_eq!(replaced(index, field), None, "{index}: {field}");
    }
    assert_eq!(parse_target(&with_sum(&fields[..18].join(" "))), None);
    assert!(parse_target(&with_sum(&[&fields.join(" "), " more"].concat())).is_some());
    assert_eq!(parse_target(&vec![b' '; LINE_MAX + 1]), None);
}
