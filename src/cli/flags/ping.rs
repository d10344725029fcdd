//! The flags of icmp targets.

use super::{Flag, put, value};
use crate::cli::values;
use crate::probe::kinds::ICMP_KINDS;

pub(super) static FLAGS: [Flag; 6] = [
    value("--ping-count", "N", "echo requests of one check, 1 to 20", |line, text| {
        put(&mut line.settings.probe.ping.count, values::ping_count(text))
    })
    .default("1")
    .kinds(ICMP_KINDS, |settings| settings.probe.ping.count = None),
    value("--ping-interval", "TIME", "time between two requests: 0.2, 200ms", |line, text| {
        put(&mut line.settings.probe.ping.interval, values::timeout(text))
    })
    .default("200ms")
    .kinds(ICMP_KINDS, |settings| settings.probe.ping.interval = None)
    .needs("--ping-count", |settings| settings.probe.ping.has_burst()),
    value("--ping-required", "N", "replies that make the target up", |line, text| {
        put(&mut line.settings.probe.ping.required, values::ping_count(text))
    })
    .default("1")
    .kinds(ICMP_KINDS, |settings| settings.probe.ping.required = None),
    value(
        "--ping-loss",
        "PERCENT",
        "send all requests; degraded if more of them are lost, 0 to 99",
        |line, text| put(&mut line.settings.probe.ping.loss, values::ping_loss(text)),
    )
    .kinds(ICMP_KINDS, |settings| settings.probe.ping.loss = None)
    .needs("--ping-count", |settings| settings.probe.ping.has_burst()),
    value("--ping-ttl", "N", "time to live of the requests, 1 to 255", |line, text| {
        put(&mut line.settings.probe.ping.ttl, values::ping_ttl(text))
    })
    .kinds(ICMP_KINDS, |settings| settings.probe.ping.ttl = None),
    value("--ping-size", "BYTES", "payload of a request, 16 to 1400", |line, text| {
        put(&mut line.settings.probe.ping.size, values::ping_size(text))
    })
    .default("16")
    .kinds(ICMP_KINDS, |settings| settings.probe.ping.size = None),
];
