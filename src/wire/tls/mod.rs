//! TLS as a byte-to-byte machine: ciphertext in, plaintext out, and the other way round.
//!
//! Sockets and clocks stay outside: [`TlsClient`] is handed bytes and the time, and is asked for
//! bytes. Nothing outside this directory knows which library does the work, and without the
//! feature `tls` the same two types exist but cannot be made.
//!
//! What is refused on purpose: TLS before 1.2; session resumption, because a resumed handshake does
//! not look at the certificate again and a health check must; ALPN, because a server that is asked
//! for nothing speaks HTTP/1.1, while some that do not know the extension's answer refuse.

#[cfg(not(feature = "tls"))]
mod absent;
#[cfg(feature = "tls")]
mod client;
#[cfg(feature = "tls")]
mod config;
#[cfg(feature = "tls")]
mod der;
#[cfg(feature = "tls")]
mod failure;
#[cfg(feature = "tls")]
mod recording_verifier;
#[cfg(test)]
#[cfg(feature = "tls")]
mod tests;
#[cfg(feature = "tls")]
mod verify;

#[cfg(not(feature = "tls"))]
pub(crate) use absent::{TlsClient, TlsConfig};
#[cfg(feature = "tls")]
pub(crate) use client::TlsClient;
#[cfg(feature = "tls")]
pub(crate) use config::TlsConfig;
