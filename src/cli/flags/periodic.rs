//! The flags of the requests that the daemon sends at an interval.

use super::{Flag, put, value};
use crate::cli::values;

pub(super) static FLAGS: [Flag; 5] = [
    value(
        "--push-url",
        "URL",
        "post the metrics here: VictoriaMetrics (/api/v1/import/prometheus), Pushgateway (/metrics/job/NAME)",
        |line, text| put(&mut line.daemon.push.url, values::webhook(text)),
    ),
    value("--push-interval", "SECONDS", "time from one post to the next, 1 or more", |line, text| {
        put(&mut line.daemon.push.interval, values::request_interval(text))
    })
    .default("15"),
    value("--push-header-file", "FILE", "header fields of the posts, on a line each", |line, text| {
        put(&mut line.daemon.push.header_file, values::plain(text).map(Into::into))
    }),
    value("--alive-url", "URL", "request this while checks start and end in time", |line, text| {
        put(&mut line.daemon.alive.url, values::webhook(text))
    }),
    value("--alive-interval", "SECONDS", "time from one request to the next, 1 or more", |line, text| {
        put(&mut line.daemon.alive.interval, values::request_interval(text))
    })
    .default("60"),
];
