//! The probe that a builder makes.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Now;
use crate::probe::http::{HttpAttempt, HttpPlan};
use crate::probe::tcp::{TcpAttempt, TcpPlan};
use crate::probe::{Attempt, Probe};

/// A probe built by [`ProbeBuilder::build`](crate::ProbeBuilder::build). Cheap to clone.
///
/// ```
/// # use std::net::TcpListener;
/// # let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let port = listener.local_addr()?.port();
/// use pingstate::{NetProbe, Monitor, Probe, probe};
///
/// let ssh: NetProbe = probe("tcp", "localhost", port).name("ssh").build()?;
/// assert_eq!((ssh.name(), ssh.url()), ("ssh", &*format!("tcp://localhost:{port}")));
/// let monitor = Monitor::new(ssh.clone()); // Periodic checks.
/// assert!(ssh.check().ok); // A single check.
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct NetProbe {
    url: String,
    plan: Plan,
}

/// Shared by all attempts of one target.
#[derive(Clone)]
pub(super) enum Plan {
    Tcp(Arc<TcpPlan>),
    Http(Arc<HttpPlan>),
}

impl NetProbe {
    pub(super) fn new(plan: Plan) -> Self {
        let url = match &plan {
            Plan::Tcp(plan) => &plan.url,
            Plan::Http(plan) => &plan.url,
        };
        NetProbe { url: url.to_string(), plan }
    }
}

impl Probe for NetProbe {
    fn name(&self) -> &str {
        match &self.plan {
            Plan::Tcp(plan) => &plan.name,
            Plan::Http(plan) => &plan.name,
        }
    }

    fn url(&self) -> &str {
        &self.url
    }

    fn timeout(&self) -> Duration {
        match &self.plan {
            Plan::Tcp(plan) => plan.timeout,
            Plan::Http(plan) => plan.timeout,
        }
    }

    fn begin(&self, now: Now) -> Box<dyn Attempt> {
        match &self.plan {
            Plan::Tcp(plan) => Box::new(TcpAttempt::new(plan.clone(), now)),
            Plan::Http(plan) => Box::new(HttpAttempt::new(plan.clone(), now)),
        }
    }
}

impl fmt::Debug for NetProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NetProbe").field("name", &self.name()).field("url", &self.url()).finish()
    }
}
