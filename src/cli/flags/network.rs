//! The flags of the sockets of targets.

use super::{Flag, push, put, value};
use crate::cli::values;
use crate::network::{AddressFamily, Network};
use crate::probe::kinds::NETWORK_KINDS;

pub(super) static FLAGS: [Flag; 5] = [
    value("--interface", "NAME", "send through this network interface only", |line, text| {
        put(&mut line.settings.probe.network.interface, values::interface(text))
    })
    .kinds(NETWORK_KINDS, |settings| settings.probe.network.interface = None),
    value("--source", "ADDRESS", "connect from this address of this machine", |line, text| {
        put(&mut line.settings.probe.network.source, values::address(text))
    })
    .kinds(NETWORK_KINDS, |settings| settings.probe.network.source = None),
    value("--fwmark", "N", "mark packets for routing rules: 2, 0x10", |line, text| {
        put(&mut line.settings.probe.network.fwmark, values::fwmark(text))
    })
    .kinds(NETWORK_KINDS, |settings| settings.probe.network.fwmark = None),
    value("--family", "FAMILY", "use addresses of this family: any, 4 or 6", |line, text| {
        line.settings.probe.network.family = values::family(text)?;
        Ok(())
    })
    .default("any")
    .kinds(NETWORK_KINDS, |settings| settings.probe.network.family = AddressFamily::Any),
    value(
        "--dns",
        "ADDR[:PORT]",
        "name server to query instead of those in resolv.conf; repeatable. Those before the first target also \
         serve webhooks and periodic requests",
        |line, text| {
            let servers = &mut line.settings.probe.network.servers;
            push(servers, values::dns_server(text), Network::SERVERS_MAX)
        },
    )
    .replacing(|settings| settings.probe.network.servers.clear())
    .kinds(NETWORK_KINDS, |settings| settings.probe.network.servers.clear()),
];
