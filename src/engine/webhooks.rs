//! Webhooks: changes posted over HTTP, to each URL one after the other, again after a pause if it failed.
//!
//! A try to deliver is a conversation like any check's. It has one of [`WEBHOOKS_PARALLEL`] places of its
//! own behind those of the targets, see [`Engine::slot`].

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::limits::*;
use super::{Engine, Owner};
use crate::clock::Now;
use crate::fsm::Change;
use crate::probe::build::{DELIVERY_TIMEOUT, Webhook};
use crate::snapshot::transition::{Transition, line};
use crate::verdict::{ProbeResult, Reason};

/// All that is to be delivered, by URL.
#[derive(Default)]
pub(super) struct Webhooks {
    channels: BTreeMap<Arc<str>, Channel>,
    /// When each channel that is not in a slot has its next turn.
    turns: BTreeSet<(Instant, Arc<str>)>,
    /// The tries under way.
    slots: [Option<Arc<str>>; WEBHOOKS_PARALLEL],
    /// Letters in all channels.
    letters: usize,
}

/// What is to be delivered to one URL. It is there as long as there is anything.
#[derive(Default)]
struct Channel {
    letters: VecDeque<Letter>,
    /// How often the first of them has been tried.
    tries: u32,
    /// A try has failed since the last delivery, and it was said.
    failing: bool,
    /// Letters have been dropped since the last delivery, and it was said.
    overrun: bool,
}

struct Letter {
    webhook: Arc<Webhook>,
    /// What it tells of, for people.
    subject: String,
    json: String,
}

impl Engine {
    /// The slot whose place among the tries this is; `None` if it is a target's.
    pub(super) fn slot(&self, place: usize) -> Option<usize> {
        place.checked_sub(self.fleet.watches().len())
    }

    /// Has the target's webhook told of a change, as soon as may be.
    #[cold]
    pub(super) fn post(&mut self, target: usize, change: &Change, now: Now) {
        let watch = self.fleet.watch(target);
        let wanted = |webhook: &&Arc<Webhook>| webhook.wants_first() || !change.is_first();
        let Some(webhook) = watch.webhook().filter(wanted).cloned() else { return };
        let Some(last) = watch.fsm().last() else { return };
        let json = line(&Transition {
            ts: now.unix,
            target: watch.name(),
            probe: watch.target(),
            from: change.from,
            to: change.to,
            detail: &last.detail,
            error: last.reason,
            latency: last.latency,
            lasted: change.lasted,
        });
        let subject = format!("{}: {} → {}", watch.name(), change.from, change.to);
        self.enqueue(Letter { webhook, subject, json }, now);
        self.start_deliveries(now);
    }

    fn enqueue(&mut self, letter: Letter, now: Now) {
        let key: Arc<str> = letter.webhook.key().into();
        if !self.webhooks.channels.contains_key(&key) {
            self.webhooks.turns.insert((now.instant, key.clone()));
        }
        let channel = self.webhooks.channels.entry(key).or_default();
        channel.letters.push_back(letter);
        self.webhooks.letters += 1;
        let letters = self.webhooks.letters;
        let channel = if channel.letters.len() > WEBHOOK_LETTERS_MAX {
            channel
        } else if letters > LETTERS_MAX.max(self.webhooks.channels.len()) {
            // Whoever takes his letters does not lose any to those who do not.
            let longest = self.webhooks.channels.values_mut().max_by_key(|channel| channel.letters.len());
            let Some(longest) = longest else { return };
            longest
        } else {
            return;
        };
        // The first one may be under way; one that is alone is never too much.
        let Some(Letter { webhook, .. }) = channel.letters.remove(1) else { return };
        self.webhooks.letters -= 1;
        self.counters.webhooks.dropped += 1;
        if !std::mem::replace(&mut channel.overrun, true) {
            self.say(format!("webhook {webhook}: too much to deliver, the oldest is dropped"));
        }
    }

    /// Starts what is due, as far as there are slots for it.
    pub(super) fn start_deliveries(&mut self, now: Now) {
        while let Some(slot) = self.webhooks.slots.iter().position(Option::is_none) {
            let Some((at, key)) = self.webhooks.turns.pop_first() else { break };
            if at > now.instant {
                self.webhooks.turns.insert((at, key));
                break;
            }
            let Some(letter) = self.webhooks.first(&key) else { continue };
            let attempt = letter.webhook.deliver(&letter.json, now);
            self.webhooks.slots[slot] = Some(key);
            self.begin_try(self.fleet.watches().len() + slot, attempt, DELIVERY_TIMEOUT, now);
        }
        let is_free = self.webhooks.slots.iter().any(Option::is_none);
        let next = self.webhooks.turns.first().map(|(at, _)| *at).filter(|_| is_free);
        self.timers.set(Owner::Webhooks, next);
    }

    /// A try to deliver has ended.
    #[cold]
    pub(super) fn handle_delivered(&mut self, slot: usize, result: &ProbeResult, now: Now) {
        let Some(key) = self.webhooks.slots[slot].take() else { return };
        let Some(channel) = self.webhooks.channels.get_mut(&key) else { return };
        channel.tries += 1;
        let is_last = channel.tries >= DELIVERY_TRIES_MAX || is_refused(result);
        let tries = channel.tries;
        let mut pause = Duration::ZERO;
        let mut line = None;
        if let Some(Letter { webhook, subject, .. }) = channel.letters.front() {
            let times = if tries == 1 { "1 try".to_owned() } else { format!("{tries} tries") };
            let why = || webhook.redacted(&result.detail);
            line = if result.ok {
                channel.failing.then(|| format!("webhook {webhook}: delivered after {times} ({subject})"))
            } else if is_last {
                Some(format!("webhook {webhook}: given up after {times}: {} ({subject})", why()))
            } else {
                let line = || format!("webhook {webhook}: failed, to be tried again: {} ({subject})", why());
                (!channel.failing).then(line)
            };
        }
        channel.failing = !result.ok;
        if result.ok || is_last {
            channel.letters.pop_front();
            channel.tries = 0;
            channel.overrun &= !result.ok;
            self.webhooks.letters -= 1;
            let counters = &mut self.counters.webhooks;
            *if result.ok { &mut counters.ok } else { &mut counters.failed } += 1;
        } else {
            pause = pause_after(tries);
        }
        line.into_iter().for_each(|line| self.say(line));
        if self.webhooks.first(&key).is_some() {
            self.webhooks.turns.insert((now.instant + pause, key));
        } else {
            self.webhooks.channels.remove(&key);
        }
        self.start_deliveries(now);
    }
}

impl Engine {
    /// The daemon stops: a line for each webhook that has not got all it should.
    #[cold]
    pub(super) fn report_undelivered(&mut self) {
        for channel in std::mem::take(&mut self.webhooks.channels).into_values() {
            let Some(Letter { webhook, subject, .. }) = channel.letters.front() else { continue };
            let more = match channel.letters.len() {
                1 => String::new(),
                count => format!(" and {} more", count - 1),
            };
            self.say(format!("webhook {webhook}: not delivered, the daemon stops ({subject}{more})"));
        }
    }
}

impl Webhooks {
    fn first(&self, key: &str) -> Option<&Letter> {
        self.channels.get(key)?.letters.front()
    }

    /// What the letters that wait are about, channel by channel.
    #[cfg(test)]
    pub(super) fn subjects(&self) -> Vec<&str> {
        let letters = self.channels.values().flat_map(|channel| &channel.letters);
        let subjects: Vec<_> = letters.map(|letter| letter.subject.as_str()).collect();
        assert_eq!(subjects.len(), self.letters, "letters, as counted and as bookkept");
        let under_way = self.slots.iter().flatten().count();
        assert_eq!(self.channels.len(), self.turns.len() + under_way, "each channel has one turn");
        subjects
    }
}

/// Whether trying again would be of no use: the answer says that the request itself is wrong, and not
/// that it took too long or came too often (RFC 9110 section 15.5), or leads to where it cannot follow.
fn is_refused(result: &ProbeResult) -> bool {
    let status = result.http_status.unwrap_or_default();
    let is_wrong = matches!(status, 400..=499) && !matches!(status, 408 | 429);
    is_wrong || result.reason == Some(Reason::Redirect)
}

/// How long to wait after so many tries, of which there was at least one.
fn pause_after(tries: u32) -> Duration {
    (DELIVERY_PAUSE * 2_u32.saturating_pow(tries.saturating_sub(1))).min(DELIVERY_PAUSE_MAX)
}
