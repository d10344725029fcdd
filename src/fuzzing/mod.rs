//! What must hold for any bytes whatever: properties that fuzzers search for a way to break.
//!
//! Each function takes arbitrary bytes and panics if a property does not hold for them. The targets
//! in `fuzz/` call nothing else; a test replays their corpora and all past findings, so that an
//! ordinary `cargo test` checks the same properties with the inputs that are worth keeping.

// A property that does not hold is a panic, here as in a test.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod body;
mod chunked;
mod cli;
mod conf;
mod dns;
mod engine;
mod location;
mod message;
mod request;
mod resolver;
mod response;
mod source;
#[cfg(test)]
mod tests;
mod verdict;

pub use chunked::chunked;
pub use cli::cli;
pub use conf::conf;
pub use dns::{DnsReading, dns, dns_reading};
pub use engine::engine;
pub use location::location;
pub use request::request;
pub use resolver::resolver;
pub use response::response;
pub use verdict::verdict;

use source::Source;
