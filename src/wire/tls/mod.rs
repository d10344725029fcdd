//! TLS as a sans-I/O state machine that converts between ciphertext and plaintext.
//!
//! [`TlsClient`] has neither sockets nor a clock: the caller passes received bytes and the time, and takes
//! the bytes to send. No module outside this directory depends on the TLS library. Without the feature
//! `tls` the same two types exist but cannot be constructed.
//!
//! Not supported, on purpose: TLS before 1.2; session resumption, because a resumed handshake does not
//! verify the certificate again and a health check must; ALPN, because a server speaks HTTP/1.1 without
//! it, and some servers that do not implement it refuse the handshake.

use std::time::Duration;

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
mod pem;
#[cfg(test)]
#[cfg(feature = "tls")]
mod tests;
#[cfg(feature = "tls")]
mod verify;

#[cfg(not(feature = "tls"))]
pub(crate) use absent::{ClientCertError, TlsClient, TlsConfig, check_server_name};
#[cfg(feature = "tls")]
pub(crate) use client::{TlsClient, check_server_name};
#[cfg(feature = "tls")]
pub(crate) use config::TlsConfig;
#[cfg(feature = "tls")]
pub(crate) use pem::ClientCertError;

/// The validity period of a certificate, both ends included, as times since 1970.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    pub(crate) not_before: Duration,
    pub(crate) not_after: Duration,
}
