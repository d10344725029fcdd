//! The binary on real sockets of this machine.
#![allow(clippy::expect_used, clippy::panic)] // Tests fail by panicking.
#![allow(clippy::disallowed_types)] // Tests may block.

#[path = "../common/mod.rs"]
mod common;

mod acceptance;
mod blackbox;
mod browser;
mod command_line;
mod completions;
mod config;
mod connections;
mod contrib_examples;
mod contrib_hooks;
mod control;
mod daemon;
mod events;
mod examples;
mod exec;
mod external_names;
mod gatus;
mod groups;
mod heartbeat;
mod https;
mod man_pages;
mod name_servers;
mod notifications;
mod openwrt;
mod page;
mod pki;
mod private;
mod process;
mod prometheus;
mod proxies;
mod push;
mod python_version;
mod redirected_bodies;
mod redirects;
mod request_files;
mod requests;
mod responses;
mod service;
mod state_file;
mod systemd;
mod tls_identity;
mod tls_servers;
mod unchecked;
