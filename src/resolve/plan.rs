//! The order of queries to the servers, and how long each step lasts.
//!
//! glibc queries the second server after 5 s; the default timeout of a TCP check is 2 s. So the servers are
//! queried in the order of the file, the next one as soon as one fails and at the latest after
//! [`SERVER_WAIT`], while the earlier ones may still answer. An unresponsive server is still queried first,
//! but together with the next one, so that a dead server delays one lookup only.
//!
//! Rounds start every second for the number of attempts in resolv.conf. After that the intervals grow
//! (RFC 1123 section 6.1.3.3), but queries continue until the lookup is cancelled, so that on a lossy
//! link the whole timeout of the check is used.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::Transport;
use super::scope::ScopeId;
use super::shared::Shared;

/// How long to wait for a server before the next one is queried too.
pub(super) const SERVER_WAIT: Duration = Duration::from_millis(400);
/// How long to wait for the last server before the first one is queried again.
pub(super) const ROUND_WAIT: Duration = Duration::from_secs(1);
/// How often that time is doubled after the attempts that resolv.conf allows.
const DOUBLINGS_MAX: usize = 2;
/// How long a negative answer waits for the servers listed before, measured from their queries.
const NEGATIVE_WAIT: Duration = Duration::from_secs(1);
/// The same for an unresponsive server.
const UNRESPONSIVE_NEGATIVE_WAIT: Duration = Duration::from_millis(200);
/// Limit of queries per question: more than fit into the longest timeout of a check.
const STEPS_MAX: usize = 4096;
/// The pauses between multicast queries, and after the last (RFC 6762 section 5.2: at least one second,
/// then doubling).
const MULTICAST_PAUSES_MS: [u64; 3] = [1000, 2000, 1000];

pub(super) struct Step {
    pub(super) server: SocketAddr,
    pub(super) transport: Transport,
    pub(super) pause: Duration,
    /// How long a later server's negative answer waits for this query.
    pub(super) negative_wait: Duration,
    pub(super) lasts: Duration,
}

/// Number of queries that are sent even if each of them fails.
pub(super) fn attempts(scope: ScopeId, multicast: bool, shared: &Shared) -> usize {
    let conf = shared.conf(scope);
    if multicast { MULTICAST_PAUSES_MS.len() } else { conf.servers.len() * conf.attempts }
}

/// The query number `index`: each server in turn, in rounds. `None` after the last.
pub(super) fn step(
    index: usize,
    scope: ScopeId,
    multicast: bool,
    shared: &Shared,
    now: Instant,
) -> Option<Step> {
    if multicast {
        let pauses = MULTICAST_PAUSES_MS.get(index..)?;
        return Some(Step {
            server: shared.mdns,
            transport: Transport::Multicast,
            pause: Duration::from_millis(*pauses.first()?),
            negative_wait: Duration::ZERO,
            lasts: Duration::from_millis(pauses.iter().sum()),
        });
    }
    let conf = shared.conf(scope);
    let servers = &conf.servers;
    let server = *servers.get(index % servers.len()).filter(|_| index < STEPS_MAX)?;
    let is_unresponsive = shared.scope(scope).is_unresponsive(server, now);
    let rounds = (index + 1) / servers.len();
    let doublings = (rounds + 1).saturating_sub(conf.attempts.max(2)).min(DOUBLINGS_MAX);
    let pause = match ((index + 1) % servers.len(), is_unresponsive) {
        (0, _) => ROUND_WAIT * (1 << doublings),
        (_, true) => Duration::ZERO,
        (_, false) => SERVER_WAIT,
    };
    Some(Step {
        server,
        transport: if conf.use_vc { Transport::Tcp } else { Transport::Udp },
        pause,
        negative_wait: if is_unresponsive { UNRESPONSIVE_NEGATIVE_WAIT } else { NEGATIVE_WAIT },
        lasts: conf.timeout,
    })
}
