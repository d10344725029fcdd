//! The probe that a builder makes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Now;
use crate::network::Network;
use crate::probe::kinds::{self, Kind};
use crate::probe::{Attempt, Heartbeat, Probe};

/// A probe built by [`ProbeBuilder::build`](crate::ProbeBuilder::build). Cheap to clone.
///
/// ```
/// # use std::net::TcpListener;
/// # let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let port = listener.local_addr()?.port();
/// use pingstate::{Monitor, NetProbe, probe};
///
/// let ssh: NetProbe = probe("tcp", "localhost", port).name("ssh").build()?;
/// let monitor = Monitor::new(ssh.clone()); // Periodic checks.
/// assert!(ssh.check().ok); // A single check.
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct NetProbe {
    pub(super) name: String,
    pub(super) url: String,
    pub(super) timeout: Duration,
    pub(super) plan: Arc<dyn Plan>,
    pub(super) network: Option<Arc<Network>>,
}

pub(crate) trait Plan: Send + Sync {
    fn begin(self: Arc<Self>, now: Now) -> Box<dyn Attempt>;

    fn runs_program(&self) -> bool {
        false
    }

    fn heartbeat(&self) -> Option<&Heartbeat> {
        None
    }
}

impl Probe for NetProbe {
    fn name(&self) -> &str {
        &self.name
    }

    fn url(&self) -> &str {
        &self.url
    }

    fn timeout(&self) -> Duration {
        self.timeout
    }

    fn default_interval(&self) -> Duration {
        Kind::of_url(&self.url).map_or(kinds::INTERVAL, Kind::interval)
    }

    fn runs_program(&self) -> bool {
        self.plan.runs_program()
    }

    fn heartbeat(&self) -> Option<&Heartbeat> {
        self.plan.heartbeat()
    }

    fn network(&self) -> Option<&Arc<Network>> {
        self.network.as_ref()
    }

    fn begin(&self, now: Now) -> Box<dyn Attempt> {
        self.plan.clone().begin(now)
    }
}

impl fmt::Debug for NetProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetProbe").field("name", &self.name()).field("url", &self.url()).finish()
    }
}
