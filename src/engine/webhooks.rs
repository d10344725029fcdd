//! Webhooks: notifications are posted over HTTP, one at a time to each URL, with retries.
//!
//! An attempt to deliver runs like a check of a target, in one of [`WEBHOOKS_PARALLEL`] slots.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use super::context::Context;
use super::limits::*;
use super::notification::Notification;
use super::owners::Owner;
use crate::monitor::{TargetId, Targets};
use crate::probe::Attempt;
use crate::probe::build::Webhook;
use crate::result::{ProbeResult, Reason};

#[derive(Default)]
pub(super) struct Webhooks {
    /// One for each URL with pending deliveries. There are few: a list is as fast as a tree, and smaller.
    queues: Vec<Queue>,
}

struct Queue {
    url: Arc<str>,
    /// At most one for each target, and one that is in flight. Those that have waited longest first.
    deliveries: VecDeque<Delivery>,
    /// When a delivery is attempted next.
    due: Instant,
    /// That of the first delivery, while it is in flight.
    slot: Option<usize>,
    /// Failed attempts since the last successful one.
    failures: u32,
}

struct Delivery {
    webhook: Arc<Webhook>,
    notification: Notification,
    /// Attempts that the receiver has answered with an error.
    errors: u32,
}

impl Webhooks {
    #[cold]
    pub(super) fn queue(&mut self, webhook: Arc<Webhook>, notification: Notification, cx: &mut Context) {
        let url = webhook.key();
        let index = self.queues.iter().position(|queue| &*queue.url == url).unwrap_or_else(|| {
            self.queues.push(Queue {
                url: url.into(),
                deliveries: VecDeque::new(),
                due: cx.now.instant,
                slot: None,
                failures: 0,
            });
            self.queues.len() - 1
        });
        let Some(queue) = self.queues.get_mut(index) else { return };
        queue.add(Delivery { webhook, notification, errors: 0 });
        if queue.deliveries.is_empty() {
            self.queues.remove(index);
        }
    }

    /// Starts an attempt that is due, if a slot is free. Otherwise sets the timer for the next one.
    #[cold]
    pub(super) fn next_attempt(&mut self, cx: &mut Context) -> Option<(usize, Box<dyn Attempt>)> {
        let is_free = |slot: &usize| self.queues.iter().all(|queue| queue.slot != Some(*slot));
        let slot = (0..WEBHOOKS_PARALLEL).find(is_free);
        let idle = self.queues.iter_mut().filter(|queue| queue.slot.is_none());
        let idle = idle.filter_map(|queue| Some((queue.next(&cx.targets)?, queue)));
        let next = idle.min_by(|(_, a), (_, b)| (a.due, &a.url).cmp(&(b.due, &b.url)));
        let next = next.filter(|_| slot.is_some());
        cx.timers.set(Owner::Webhooks, next.as_ref().map(|(_, queue)| queue.due));
        let (index, queue) = next.filter(|(_, queue)| queue.due <= cx.now.instant)?;
        queue.slot = slot;
        let delivery = queue.deliveries.remove(index)?;
        let attempt = delivery.webhook.deliver(delivery.notification.body(&delivery.webhook), cx.now);
        queue.deliveries.push_front(delivery);
        Some((slot?, attempt))
    }

    #[cold]
    pub(super) fn handle_result(&mut self, slot: usize, result: &ProbeResult, cx: &mut Context) {
        let Some(index) = self.queues.iter().position(|queue| queue.slot == Some(slot)) else { return };
        let Some(queue) = self.queues.get_mut(index) else { return };
        queue.slot = None;
        queue.due = cx.now.instant;
        let Some(mut delivery) = queue.deliveries.pop_front() else { return };
        let (webhook, subject) = (&delivery.webhook, subject(&delivery.notification));
        let why = || webhook.redacted(&result.detail);
        let counters = &mut cx.counters.webhooks;
        if result.ok {
            counters.ok += 1;
            let failures = std::mem::take(&mut queue.failures);
            if failures > 0 {
                cx.log(format!("webhook {webhook}: delivered after {} ({subject})", attempts(failures + 1)));
            }
        } else {
            queue.failures = queue.failures.saturating_add(1);
            delivery.errors += u32::from(result.http_status.is_some());
            let is_refused = is_refused(result);
            if is_refused || delivery.errors >= DELIVERY_ERRORS_MAX {
                counters.failed += 1;
                let errors = if is_refused { queue.failures } else { delivery.errors };
                cx.log(format!(
                    "webhook {webhook}: abandoned after {}: {} ({subject})",
                    attempts(errors),
                    why()
                ));
                queue.failures = 0;
                queue.abandon(delivery.notification);
            } else {
                let pause = DELIVERY_PAUSE * 2_u32.saturating_pow(queue.failures - 1);
                queue.due += pause.min(DELIVERY_PAUSE_MAX);
                if queue.failures == 1 {
                    cx.log(format!("webhook {webhook}: failed, will be retried: {} ({subject})", why()));
                }
                queue.retry(delivery);
            }
        }
        if queue.deliveries.is_empty() {
            self.queues.remove(index);
        }
    }

    /// Logs a line for each URL with pending deliveries, as the daemon stops.
    #[cold]
    pub(super) fn stop(&mut self, cx: &mut Context) {
        for queue in std::mem::take(&mut self.queues) {
            let Some(Delivery { webhook, notification, .. }) = queue.deliveries.front() else { continue };
            let subject = subject(notification);
            let more = match queue.deliveries.len() {
                1 => String::new(),
                count => format!(" and {} more", count - 1),
            };
            cx.log(format!("webhook {webhook}: not delivered, the daemon stops ({subject}{more})"));
        }
    }

    #[cfg(test)]
    pub(super) fn subjects(&self) -> Vec<String> {
        assert!(self.queues.iter().all(|queue| !queue.deliveries.is_empty()), "an empty queue");
        let deliveries = self.queues.iter().flat_map(|queue| &queue.deliveries);
        deliveries.map(|delivery| subject(&delivery.notification)).collect()
    }
}

impl Queue {
    /// The position of the next delivery.
    fn next(&self, targets: &Targets) -> Option<usize> {
        self.deliveries.iter().position(|delivery| delivery.notification.is_due(targets))
    }

    /// That of a target, except the one in flight.
    fn pending(&self, target: TargetId) -> Option<usize> {
        let first = usize::from(self.slot.is_some());
        let mut rest = self.deliveries.iter().skip(first);
        Some(first + rest.position(|delivery| delivery.notification.target == target)?)
    }

    fn add(&mut self, delivery: Delivery) {
        match self.pending(delivery.notification.target) {
            None => self.deliveries.push_back(delivery),
            Some(index) => {
                let pending = &mut self.deliveries[index];
                // A reload may have changed its settings.
                pending.webhook = delivery.webhook;
                if !pending.notification.merge(delivery.notification) {
                    self.deliveries.remove(index);
                }
            }
        }
    }

    /// Attempts a delivery again, with a change that has followed.
    fn retry(&mut self, mut delivery: Delivery) {
        if let Some(later) = self.pending(delivery.notification.target) {
            let Some(later) = self.deliveries.remove(later) else { return };
            if !delivery.notification.merge(later.notification) {
                return;
            }
            delivery.webhook = later.webhook;
        }
        self.deliveries.push_front(delivery);
    }

    /// A change that has followed is one from the state that the receiver knows.
    fn abandon(&mut self, mut notification: Notification) {
        let Some(index) = self.pending(notification.target) else { return };
        let Some(mut later) = self.deliveries.remove(index) else { return };
        if notification.merge(later.notification) {
            later.notification = notification;
            self.deliveries.insert(index, later);
        }
    }
}

fn subject(notification: &Notification) -> String {
    format!("{}: {} → {}", notification.name, notification.from, notification.to)
}

fn attempts(count: u32) -> String {
    if count == 1 { "1 attempt".to_owned() } else { format!("{count} attempts") }
}

/// Whether a retry is useless: a redirect, or a client error (RFC 9110 section 15.5) other than 408 Request
/// Timeout and 429 Too Many Requests.
fn is_refused(result: &ProbeResult) -> bool {
    let status = result.http_status.unwrap_or_default();
    let is_wrong = matches!(status, 400..=499) && !matches!(status, 408 | 429);
    is_wrong || result.reason == Some(Reason::Redirect)
}
