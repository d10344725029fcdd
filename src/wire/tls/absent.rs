//! What stands in for TLS in a build without it: types that no value can have.

use std::time::Duration;

use crate::verdict::Failure;

/// Cannot be made: this build has no TLS.
#[derive(Clone, Debug)]
pub(crate) enum TlsConfig {}

impl TlsConfig {
    /// Always an error, which says why.
    pub(crate) fn new(_verify: bool, _extra_roots: &[u8]) -> Result<Self, String> {
        Err("this build has no TLS (feature \"tls\")".to_owned())
    }
}

/// Cannot be made, since there is no [`TlsConfig`] to make it with.
pub(crate) enum TlsClient {}

impl TlsClient {
    /// Never called.
    pub(crate) fn new(config: &TlsConfig, _host: &str, _unix: Duration) -> Result<Self, Failure> {
        match *config {}
    }

    /// Never called.
    pub(crate) fn receive(&mut self, _ciphertext: &[u8], _plaintext: &mut Vec<u8>) -> Result<(), Failure> {
        match *self {}
    }

    /// Never called.
    pub(crate) fn send(&mut self, _plaintext: &[u8]) {
        match *self {}
    }

    /// Never called.
    pub(crate) fn close(&mut self) {
        match *self {}
    }

    /// Never called.
    pub(crate) fn take_ciphertext(&mut self) -> Vec<u8> {
        match *self {}
    }

    /// Never called.
    pub(crate) fn is_handshaking(&self) -> bool {
        match *self {}
    }

    /// Never called.
    pub(crate) fn is_closed(&self) -> bool {
        match *self {}
    }

    /// Never called.
    pub(crate) fn cut_short(&self) -> Failure {
        match *self {}
    }
}
