//! The flags of http and https targets.

use super::{Flag, push, put, switch, value};
use crate::cli::values;
use crate::probe::kinds::HTTP_KINDS;

const HEADERS_MAX: usize = 64;

pub(super) static FLAGS: [Flag; 8] = [
    value("--method", "METHOD", "", |line, text| put(&mut line.settings.probe.method, values::method(text)))
        .default("GET; POST with a body")
        .kinds(HTTP_KINDS, |settings| settings.probe.method = None),
    value("--body", "TEXT", "send this body, at most 64 KiB", |line, text| {
        line.settings.body_file = None;
        put(&mut line.settings.probe.body, values::body(text))
    })
    .kinds(HTTP_KINDS, |settings| settings.probe.body = None),
    value("--body-file", "FILE", "send the content of this file", |line, text| {
        line.settings.probe.body = None;
        put(&mut line.settings.body_file, values::plain(text).map(Into::into))
    })
    .kinds(HTTP_KINDS, |settings| settings.body_file = None),
    value("--basic-auth-file", "FILE", "log in with the name:password in this file", |line, text| {
        put(&mut line.settings.basic_auth_file, values::plain(text).map(Into::into))
    })
    .kinds(HTTP_KINDS, |settings| settings.basic_auth_file = None),
    value("--header", "'NAME: VALUE'", "also send this header field; repeatable", |line, text| {
        push(&mut line.settings.probe.headers, values::header(text), HEADERS_MAX)
    })
    .kinds(HTTP_KINDS, |settings| settings.probe.headers.clear()),
    value("--header-file", "FILE", "also send the header fields in this file, one per line", |line, text| {
        put(&mut line.settings.header_file, values::plain(text).map(Into::into))
    })
    .kinds(HTTP_KINDS, |settings| settings.header_file = None),
    value("--max-body", "BYTES", "bytes of a body that are searched, 1 to 16777216", |line, text| {
        put(&mut line.settings.probe.max_body, values::max_body(text))
    })
    .default("65536")
    .kinds(HTTP_KINDS, |settings| settings.probe.max_body = None),
    switch("--no-redirect", "evaluate a redirect instead of following it", |line| {
        line.settings.probe.follow_redirects = Some(false);
    })
    .kinds(HTTP_KINDS, |settings| settings.probe.follow_redirects = None),
];
