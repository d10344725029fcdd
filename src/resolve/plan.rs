//! The order in which servers are asked, and how long each step lasts.
//!
//! glibc asks the second server when the first has been silent for five seconds; a check has two
//! in all. So the servers are asked in the order of the file, the next one as soon as one fails
//! and at the latest after [`SERVER_PATIENCE`], while the earlier ones may still answer. A slow server
//! is still asked first, but the next one at the same time, so that a dead server delays one lookup
//! and not every one.
//!
//! Rounds follow each other every second for as many attempts as resolv.conf says. Then they become
//! rarer (RFC 1123 section 6.1.3.3), but go on for as long as a check waits for the answer, so that on a
//! lossy link the whole timeout of the check is used. Some server is always being asked.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::Transport;
use super::shared::Shared;

/// How long a server may be silent before the next one is asked too.
pub(super) const SERVER_PATIENCE: Duration = Duration::from_millis(400);
/// How long the last server may be silent before the first one is asked again.
pub(super) const ROUND_PATIENCE: Duration = Duration::from_secs(1);
/// How often that time is doubled after the attempts that resolv.conf allows.
const DOUBLINGS_MAX: usize = 2;
/// How long a denial waits for the servers listed before, from when they were asked.
const DENIAL_PATIENCE: Duration = Duration::from_secs(1);
/// The same for a server that is slow anyway.
const SLOW_DENIAL_PATIENCE: Duration = Duration::from_millis(200);
/// How many queries one question may lead to: more than fit into the longest timeout of a check.
const STEPS_MAX: usize = 4096;
/// When multicast questions are repeated, and when the last is given up (RFC 6762 section 5.2: a
/// second at first, then doubling).
const MULTICAST_PAUSES_MS: [u64; 3] = [1000, 2000, 1000];

/// Which server to ask in one step, and how long to wait.
pub(super) struct Step {
    pub(super) server: SocketAddr,
    pub(super) transport: Transport,
    /// Until the next step.
    pub(super) pause: Duration,
    /// How long a later server's denial waits for this one.
    pub(super) negative_wait: Duration,
    pub(super) lasts: Duration,
}

/// How many queries are sent even if every one of them meets an error.
pub(super) fn attempts(shared: &Shared, multicast: bool) -> usize {
    if multicast { MULTICAST_PAUSES_MS.len() } else { shared.conf.servers.len() * shared.conf.attempts }
}

/// Each server in turn, round after round.
pub(super) fn step(index: usize, multicast: bool, shared: &Shared, now: Instant) -> Option<Step> {
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
    let servers = &shared.conf.servers;
    let server = *servers.get(index % servers.len()).filter(|_| index < STEPS_MAX)?;
    let is_slow = shared.is_slow(server, now);
    let rounds = (index + 1) / servers.len();
    let doublings = (rounds + 1).saturating_sub(shared.conf.attempts.max(2)).min(DOUBLINGS_MAX);
    let pause = match ((index + 1) % servers.len(), is_slow) {
        (0, _) => ROUND_PATIENCE * (1 << doublings),
        (_, true) => Duration::ZERO,
        (_, false) => SERVER_PATIENCE,
    };
    Some(Step {
        server,
        transport: if shared.conf.use_vc { Transport::Tcp } else { Transport::Udp },
        pause,
        negative_wait: if is_slow { SLOW_DENIAL_PATIENCE } else { DENIAL_PATIENCE },
        lasts: shared.conf.timeout,
    })
}
