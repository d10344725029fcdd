//! The flags of https and tls targets.

use super::{Flag, push, put, switch, value};
use crate::cli::values;
use crate::probe::kinds::{CERT_KINDS, TLS_KINDS};

const PINS_MAX: usize = 16;

pub(super) static FLAGS: [Flag; 9] = [
    value("--ca-file", "PEM", "also trust these certificates", |line, text| {
        put(&mut line.settings.ca_file, values::plain(text).map(Into::into))
    })
    .kinds(TLS_KINDS, |settings| {
        if !settings.notifications.has_https_webhook() {
            settings.ca_file = None;
        }
    }),
    switch("--ca-only", "trust no other certificates", |line| line.settings.ca_only = true)
        .kinds(TLS_KINDS, |settings| settings.ca_only = false)
        .needs("--ca-file", |settings| settings.ca_file.is_some()),
    // The Python version accepts it for tcp, too.
    switch("--no-verify-tls", "accept any certificate", |line| line.settings.no_verify_tls = true)
        .kinds(TLS_KINDS, |settings| settings.no_verify_tls = false)
        .tolerated(),
    value(
        "--cert-days",
        "N|P%",
        "degraded while the certificate is valid for less than N days or P percent of its lifetime",
        |line, text| put(&mut line.settings.probe.cert_days, values::cert_days(text)),
    )
    .kinds(CERT_KINDS, |settings| settings.probe.cert_days = None),
    value(
        "--pin",
        "sha256//BASE64",
        "accept only this public key, also with --no-verify-tls; repeatable",
        |line, text| push(&mut line.settings.probe.pins, values::plain(text), PINS_MAX),
    )
    .kinds(CERT_KINDS, |settings| settings.probe.pins.clear()),
    value("--tls-name", "NAME", "name that the certificate is for (SNI)", |line, text| {
        put(&mut line.settings.probe.tls_name, values::plain(text))
    })
    .default("host of the URL")
    .kinds(CERT_KINDS, |settings| settings.probe.tls_name = None),
    value("--cert", "PEM", "client certificate, and those of its issuers", |line, text| {
        put(&mut line.settings.cert, values::plain(text).map(Into::into))
    })
    .kinds(CERT_KINDS, |settings| settings.cert = None),
    value("--key", "PEM", "key of the client certificate", |line, text| {
        put(&mut line.settings.key, values::plain(text).map(Into::into))
    })
    .default("in the file of --cert")
    .kinds(CERT_KINDS, |settings| settings.key = None)
    .needs("--cert", |settings| settings.cert.is_some()),
    value("--connect-to", "HOST[:PORT]", "connect here instead of to the host of the URL", |line, text| {
        put(&mut line.settings.probe.connect_to, values::plain(text))
    })
    .kinds(CERT_KINDS, |settings| settings.probe.connect_to = None),
];
