//! The library in this process, on real sockets of this machine.
#![allow(clippy::expect_used, clippy::panic)] // Tests fail by panicking.
#![allow(clippy::disallowed_types)] // Tests may block.

#[path = "../common/mod.rs"]
mod common;

mod dns;
mod hooks;
mod metrics;
mod programs;
mod systemd;
mod webhooks;
