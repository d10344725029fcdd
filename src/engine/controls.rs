//! API connections whose requests control targets, or wait for the deadlines of the turn.

use super::api_conn::State;
use super::api_conns::ApiConns;
use super::context::Context;
use super::ids::ConnId;
use super::owners::Owner;
use crate::api::control::Control;
use crate::api::response::Response;
use crate::api::routes::ListingPage;
use crate::wire::http::request::Request;

impl ApiConns {
    /// The response follows in the same turn.
    #[cold]
    pub(super) fn await_control(&mut self, id: ConnId, request: Request, control: Control) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.await_response(request);
        self.controls.push((id, control));
    }

    /// The response follows after the deadlines of the turn.
    #[cold]
    pub(super) fn await_liveness(&mut self, id: ConnId, request: Request, cx: &mut Context) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        conn.await_response(request);
        self.awaiting_liveness.push(id);
        cx.timers.set(Owner::Client(id), None);
        cx.timers.set(Owner::Liveness, Some(cx.now.instant));
    }

    #[cold]
    pub(super) fn finish_control(
        &mut self,
        id: ConnId,
        response: Result<Response, ListingPage>,
        cx: &mut Context,
    ) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let State::Waiting { request, .. } = std::mem::replace(&mut conn.state, State::Reading) else {
            return;
        };
        match response {
            Ok(response) => self.respond(id, &request, response, request.keep_alive, cx),
            Err(page) => self.reply_with_listing(id, request, (page, ""), cx),
        }
    }
}
