//! Properties that must hold for arbitrary bytes.
//!
//! Each function takes arbitrary bytes and panics if a property does not hold for them. The targets in `fuzz/` call
//! these functions; a test replays their corpora and all past findings under `cargo test`.

// A violated property is a panic, as in a test.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]

mod body;
mod chunked;
mod cli;
mod conf;
mod dns;
mod icmp;
mod json;
mod location;
mod message;
mod records;
mod request;
mod resolver;
mod response;
mod source;
mod state_file;
#[cfg(test)]
mod tests;
mod verdict;

pub use chunked::chunked;
pub use cli::cli;
pub use conf::conf;
pub use dns::{DnsReading, dns, dns_reading};
pub use icmp::icmp;
pub use json::json;
pub use location::location;
pub use records::records;
pub use request::request;
pub use resolver::resolver;
pub use response::response;
pub use state_file::state_file;
pub use verdict::verdict;

use source::Source;

/// The choices of one run of the simulation.
pub fn engine(data: &[u8]) {
    crate::sim::run_with(data);
}
