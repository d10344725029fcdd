//! The most recent check.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use super::Event;
use crate::clock::Now;
use crate::result::{Phases, Reason};

#[derive(Clone, Debug)]
pub(crate) struct Last {
    pub(crate) event: Event,
    pub(crate) detail: Arc<str>,
    pub(crate) latency: Option<Duration>,
    pub(crate) at: Now,
    pub(crate) reason: Option<Reason>,
    pub(crate) phases: Phases,
    pub(crate) address: Option<SocketAddr>,
    pub(crate) http_status: Option<u16>,
    pub(crate) http10: bool,
    pub(crate) tls_not_after: Option<SystemTime>,
}
