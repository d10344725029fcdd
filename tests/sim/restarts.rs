//! A daemon that restarts from its own state file: after a stop or a crash, with a damaged file, while the clock is set and
//! targets are paused and replaced. A model knows how long each target was in each state.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use super::rng::Rng;
use crate::api::host::HostGuard;
use crate::clock::{Now, test_now};
use crate::engine::limits::Shares;
use crate::engine::{Engine, Output, Schedule};
use crate::fsm::State;
use crate::monitor::{History, Monitor, TargetUpdate};
use crate::probe::{self, Attempt, Probe};
use crate::resolve::Resolver;
use crate::result::{ProbeResult, ProbeWarning, Reason};
use crate::snapshot::state_file::{parse_header, parse_target};

const TARGETS: usize = 4;
const SECOND: u64 = 1_000_000_000;

/// Up, degraded or down, as the shared number says; a check ends at once.
struct Scripted(String, Arc<AtomicU8>);

impl Probe for Scripted {
    fn name(&self) -> &str {
        &self.0
    }
    fn timeout(&self) -> Duration {
        Duration::from_secs(1)
    }
    fn begin(&self, _now: Now) -> Box<dyn Attempt> {
        let mut result = ProbeResult::up(Duration::from_millis(3), "fine");
        match self.1.load(Ordering::Relaxed) {
            0 => {}
            1 => result.warn(ProbeWarning::Plugin, "warned"),
            _ => result = ProbeResult::down(Reason::Refused, "refused"),
        }
        Box::new(Ended(VecDeque::from([probe::Output::Done(result)])))
    }
}

struct Ended(VecDeque<probe::Output>);

impl Attempt for Ended {
    fn handle_input(&mut self, _: probe::Input<'_>, _: Now) {}
    fn poll_output(&mut self) -> Option<probe::Output> {
        self.0.pop_front()
    }
}

/// What is measured of a target.
#[derive(Clone, Default)]
struct Measured {
    settings: u64,
    /// By [`State::index`].
    time: [Duration; 4],
    /// By UTC day, the known time.
    days: BTreeMap<u64, Duration>,
    /// Restarts, after each of which a fraction of a second is lost.
    restarts: u64,
    transitions: u64,
    /// The state from before a restart, until the first check.
    awaited: Option<State>,
}

struct World {
    rng: Rng,
    engine: Engine,
    now: Now,
    scripts: Vec<Arc<AtomicU8>>,
    models: Vec<Measured>,
    is_stepped: bool,
    file: Vec<u8>,
    /// The models when the file was written.
    saved: Vec<Measured>,
    restarts: u64,
    lost: u64,
}

impl World {
    fn new(seed: u64) -> World {
        let rng = Rng::new(seed ^ 0x57a7e);
        let now = test_now();
        let scripts: Vec<_> = (0..TARGETS).map(|_| Arc::new(AtomicU8::new(0))).collect();
        let models = vec![Measured::default(); TARGETS];
        let engine = engine(&scripts, &models, now);
        let (file, saved) = (Vec::new(), models.clone());
        World { rng, engine, now, scripts, models, is_stepped: false, file, saved, restarts: 0, lost: 0 }
    }

    fn run(&mut self) {
        self.engine.record_history(90, self.now);
        self.engine.attach_state_file(Duration::from_secs(900), self.now);
        for _ in 0..60 {
            self.act();
            let span = self.rng.pick(&[300, 5_000, 70_000, 4_000_000, 100_000_000]);
            let span = self.rng.below(span) + 1;
            self.pass(Duration::from_millis(span));
            self.compare();
        }
    }

    fn act(&mut self) {
        let target = self.rng.index(TARGETS);
        let id = self.engine.targets().id(target);
        match self.rng.below(12) {
            0..=4 => self.scripts[target].store(self.rng.below(3) as u8, Ordering::Relaxed),
            5 => {
                let span = Duration::from_secs(self.rng.below(10_000) + 1);
                self.engine.pause(id, Some(span), self.now);
            }
            6 => self.engine.resume(id, self.now),
            7 => self.set_clock(),
            8 => self.reload(target),
            9 => {
                self.engine.finish_state(self.now);
                self.drain();
                self.restart();
            }
            // A crash, or a file that was damaged.
            _ => self.restart(),
        }
        self.drain();
        self.note_changes();
    }

    fn set_clock(&mut self) {
        if self.rng.permille(500) {
            return;
        }
        self.is_stepped = true;
        let unix = self.now.unix.as_secs();
        let unix = match self.rng.below(4) {
            0 => 0,
            1 => unix.saturating_sub(self.rng.below(200_000)),
            2 => unix + self.rng.below(200_000),
            _ => unix + self.rng.below(200 * 86_400),
        };
        self.now.unix = Duration::from_secs(unix);
    }

    /// One target is replaced by another one of its name.
    fn reload(&mut self, replaced: usize) {
        self.models[replaced] =
            Measured { settings: self.models[replaced].settings + 1, ..Measured::default() };
        let monitor = |target| monitor(target, &self.scripts[target], &self.models[target]);
        let update = |(target, id)| match target == replaced {
            true => TargetUpdate::Start(monitor(target)),
            false => TargetUpdate::Keep(id),
        };
        let updates: Vec<_> = self.engine.targets().ids().enumerate().map(update).collect();
        self.engine.replace(updates, self.now).expect("valid");
    }

    fn restart(&mut self) {
        self.restarts += 1;
        let gap = Duration::from_millis(self.rng.pick(&[10, 1000, 1_000_000, 500_000_000]));
        self.now = self.now.after(gap);
        let file = self.damaged_file();
        let settings: Vec<_> = self.models.iter().map(|model| model.settings).collect();
        self.models =
            settings.into_iter().map(|settings| Measured { settings, ..Measured::default() }).collect();
        self.engine = engine(&self.scripts, &self.models, self.now);
        self.engine.record_history(90, self.now);
        let mut lines = file.split(|byte| *byte == b'\n');
        let is_valid = lines.next().is_some_and(|line| parse_header(line).is_ok());
        let originals: Vec<_> = self.file.split(|byte| *byte == b'\n').collect();
        let mut expected = 0;
        for line in lines.filter(|_| is_valid) {
            let Some(saved) = parse_target(line) else { continue };
            let known =
                originals.iter().find_map(|line| parse_target(line).filter(|known| known.name == saved.name));
            assert_eq!(Some(&saved), known.as_ref(), "a damaged line is read");
            let target: usize = saved.name.parse().expect("a number");
            if self.models[target].settings == self.saved[target].settings {
                self.models[target] = self.saved[target].clone();
                let model = &mut self.models[target];
                model.restarts += 1;
                model.awaited = Some(saved.fsm.state).filter(|state| *state != State::Unknown);
            }
            self.engine.restore(saved, &mut expected, self.now);
        }
        self.lost += self.models.iter().filter(|model| model.restarts == 0).count() as u64;
        self.engine.attach_state_file(Duration::from_secs(900), self.now);
    }

    fn damaged_file(&mut self) -> Vec<u8> {
        let mut file = self.file.clone();
        if file.is_empty() || self.rng.permille(600) {
            return file;
        }
        if self.rng.permille(300) {
            file.truncate(self.rng.index(file.len()));
        }
        for _ in 0..self.rng.below(4) {
            let length = file.len().max(1);
            let bit = self.rng.below(8 * length as u64) as usize;
            if let Some(byte) = file.get_mut(bit / 8) {
                *byte ^= 1 << (bit % 8);
            }
        }
        file
    }

    /// Advances the time from deadline to deadline.
    fn pass(&mut self, span: Duration) {
        let end = self.now.after(span);
        while let Some(at) = self.engine.poll_timeout().filter(|at| *at <= end.instant) {
            self.measure(at.saturating_duration_since(self.now.instant));
            self.engine.handle_timeout(self.now);
            self.drain();
            self.note_changes();
        }
        self.measure(end.instant - self.now.instant);
    }

    fn measure(&mut self, span: Duration) {
        let start = self.now.unix;
        self.now = self.now.after(span);
        for (target, model) in self.engine.targets().list().iter().zip(&mut self.models) {
            model.time[target.fsm().state().index()] += span;
            if target.fsm().state() == State::Unknown {
                continue;
            }
            let mut at = start;
            while at < self.now.unix {
                let day = at.as_secs() / History::DAY_S;
                let next = self.now.unix.min(Duration::from_secs((day + 1) * History::DAY_S));
                *model.days.entry(day).or_default() += next - at;
                at = next;
            }
        }
    }

    /// Pieces of the state file are written at once.
    fn drain(&mut self) {
        while let Some(output) = self.engine.poll_output() {
            let Output::WriteState(piece) = output else { continue };
            assert!(piece.is_first && piece.is_last);
            (self.file, self.saved) = (piece.bytes, self.models.clone());
            self.engine.handle_state_written(Ok(()), self.now);
        }
    }

    fn note_changes(&mut self) {
        for (target, model) in self.engine.targets().list().iter().zip(&mut self.models) {
            let (state, transitions) = (target.fsm().state(), target.fsm().transitions());
            if state != State::Unknown
                && let Some(before) = model.awaited.take()
            {
                let more = u64::from(state != before);
                assert_eq!(transitions, model.transitions + more, "{state} after {before}");
            }
            model.transitions = transitions;
        }
    }

    fn compare(&self) {
        for (target, model) in self.engine.targets().list().iter().zip(&self.models) {
            let history = target.history().expect("it is recorded");
            let known: Duration = model.time[1..].iter().sum();
            let slots: Vec<_> = history.days(self.now).collect();
            assert!(slots.iter().all(|slot| u64::from(slot.known_s()) <= History::DAY_S));
            let sum: u64 = slots.iter().map(|slot| u64::from(slot.known_s())).sum();
            assert!(sum <= known.as_secs(), "{}: {sum} s of {known:?}", target.name());
            let half_hours: Vec<_> = history.half_hours(self.now).collect();
            assert!(half_hours.iter().all(|slot| u64::from(slot.known_s()) <= History::HALF_HOUR_S));
            if self.is_stepped {
                continue;
            }
            let spent = State::ALL.map(|state| target.fsm().time_in(state, self.now));
            for (spent, measured) in spent.iter().zip(&model.time) {
                // Saved in milliseconds.
                let slack = Duration::from_millis(model.restarts + 1);
                assert!(spent.abs_diff(*measured) <= slack, "{spent:?} of {measured:?}");
            }
            let today = self.now.unix.as_secs() / History::DAY_S;
            for (slot, age) in slots.iter().rev().zip(0..) {
                let measured = today.checked_sub(age).and_then(|day| model.days.get(&day).copied());
                let measured = measured.unwrap_or_default();
                let known = Duration::from_secs(slot.known_s().into());
                let slack = Duration::from_nanos((model.restarts + 2) * SECOND);
                assert!(
                    known.abs_diff(measured) <= slack,
                    "{}, {age} days ago: {known:?} of {measured:?}",
                    target.name()
                );
            }
        }
    }
}

fn monitor(target: usize, script: &Arc<AtomicU8>, model: &Measured) -> Monitor {
    let probe = Scripted(target.to_string(), script.clone());
    Monitor::new(probe).interval(Duration::from_secs(60 + target as u64)).settings(model.settings)
}

fn engine(scripts: &[Arc<AtomicU8>], models: &[Measured], now: Now) -> Engine {
    let monitor = |((target, script), model)| monitor(target, script, model);
    let monitors = scripts.iter().enumerate().zip(models).map(monitor).collect();
    let resolver = Resolver::new(Vec::new(), ([127, 0, 0, 1], 5353).into(), Box::new(|| 7));
    let guard = HostGuard::new([127, 0, 0, 1].into(), Vec::new()).into();
    Engine::new(monitors, Schedule::Repeated, resolver, guard, Shares::of(usize::MAX), now)
}

#[test]
fn histories_add_up_across_restarts() {
    let seeds = super::number("SEEDS").unwrap_or(super::SEEDS) / 10 + 1;
    let (mut restarts, mut lost) = (0, 0);
    for seed in 0..seeds {
        let mut world = World::new(seed);
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| world.run()));
        assert!(outcome.is_ok(), "seed {seed}");
        restarts += world.restarts;
        lost += world.lost;
    }
    println!("{restarts} restarts, {lost} targets started anew");
    assert!(restarts > 5 * seeds && lost > seeds, "{restarts} restarts, {lost} targets started anew");
}
