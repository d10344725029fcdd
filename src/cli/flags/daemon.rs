//! The flags of the API and of the daemon as a whole.

use super::{Flag, push, put, switch, value};
use crate::cli::values;

/// The maximum number of --api-allow-host.
const ALLOW_HOSTS_MAX: usize = 64;

pub(super) static FLAGS: [Flag; 12] = [
    value("--api-host", "ADDRESS", "address to listen on", |line, text| {
        put(&mut line.daemon.api_host, values::api_host(text))
    })
    .default("127.0.0.1"),
    value("--api-port", "N", "0 is any free port", |line, text| {
        put(&mut line.daemon.api_port, values::api_port(text))
    })
    .default("8787"),
    value(
        "--api-allow-host",
        "NAME",
        "while listening on loopback, answer to this host name too; repeatable",
        |line, text| push(&mut line.daemon.api_allow_hosts, values::host_name(text), ALLOW_HOSTS_MAX),
    ),
    value(
        "--api-token-file",
        "FILE",
        "file with the token of requests that pause, resume or check targets: \
         Authorization: Bearer TOKEN, 16 to 128 characters",
        |line, text| put(&mut line.daemon.api_token_file, values::plain(text).map(Into::into)),
    ),
    switch("--api-token-reads", "all requests but heartbeats and /livez need the token", |line| {
        line.daemon.api_token_reads = true;
    }),
    value("--api-page", "on|off", "status page for browsers, at / and /page", |line, text| {
        put(&mut line.daemon.api_page, values::on_or_off(text))
    })
    .default("on"),
    value(
        "--api-frame",
        "ORIGIN",
        "let pages of this origin (https://home.example), or with * all pages, show the status page in a frame",
        |line, text| put(&mut line.daemon.api_frame, values::frame_ancestor(text)),
    ),
    value(
        "--dns-hold",
        "TIME",
        "while a name cannot be resolved, use its last addresses for this long after they expire: 30, 2m; 0 is off",
        |line, text| put(&mut line.daemon.dns_hold, values::dns_hold(text)),
    )
    .default("30"),
    value(
        "--history-days",
        "N",
        "days of history that are kept for the uptime of each target; 0 for none",
        |line, text| put(&mut line.daemon.history_days, values::history_days(text)),
    )
    .default("90"),
    value(
        "--state-file",
        "FILE",
        "file with the state and history of all targets, which are continued after a restart",
        |line, text| put(&mut line.daemon.state_file, values::plain(text).map(Into::into)),
    ),
    value(
        "--state-interval",
        "TIME",
        "interval at which --state-file is written, at least 1s; it is also written at the end of each day (UTC) and at stop",
        |line, text| put(&mut line.daemon.state_interval, values::state_interval(text)),
    )
    .default("15m"),
    value(
        "--log-format",
        "FORMAT",
        "plain, time (with the time in UTC), journal (with priorities for systemd), or auto: journal if it \
         reads standard error, plain on a terminal, else time",
        |line, text| put(&mut line.daemon.log_format, values::log_format(text)),
    )
    .default("auto"),
];
