//! A tiny uptime daemon, and a library.

mod api;
mod check;
mod clock;
mod engine;
mod fsm;
mod monitor;
mod probe;
mod reactor;
mod resolve;
mod snapshot;
mod verdict;
mod wire;
