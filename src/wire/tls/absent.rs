//! Replaces TLS in a build without the feature `tls`.

use std::time::Duration;

use super::Validity;
use crate::result::{Failure, Reason, TlsVersion};

const NO_TLS: &str = "this build has no TLS (feature \"tls\")";

#[derive(Clone, Debug)]
#[allow(dead_code)] // Constructed only in a build with TLS.
pub(crate) struct TlsConfig(());

impl TlsConfig {
    pub(crate) fn new(_verify: bool, _extra_roots: &[u8]) -> Result<Self, String> {
        Err(NO_TLS.to_owned())
    }

    pub(crate) fn only(_roots: &[u8]) -> Result<Self, String> {
        Err(NO_TLS.to_owned())
    }

    pub(crate) fn with_pins(self, _pins: Vec<[u8; 32]>) -> Self {
        self
    }

    pub(crate) fn with_client_certificate(
        self,
        _certificate: &[u8],
        _key: &[u8],
    ) -> Result<Self, ClientCertError> {
        Err(ClientCertError::Cert(NO_TLS.to_owned()))
    }
}

#[derive(Debug)]
#[allow(dead_code)] // Constructed only in a build with TLS.
pub(crate) enum ClientCertError {
    Cert(String),
    Key(String),
}

pub(crate) fn check_server_name(_name: &str) -> Result<(), String> {
    Ok(())
}

pub(crate) enum TlsClient {}

impl TlsClient {
    pub(crate) fn new(_config: &TlsConfig, _host: &str, _unix: Duration) -> Result<Self, Failure> {
        Err(Failure::new(Reason::Local, NO_TLS))
    }

    pub(crate) fn receive(&mut self, _ciphertext: &[u8], _plaintext: &mut Vec<u8>) -> Result<(), Failure> {
        match *self {}
    }

    pub(crate) fn send(&mut self, _plaintext: &[u8]) {
        match *self {}
    }

    pub(crate) fn close(&mut self) {
        match *self {}
    }

    pub(crate) fn take_ciphertext(&mut self) -> Vec<u8> {
        match *self {}
    }

    pub(crate) fn is_handshaking(&self) -> bool {
        match *self {}
    }

    pub(crate) fn awaits_verdict(&self) -> bool {
        match *self {}
    }

    pub(crate) fn is_closed(&self) -> bool {
        match *self {}
    }

    pub(crate) fn version(&self) -> Option<TlsVersion> {
        match *self {}
    }

    pub(crate) fn validity(&self) -> Option<Validity> {
        match *self {}
    }

    pub(crate) fn cut_short(&self) -> Failure {
        match *self {}
    }
}
