//! Webhooks: changes are posted over HTTP, to each URL in order, with retries.
//!
//! An attempt to deliver runs like a check of a target, in one of [`WEBHOOKS_PARALLEL`] slots.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::context::Context;
use super::limits::*;
use super::owners::Owner;
use crate::fsm::Change;
use crate::monitor::TargetId;
use crate::probe::Attempt;
use crate::probe::build::Webhook;
use crate::result::{ProbeResult, Reason};
use crate::snapshot::transition::{Transition, line};

#[derive(Default)]
pub(super) struct Webhooks {
    /// One for each URL with pending deliveries. There are few: a list is as fast as a tree, and smaller.
    queues: Vec<Queue>,
    pending: usize,
}

struct Queue {
    url: Arc<str>,
    deliveries: VecDeque<Delivery>,
    /// When the first delivery is attempted next.
    due: Instant,
    slot: Option<usize>,
    attempts: u32,
    /// An attempt has failed since the last successful delivery, and this was logged.
    failing: bool,
    /// Deliveries have been dropped since the last successful one, and this was logged.
    dropping: bool,
}

struct Delivery {
    webhook: Arc<Webhook>,
    subject: String,
    json: String,
}

impl Webhooks {
    #[cold]
    pub(super) fn queue(&mut self, target: TargetId, change: &Change, cx: &mut Context) {
        let Some(target) = cx.targets.get(target) else { return };
        let wanted = |webhook: &&Arc<Webhook>| webhook.wants_first() || !change.is_first();
        let Some(webhook) = target.webhook.as_ref().filter(wanted).cloned() else { return };
        let Some(last) = target.fsm().last() else { return };
        let json = line(&Transition {
            ts: cx.now.unix,
            name: target.name(),
            url: target.url(),
            from: change.from,
            to: change.to,
            detail: &last.detail,
            error: last.reason,
            latency: last.latency,
            previous_state_duration: change.previous_state_duration,
        });
        let subject = format!("{}: {} → {}", target.name(), change.from, change.to);
        self.enqueue(Delivery { webhook, subject, json }, cx);
    }

    fn enqueue(&mut self, delivery: Delivery, cx: &mut Context) {
        let Webhooks { queues, pending } = self;
        let url = delivery.webhook.key();
        let index = queues.iter().position(|queue| &*queue.url == url).unwrap_or_else(|| {
            queues.push(Queue {
                url: url.into(),
                deliveries: VecDeque::new(),
                due: cx.now.instant,
                slot: None,
                attempts: 0,
                failing: false,
                dropping: false,
            });
            queues.len() - 1
        });
        let Some(queue) = queues.get_mut(index) else { return };
        queue.deliveries.push_back(delivery);
        *pending += 1;
        let queue = if queue.deliveries.len() > WEBHOOK_QUEUE_MAX {
            queue
        } else if *pending > DELIVERIES_MAX.max(queues.len()) {
            // A receiver that accepts its deliveries loses none to those that do not.
            let Some(longest) = queues.iter_mut().max_by_key(|queue| queue.deliveries.len()) else { return };
            longest
        } else {
            return;
        };
        // The first one may be in progress, and a single one is always allowed.
        let Some(Delivery { webhook, .. }) = queue.deliveries.remove(1) else { return };
        *pending -= 1;
        cx.counters.webhooks.dropped += 1;
        if !std::mem::replace(&mut queue.dropping, true) {
            cx.log(format!("webhook {webhook}: too much to deliver, the oldest is dropped"));
        }
    }

    /// Starts an attempt that is due, if a slot is free. Otherwise sets the timer for the next one.
    #[cold]
    pub(super) fn next_attempt(&mut self, cx: &mut Context) -> Option<(usize, Box<dyn Attempt>)> {
        let is_free = |slot: &usize| self.queues.iter().all(|queue| queue.slot != Some(*slot));
        let slot = (0..WEBHOOKS_PARALLEL).find(is_free);
        let idle = self.queues.iter_mut().filter(|queue| queue.slot.is_none());
        let next = idle.min_by(|a, b| (a.due, &a.url).cmp(&(b.due, &b.url)));
        let queue = next.filter(|_| slot.is_some());
        cx.timers.set(Owner::Webhooks, queue.as_ref().map(|queue| queue.due));
        let queue = queue.filter(|queue| queue.due <= cx.now.instant)?;
        queue.slot = slot;
        let Delivery { webhook, json, .. } = queue.deliveries.front()?;
        Some((slot?, webhook.deliver(json, cx.now)))
    }

    #[cold]
    pub(super) fn handle_result(&mut self, slot: usize, result: &ProbeResult, cx: &mut Context) {
        let Webhooks { queues, pending } = self;
        let Some(index) = queues.iter().position(|queue| queue.slot == Some(slot)) else { return };
        let Some(queue) = queues.get_mut(index) else { return };
        queue.slot = None;
        queue.attempts += 1;
        let attempts = queue.attempts;
        let is_last = attempts >= DELIVERY_ATTEMPTS_MAX || is_refused(result);
        if let Some(Delivery { webhook, subject, .. }) = queue.deliveries.front() {
            let times = if attempts == 1 { "1 try".to_owned() } else { format!("{attempts} tries") };
            let why = || webhook.redacted(&result.detail);
            if result.ok && queue.failing {
                cx.log(format!("webhook {webhook}: delivered after {times} ({subject})"));
            } else if !result.ok && is_last {
                cx.log(format!("webhook {webhook}: given up after {times}: {} ({subject})", why()));
            } else if !result.ok && !queue.failing {
                cx.log(format!("webhook {webhook}: failed, to be tried again: {} ({subject})", why()));
            }
        }
        queue.failing = !result.ok;
        queue.due = cx.now.instant;
        if result.ok || is_last {
            queue.deliveries.pop_front();
            queue.attempts = 0;
            queue.dropping &= !result.ok;
            *pending -= 1;
            let counters = &mut cx.counters.webhooks;
            *if result.ok { &mut counters.ok } else { &mut counters.failed } += 1;
        } else {
            let pause = DELIVERY_PAUSE * 2_u32.saturating_pow(attempts - 1);
            queue.due += pause.min(DELIVERY_PAUSE_MAX);
        }
        if queue.deliveries.is_empty() {
            queues.remove(index);
        }
    }

    /// Logs a line for each URL with pending deliveries, as the daemon stops.
    #[cold]
    pub(super) fn stop(&mut self, cx: &mut Context) {
        for queue in std::mem::take(&mut self.queues) {
            let Some(Delivery { webhook, subject, .. }) = queue.deliveries.front() else { continue };
            let more = match queue.deliveries.len() {
                1 => String::new(),
                count => format!(" and {} more", count - 1),
            };
            cx.log(format!("webhook {webhook}: not delivered, the daemon stops ({subject}{more})"));
        }
    }

    #[cfg(test)]
    pub(super) fn subjects(&self) -> Vec<&str> {
        let deliveries = self.queues.iter().flat_map(|queue| &queue.deliveries);
        let subjects: Vec<_> = deliveries.map(|delivery| delivery.subject.as_str()).collect();
        assert_eq!(subjects.len(), self.pending, "pending deliveries");
        assert!(self.queues.iter().all(|queue| !queue.deliveries.is_empty()), "an empty queue");
        subjects
    }
}

/// Whether a retry is useless: a redirect, or a client error (RFC 9110 section 15.5) other than 408 Request
/// Timeout and 429 Too Many Requests.
fn is_refused(result: &ProbeResult) -> bool {
    let status = result.http_status.unwrap_or_default();
    let is_wrong = matches!(status, 400..=499) && !matches!(status, 408 | 429);
    is_wrong || result.reason == Some(Reason::Redirect)
}
