//! Lines of the state file.

use super::Source;
use crate::clock::test_now;
use crate::monitor::{Monitor, Targets, Window};
use crate::probe::blocking::blocking;
use crate::snapshot::View;
use crate::snapshot::state_file::{parse_header, parse_target, with_sum, write_header, write_target};

/// A header, preceded by its length in one byte, and a target, both without their checksums: what is read is written in the
/// same way, and a target that continues from it has a valid state. With their checksums missing or wrong, both are invalid.
pub fn state_file(data: &[u8]) {
    let mut source = Source::new(data);
    let (header, target) = (source.piece(), source.rest());
    assert!(parse_target(target).is_none() || target.len() > 9);
    if let Ok(header) = parse_header(&with_sum(&String::from_utf8_lossy(header))) {
        let mut line = Vec::new();
        write_header(&mut line, header);
        assert_eq!(parse_header(&line[..line.len() - 1]), Ok(header));
    }
    let Some(saved) = parse_target(&with_sum(&String::from_utf8_lossy(target))) else { return };
    let mut line = Vec::new();
    write_target(&mut line, &saved);
    assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
    assert_eq!(parse_target(&line[..line.len() - 1]).as_ref(), Some(&saved));

    let now = test_now();
    let monitor = Monitor::new(blocking(saved.name.clone(), || true)).settings(saved.settings);
    let mut targets = Targets::new(vec![monitor], now);
    targets.record_history(90, now);
    let mut expected = 7;
    targets.restore(saved, &mut expected, now);
    let later = now.after(std::time::Duration::from_secs(3000));
    for now in [now, later] {
        let target = &targets.list()[0];
        let history = target.history().expect("recorded");
        assert!(history.days(now).all(|slot| slot.known_s() <= 86_400));
        assert!(history.half_hours(now).all(|slot| slot.known_s() <= 1800));
        assert!(Window::ALL.iter().all(|window| history.uptime(*window, now) <= Some(10_000)));
        let _ = View::of_target(target, now).to_snapshot().to_json();
        targets.save(0, now);
    }
}
