//! Broken and hostile targets, shared by the tests of check duration and of memory.
#![allow(dead_code, unreachable_pub)] // Each test binary uses a part of it.

pub mod acts;
#[cfg(feature = "tls")]
pub mod tls;

pub use acts::Peer;

use crate::common::Server;

/// All targets that this build can check.
pub fn peers() -> Vec<Peer> {
    let mut peers = acts::PEERS.to_vec();
    #[cfg(feature = "tls")]
    peers.extend(tls::PEERS);
    peers.retain(|peer| cfg!(feature = "tls") || peer.scheme != "https");
    peers
}

pub fn url(peer: &Peer, server: &Server) -> String {
    let slash = if peer.scheme == "tcp" { "" } else { "/" };
    format!("{}://{}{slash}", peer.scheme, server.address)
}
