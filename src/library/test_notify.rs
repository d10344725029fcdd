//! Test messages to all hooks and webhooks: each is sent like a check of a target.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::events::CheckEvent;
use super::once::check_all;
use super::resolver_config::ResolverConfig;
use crate::clock::Now;
use crate::engine::Notification;
use crate::monitor::{Hook, Monitor, Target, Targets};
use crate::probe::build::{DELIVERY_TIMEOUT, Webhook};
use crate::probe::durations::seconds;
use crate::probe::{Attempt, Exit, Input, Output, Probe, Program};
use crate::reactor::{self, first_line};
use crate::result::{ProbeResult, Reason};

/// Sends one test message to each distinct hook and webhook of the monitors, and passes each result to `on_result`.
/// Its name says which one it is and names the first monitor that has it. Returns the number of messages.
///
/// ```
/// use pingstate::{Hook, Monitor, Notifications, ResolverConfig, blocking, send_test_messages};
///
/// let notifications = Notifications::new().hook(Hook::new(["sh", "-c", "echo $PINGSTATE_TEST"]));
/// let disk = Monitor::new(blocking("disk", || true)).notifications(notifications);
/// let mut results = Vec::new();
/// send_test_messages([disk], ResolverConfig::default(), |event| {
///     results.push((event.name.to_owned(), event.result.detail.to_string()));
/// })?;
/// assert_eq!(results, [("sh (of disk)".to_owned(), "exit status 0: 1".to_owned())]);
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// As [`check_all`](crate::check_all).
pub fn send_test_messages(
    monitors: impl IntoIterator<Item = Monitor>,
    resolver: ResolverConfig,
    on_result: impl FnMut(&CheckEvent<'_>),
) -> io::Result<usize> {
    let tests = test_monitors(monitors.into_iter().collect());
    let count = tests.len();
    check_all(tests, resolver, on_result)?;
    Ok(count)
}

fn test_monitors(monitors: Vec<Monitor>) -> Vec<Monitor> {
    let now = reactor::now();
    let targets = Targets::new(monitors, now);
    let (mut hooks, mut webhooks): (Vec<Arc<Hook>>, Vec<Arc<Webhook>>) = (Vec::new(), Vec::new());
    let mut tests = Vec::new();
    for target in targets.list() {
        let Some(receivers) = target.notifications() else { continue };
        if let Some(hook) = receivers.hook.as_ref().filter(|hook| !hooks.contains(hook)) {
            hooks.push(hook.clone());
            tests.push(Monitor::new(HookTest::new(target, hook, now)));
        }
        let is_known = |webhook: &&Arc<Webhook>| webhooks.iter().any(|known| known.is_same(webhook));
        if let Some(webhook) = receivers.webhook.as_ref().filter(|webhook| !is_known(webhook)) {
            webhooks.push(webhook.clone());
            tests.push(Monitor::new(WebhookTest::new(target, webhook, now)));
        }
    }
    tests
}

struct HookTest {
    name: String,
    program: Program,
    timeout: Duration,
}

impl HookTest {
    fn new(target: &Target, hook: &Hook, now: Now) -> HookTest {
        let program = Program::hook(&hook.words, Notification::test(target, now).env());
        let name = format!("{} (of {})", program.name(), target.name());
        HookTest { name, program, timeout: hook.timeout }
    }
}

impl Probe for HookTest {
    fn name(&self) -> &str {
        &self.name
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn runs_program(&self) -> bool {
        true
    }

    fn begin(&self, now: Now) -> Box<dyn Attempt> {
        let output = Some(Output::Exec(self.program.clone()));
        Box::new(HookRun { started_at: now, timeout: self.timeout, output })
    }
}

struct HookRun {
    started_at: Now,
    timeout: Duration,
    output: Option<Output>,
}

impl Attempt for HookRun {
    fn handle_input(&mut self, input: Input<'_>, now: Now) {
        let failed = |detail: &str| ProbeResult::down(Reason::Exec, detail);
        let result = match input {
            Input::Exited(exit, output) => {
                let line = first_line(output);
                let colon = if line.is_empty() { "" } else { ": " };
                let latency = now.since(self.started_at);
                match exit {
                    Exit::Status(0) => ProbeResult::up(latency, &format!("exit status 0{colon}{line}")),
                    Exit::Status(status) => failed(&format!("exit status {status}{colon}{line}")),
                    Exit::Signal(signal) => failed(&format!("ended by signal {signal}{colon}{line}")),
                }
            }
            Input::Failed(failure) => failure.into(),
            Input::TimedOut => failed(&format!("killed after {}", seconds(self.timeout))),
            _ => return,
        };
        self.output = Some(Output::Done(result));
    }

    fn poll_output(&mut self) -> Option<Output> {
        self.output.take()
    }
}

struct WebhookTest {
    name: String,
    webhook: Arc<Webhook>,
    body: String,
}

impl WebhookTest {
    fn new(target: &Target, webhook: &Arc<Webhook>, now: Now) -> WebhookTest {
        let body = Notification::test(target, now).body(webhook);
        WebhookTest { name: format!("{webhook} (of {})", target.name()), webhook: webhook.clone(), body }
    }
}

impl Probe for WebhookTest {
    fn name(&self) -> &str {
        &self.name
    }

    fn timeout(&self) -> Duration {
        DELIVERY_TIMEOUT
    }

    fn begin(&self, now: Now) -> Box<dyn Attempt> {
        self.webhook.deliver(self.body.clone(), now)
    }
}
