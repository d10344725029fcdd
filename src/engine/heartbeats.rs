//! API connections that report heartbeats.

use super::api_conn::{State, Upload};
use super::api_conns::ApiConns;
use super::context::Context;
use super::ids::ConnId;
use super::limits::CLIENT_HEAD;
use super::messages::Output;
use super::owners::Owner;
use crate::api::heartbeat::{Report, accepted};
use crate::api::routes::{Reply, reply};
use crate::wire::http::request::Request;
use crate::wire::http::request_body::{InvalidBody, RequestBody};

const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

impl ApiConns {
    #[cold]
    pub(super) fn reply_to_heartbeat(
        &mut self,
        id: ConnId,
        request: Request,
        report: Report,
        body: &[u8],
        cx: &mut Context,
    ) {
        let Some(content) = request.content else {
            return self.finish_heartbeat(id, &request, report, "", cx);
        };
        let Some(conn) = self.conns.get_mut(id) else { return };
        let deadline = cx.now.instant + CLIENT_HEAD;
        conn.head_deadline = Some(deadline);
        conn.state = State::ReadingBody(Box::new(Upload { request, body: RequestBody::new(&content) }));
        cx.timers.set(Owner::Client(id), Some(deadline));
        if content.expects_continue && body.is_empty() {
            conn.outbox.push(CONTINUE.to_vec());
            conn.response_queued_at = cx.now.instant;
            cx.outputs.push_back(Output::Write(id));
        }
        // The reactor may have stopped to read for lack of room.
        cx.outputs.push_back(Output::Read(id));
        self.receive_body(id, body, cx);
    }

    pub(super) fn receive_body(&mut self, id: ConnId, bytes: &[u8], cx: &mut Context) {
        let Some(conn) = self.conns.get_mut(id) else { return };
        let State::ReadingBody(upload) = &mut conn.state else { return };
        match upload.body.receive(bytes) {
            Ok(false) if conn.read_closed => self.close(id, cx),
            Ok(false) => {}
            Err(InvalidBody) => self.refuse(id, 400, cx),
            Ok(true) => {
                let State::ReadingBody(upload) = std::mem::replace(&mut conn.state, State::Reading) else {
                    return;
                };
                let Upload { request, body } = *upload;
                // Once more: a reload can have changed the targets since the head.
                match reply(&request, &cx.targets, &self.access, cx.now) {
                    Reply::Heartbeat(report) => {
                        self.finish_heartbeat(id, &request, report, &body.first_line(), cx);
                    }
                    Reply::Now(response) => self.respond(id, &request, response, request.keep_alive, cx),
                    _ => {}
                }
            }
        }
    }

    fn finish_heartbeat(
        &mut self,
        id: ConnId,
        request: &Request,
        report: Report,
        line: &str,
        cx: &mut Context,
    ) {
        self.heartbeats.push((report.target, report.into_result(line)));
        self.respond(id, request, accepted(), request.keep_alive, cx);
    }
}
