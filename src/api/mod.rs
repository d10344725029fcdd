//! The HTTP API.
//!
//! [`client`] parses requests from the received bytes, [`access`] decides what they may do, [`routes`] selects the
//! response and [`response`] formats it. The API owns no socket and no deadline: the engine sends responses.

pub(crate) mod access;
mod badge;
mod blackbox;
pub(crate) mod client;
pub(crate) mod control;
pub(crate) mod counters;
pub(crate) mod events;
mod exposition;
mod gatus;
pub(crate) mod heartbeat;
pub(crate) mod host;
pub(crate) mod listing;
pub(crate) mod metrics;
pub(crate) mod page;
pub(crate) mod params;
pub(crate) mod response;
pub(crate) mod routes;
pub(crate) mod wait;
