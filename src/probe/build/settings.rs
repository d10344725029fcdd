//! The settings of a probe before they are validated.

use std::borrow::Cow;
use std::time::Duration;

use super::{ProbeBuilder, TlsTrust};
use crate::check::{HttpClosure, TcpClosure};

/// The settings of all kinds. Each kind ignores those that do not apply to it.
pub(crate) struct Settings {
    pub(crate) check: Check,
    pub(crate) timeout: Duration,
    pub(crate) verify: bool,
    pub(crate) ca_pem: Vec<u8>,
    pub(crate) trust: Option<TlsTrust>,
    pub(crate) method: Cow<'static, str>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) max_body: usize,
    pub(crate) follow: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            check: Check::Spec(String::new()),
            timeout: Duration::ZERO,
            verify: true,
            ca_pem: Vec::new(),
            trust: None,
            method: Cow::Borrowed("GET"),
            headers: Vec::new(),
            max_body: ProbeBuilder::BODY_DEFAULT,
            follow: true,
        }
    }
}

/// A check that has not been validated yet.
pub(crate) enum Check {
    Spec(String),
    Response(HttpClosure),
    Banner(TcpClosure),
}
