//! The flags of notifications: their receivers, and when they are sent.

use super::{Flag, InForce, put, switch, value};
use crate::cli::values;

const RECEIVERS: &str = "--on-change or --webhook";
const HAS_RECEIVER: InForce = |settings| settings.notifications.has_receiver();
const HAS_WEBHOOK: InForce = |settings| settings.notifications.webhook.is_some();

pub(super) static FLAGS: [Flag; 9] = [
    value(
        "--on-change",
        "COMMAND",
        "run this, without a shell, with PINGSTATE_TEXT, PINGSTATE_TARGET, PINGSTATE_TO and more in its \
         environment",
        |line, text| put(&mut line.settings.notifications.on_change, values::command(text)),
    ),
    value("--hook-timeout", "SECONDS", "time a command may take", |line, text| {
        put(&mut line.settings.notifications.hook_timeout, values::timeout(text))
    })
    .default("30")
    .needs("--on-change", |settings| settings.notifications.on_change.is_some()),
    value("--webhook", "URL", "post notifications here", |line, text| {
        put(&mut line.settings.notifications.webhook, values::webhook(text))
    }),
    value("--webhook-format", "FORMAT", "json, or text: a sentence, as for ntfy", |line, text| {
        put(&mut line.settings.notifications.webhook_format, values::webhook_format(text))
    })
    .default("json")
    .needs("--webhook", HAS_WEBHOOK),
    value(
        "--webhook-text-key",
        "KEY",
        "a second key for the sentence, as content for Discord or message for Gotify",
        |line, text| put(&mut line.settings.notifications.webhook_text_key, values::plain(text)),
    )
    .needs("--webhook", HAS_WEBHOOK),
    value("--webhook-header-file", "FILE", "file with 'Name: value' lines to send", |line, text| {
        put(&mut line.settings.notifications.webhook_header_file, values::plain(text).map(Into::into))
    })
    .needs("--webhook", HAS_WEBHOOK),
    value(
        "--notify",
        "WHEN",
        "down: when it is down, and up again; all: every change of state",
        |line, text| put(&mut line.settings.notifications.notify, values::notify(text)),
    )
    .default("down")
    .needs(RECEIVERS, HAS_RECEIVER),
    value("--remind", "SECONDS", "notify again while it is down, 60 or more", |line, text| {
        put(&mut line.settings.notifications.remind, values::remind(text))
    })
    .needs(RECEIVERS, HAS_RECEIVER),
    switch("--hook-first", "deprecated: --notify all, also for the first state", |line| {
        line.settings.notifications.hook_first = true;
    })
    .needs(RECEIVERS, HAS_RECEIVER),
];
