//! The probe that a description makes.

use std::fmt;
use std::time::Duration;

use crate::clock::Now;
use crate::probe::http::HttpProbe;
use crate::probe::tcp::TcpProbe;
use crate::probe::{Attempt, Probe};

/// A probe made by [`ProbeBuilder::build`](crate::ProbeBuilder::build). Cheap to clone.
///
/// ```
/// # use std::net::TcpListener;
/// # let listener = TcpListener::bind("127.0.0.1:0")?;
/// # let port = listener.local_addr()?.port();
/// use pingstate::{BuiltProbe, Monitor, Probe, probe};
///
/// let ssh: BuiltProbe = probe("tcp", "localhost", port).name("ssh").build()?;
/// assert_eq!((ssh.name(), ssh.target()), ("ssh", &*format!("tcp://localhost:{port}")));
/// let monitor = Monitor::new(ssh.clone()); // Again and again …
/// assert!(ssh.check().ok); // … and once.
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct BuiltProbe(pub(super) Kind);

#[derive(Clone)]
pub(super) enum Kind {
    Tcp(TcpProbe),
    Http(HttpProbe),
}

impl BuiltProbe {
    fn kind(&self) -> &dyn Probe {
        match &self.0 {
            Kind::Tcp(probe) => probe,
            Kind::Http(probe) => probe,
        }
    }
}

impl Probe for BuiltProbe {
    fn name(&self) -> &str {
        self.kind().name()
    }

    fn target(&self) -> &str {
        self.kind().target()
    }

    fn timeout(&self) -> Duration {
        self.kind().timeout()
    }

    fn begin(&self, now: Now) -> Box<dyn Attempt> {
        self.kind().begin(now)
    }
}

impl fmt::Debug for BuiltProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuiltProbe").field("name", &self.name()).field("target", &self.target()).finish()
    }
}
