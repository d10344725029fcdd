//! Which notifications are due: the model of a target's receivers, apart from how each one is told.

use std::collections::BTreeMap;
use std::time::Duration;

use super::plan::{MS, S};
use super::rng::Rng;
use super::webhooks::url;
use super::world::World;
use crate::fsm::State;
use crate::monitor::{Hook, Monitor, Notifications, Notify};
use crate::probe::build::Webhook;

/// The settings of a target.
#[derive(Clone, Copy)]
pub(super) struct Wish {
    /// The timeout of its hook.
    pub(super) hook: Option<u64>,
    /// The number of its URL.
    pub(super) url: Option<usize>,
    notify: Notify,
    remind: Option<u64>,
}

/// What a receiver must be told.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Notice {
    pub(super) from: State,
    pub(super) to: State,
    pub(super) detail: String,
    /// 0 for a change.
    pub(super) reminder: u32,
    notify: Notify,
}

pub(super) struct Receivers {
    rng: Rng,
    urls: usize,
    /// By target, of all that there have ever been.
    wishes: Vec<Wish>,
    /// By name, of the present targets.
    known: BTreeMap<usize, Known>,
    last_key: u64,
}

/// What the receivers of a name have been told, or are about to be told.
struct Known {
    /// Another one if the name has been absent.
    key: u64,
    state: State,
    next_reminder: Option<u64>,
    reminders: u32,
}

impl Receivers {
    pub(super) fn new(rng: Rng, urls: usize) -> Receivers {
        Receivers { rng, urls, wishes: Vec::new(), known: BTreeMap::new(), last_key: 0 }
    }

    /// Chooses the notifications of one more target.
    pub(super) fn add(&mut self) -> Option<Notifications> {
        let wish = self.choose();
        self.wishes.push(wish);
        wish.notifications()
    }

    /// Chooses other notifications for a target.
    pub(super) fn change(&mut self, target: usize) -> Option<Notifications> {
        self.wishes[target] = self.choose();
        self.wishes[target].notifications()
    }

    /// Those of a target.
    pub(super) fn again(&self, target: usize) -> Option<Notifications> {
        self.wishes[target].notifications()
    }

    fn choose(&mut self) -> Wish {
        let rng = &mut self.rng;
        let hook = rng.permille(400).then(|| rng.pick(&[100 * MS, S, 30 * S]));
        let url = rng.permille(400).then(|| rng.index(self.urls));
        let notify = rng.pick(&[Notify::Down, Notify::All, Notify::AllAndFirst]);
        let remind = rng.permille(300).then_some(60 * S);
        Wish { hook, url, notify, remind }
    }

    pub(super) fn wish(&self, target: usize) -> Wish {
        self.wishes[target]
    }
}

impl Wish {
    fn notifications(self) -> Option<Notifications> {
        let mut notifications = Notifications::new().notify(self.notify);
        if let Some(timeout) = self.hook {
            notifications = notifications.hook(Hook::new(["notify"]).timeout(Duration::from_nanos(timeout)));
        }
        if let Some(number) = self.url {
            notifications = notifications.webhook(Webhook::new(&url(number), None).expect("a URL"));
        }
        if let Some(interval) = self.remind {
            notifications = notifications.remind(Duration::from_nanos(interval));
        }
        (self.hook.is_some() || self.url.is_some()).then_some(notifications)
    }

    /// Without receivers there are no settings: the defaults apply.
    fn effective(self) -> (Notify, Option<u64>) {
        match self.hook.is_some() || self.url.is_some() {
            true => (self.notify, self.remind),
            false => (Notify::Down, None),
        }
    }
}

impl Notice {
    /// Takes in what follows before this is delivered; `None` if there is nothing left to tell.
    pub(super) fn merged(self, later: Notice) -> Option<Notice> {
        if later.reminder > 0 && self.reminder == 0 {
            return Some(self);
        }
        let was_told = self.reminder > 0;
        let merged = Notice { from: self.from, ..later };
        let is_news = match merged.notify {
            Notify::Down => (merged.from == State::Down) != (merged.to == State::Down),
            Notify::All if merged.from == State::Unknown => merged.to != State::Up,
            _ => merged.from != merged.to,
        };
        (is_news || was_told || merged.reminder > 0).then_some(merged)
    }
}

impl World {
    /// A check of a target has ended.
    pub(super) fn note_notification(&mut self, target: usize, from: Option<State>, detail: &str) {
        let (name, wish) = (self.plan.targets[target].name, self.receivers.wish(target));
        let (notify, remind) = wish.effective();
        let state = self.models[target].state;
        let known = self.receivers.known.get_mut(&name).expect("it is present");
        let key = known.key;
        let notice = |from, reminder| Notice { from, to: state, detail: detail.to_owned(), reminder, notify };
        let due = match from {
            Some(from) if state != State::Unknown => {
                let told = std::mem::replace(&mut known.state, state);
                known.reminders = 0;
                known.next_reminder = remind.filter(|_| state == State::Down).map(|pause| self.seen + pause);
                let is_first_up = told == State::Unknown && state == State::Up;
                let is_due = match notify {
                    Notify::Down => (told == State::Down) != (state == State::Down),
                    Notify::All => told != state && !is_first_up,
                    _ => told != state,
                };
                is_due.then(|| notice(if from == State::Unknown { told } else { from }, 0))
            }
            _ if state == State::Down => remind.and_then(|pause| {
                let next = *known.next_reminder.get_or_insert(self.seen + pause);
                (self.seen >= next).then(|| {
                    known.next_reminder = Some(self.seen + pause);
                    known.reminders += 1;
                    notice(State::Down, known.reminders)
                })
            }),
            _ => None,
        };
        let Some(notice) = due else { return };
        self.counters.add(if notice.reminder > 0 { "notices: reminders" } else { "notices: changes" });
        if wish.hook.is_some() {
            self.note_hook(name, notice.clone());
        }
        if let Some(url) = wish.url {
            self.note_post(url, (key, name), notice);
        }
    }

    /// Other targets are present: those of the same names know what their predecessors were told.
    pub(super) fn note_receivers(&mut self) {
        let mut before = std::mem::take(&mut self.receivers.known);
        for target in &self.present {
            let plan = &self.plan.targets[*target];
            let known = before.remove(&plan.name).unwrap_or_else(|| {
                self.receivers.last_key += 1;
                let key = self.receivers.last_key;
                Known { key, state: plan.initial, next_reminder: None, reminders: 0 }
            });
            self.receivers.known.insert(plan.name, known);
        }
    }

    /// A notice waits while its target has a state that is not notified.
    pub(super) fn is_notice_due(&self, name: usize) -> bool {
        self.holder(name).is_none_or(|target| self.models[target].state != State::Unknown)
    }

    /// That of a target that may be gone.
    pub(super) fn is_post_due(&self, (key, name): (u64, usize)) -> bool {
        self.receivers.known.get(&name).is_none_or(|known| known.key != key) || self.is_notice_due(name)
    }
}

pub(super) fn equip(monitor: Monitor, notifications: Option<Notifications>) -> Monitor {
    match notifications {
        Some(notifications) => monitor.notifications(notifications),
        None => monitor,
    }
}
