//! The HTTP API: which request is answered how.
//!
//! The way of a request: [`client`] takes it off the bytes received, [`routes`] finds the answer,
//! which [`host`] may forbid, and [`response`] writes it; [`response_cache`] spares that when the same is asked
//! again. Nothing here waits or owns a socket: sending an answer, and how long that may take, is the
//! engine's business.

mod blackbox;
pub(crate) mod client;
pub(crate) mod counters;
pub(crate) mod events;
mod exposition;
pub(crate) mod host;
mod listing;
pub(crate) mod metrics;
pub(crate) mod params;
pub(crate) mod response;
pub(crate) mod response_cache;
pub(crate) mod routes;
pub(crate) mod wait;
