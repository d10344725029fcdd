//! Costs and time limits, which other load would change: the tests run one after another.
#![allow(clippy::expect_used, clippy::panic)] // Tests fail by panicking.
#![allow(clippy::disallowed_types)] // Tests may block.

#[path = "../common/mod.rs"]
mod common;
#[path = "../hostile/mod.rs"]
mod hostile;

mod budget;
mod clocks;
mod deadlines;
mod hostile_clients;
mod hostile_memory;
mod hostile_targets;
mod large_listing;
mod leaks;
mod limits;
mod programs;
mod stops;
mod systems;
