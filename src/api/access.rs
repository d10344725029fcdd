//! Which requests may read, and which may control.
//!
//! Control needs the token, whatever the listening address: behind a reverse proxy, every visitor looks local. The
//! token is a header field that no page of another origin can set, because the API permits it nothing in response to a
//! CORS preflight. Requests that browsers mark as coming from another origin are refused even with the token.

use crate::api::host::HostGuard;
use crate::api::page::header_fields;
use crate::api::response::{Response, TEXT};
use crate::text::token::Token;
use crate::wire::http::request::Request;

#[derive(Clone, Debug)]
pub(crate) struct Access {
    hosts: HostGuard,
    token: Option<Token>,
    protects_reads: bool,
    /// `None` without a status page.
    page_fields: Option<String>,
}

impl From<HostGuard> for Access {
    fn from(hosts: HostGuard) -> Self {
        Access { hosts, token: None, protects_reads: false, page_fields: Some(header_fields("")) }
    }
}

impl Access {
    /// The characters of a token besides letters and digits (RFC 6750 section 2.1).
    pub(crate) const TOKEN_PUNCTUATION: &'static str = "-._~+/=";

    /// Without a token, control is refused. With `protects_reads`, reading needs the token, too.
    pub(crate) fn set_token(&mut self, token: Option<Token>, protects_reads: bool) {
        (self.token, self.protects_reads) = (token, protects_reads);
    }

    /// `frame_ancestor` is empty or an origin, see [`header_fields`].
    pub(crate) fn set_page(&mut self, has_page: bool, frame_ancestor: &str) {
        self.page_fields = has_page.then(|| header_fields(frame_ancestor));
    }

    /// The header fields of the status page, if there is one.
    pub(crate) fn page_fields(&self) -> Option<&str> {
        self.page_fields.as_deref()
    }

    pub(crate) fn admits(&self, request: &Request) -> bool {
        self.hosts.admits(request)
    }

    /// `Err` is the response to a request that may not read.
    pub(super) fn check_read(&self, request: &Request) -> Result<(), Response> {
        match &self.token {
            Some(token) if self.protects_reads => check_token(token, request),
            _ => Ok(()),
        }
    }

    /// `Err` is the response to a request that may not control.
    pub(super) fn check_control(&self, request: &Request) -> Result<(), Response> {
        let Some(token) = &self.token else {
            return Err(Response::new(403, TEXT, "this needs a token (see --api-token-file)\n"));
        };
        if !self.is_own_page(request) {
            return Err(Response::new(403, TEXT, "the page is of another origin (see --api-allow-host)\n"));
        }
        check_token(token, request)
    }

    /// Whether a request of a page is of one of the API's own origin. Other clients send neither field.
    fn is_own_page(&self, request: &Request) -> bool {
        let is_own = |origin: &String| self.hosts.is_own_origin(origin, request.host.as_deref());
        !request.is_cross_site && request.origin.as_ref().is_none_or(is_own)
    }
}

fn check_token(token: &Token, request: &Request) -> Result<(), Response> {
    match &request.bearer {
        Some(given) if token.matches(given.as_bytes()) => Ok(()),
        _ => Err(Response { field: "WWW-Authenticate: Bearer\r\n", ..Response::error(401) }),
    }
}
