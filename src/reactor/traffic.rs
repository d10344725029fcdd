//! Transfers data and connection events between the sockets and the engine.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mio::Token;
use mio::event::Event;

use super::socket::{Received, Socket};
use super::{READS_PER_TURN, Reactor, clock, io_error};
use crate::clock::Now;
use crate::engine::{ConnId, Input, Transport};
use crate::network::Network;
use crate::result::Failure;

/// Without it the loop would spin until the kernel has memory and buffers again.
const BACKOFF: Duration = Duration::from_millis(10);

impl Reactor {
    /// Handles a readiness event. Its flags are hints; reads and writes give the actual state.
    pub(super) fn handle_readiness(&mut self, id: ConnId, event: &Event, now: Now) {
        let Some(socket) = self.sockets.get_mut(id) else { return };
        if socket.connecting {
            match socket.is_connected(event) {
                Ok(false) => return,
                Ok(true) => {
                    socket.connecting = false;
                    self.engine.handle_input(id, Input::Connected, now);
                }
                Err(error) => {
                    let failure = io_error::of_connect(&error, socket.to);
                    return self.fail(id, failure, now);
                }
            }
        }
        let Some(socket) = self.sockets.get_mut(id) else { return };
        socket.note_event(event);
        if event.is_writable() && !self.engine.unsent(id).is_empty() {
            self.writes.push(id);
        }
        self.read(id, now);
    }

    /// Reads available data, up to the engine's buffer space and [`READS_PER_TURN`].
    pub(super) fn read(&mut self, id: ConnId, now: Now) {
        for _ in 0..READS_PER_TURN {
            let Some(socket) = self.sockets.get_mut(id) else { return };
            if !socket.unread || socket.connecting {
                return;
            }
            let room = self.engine.room(id).min(self.buffer.len());
            if room == 0 {
                return;
            }
            let input = match socket.receive(&mut self.buffer[..room]) {
                Ok(Received::Nothing) => return,
                Ok(Received::Bytes(len)) => Input::Received(&self.buffer[..len]),
                Ok(Received::Datagram(from, len)) => Input::Datagram(from, &self.buffer[..len]),
                Ok(Received::IcmpMessage { start, len, hop_limit }) => {
                    Input::IcmpMessage { bytes: &self.buffer[start..start + len], hop_limit }
                }
                Ok(Received::IcmpError { failure, len }) => {
                    Input::IcmpError { failure, quoted: &self.buffer[..len] }
                }
                Ok(Received::End) => {
                    socket.unread = false;
                    Input::Closed
                }
                Err(error) => return self.handle_error(id, &error, now),
            };
            self.engine.handle_input(id, input, now);
        }
        self.ready_without_event.insert(id);
    }

    /// Data that the engine queues meanwhile waits for the next turn.
    pub(super) fn write(&mut self, id: ConnId, now: Now) {
        loop {
            let Some(socket) = self.sockets.get_mut(id) else { return };
            let bytes = self.engine.unsent(id);
            if bytes.is_empty() || socket.connecting {
                return;
            }
            let len = bytes.len();
            match socket.send(bytes) {
                Ok(None) => return,
                Ok(Some(count)) => {
                    self.engine.handle_input(id, Input::Sent(count), now);
                    if count == len {
                        return;
                    }
                }
                Err(error) => return self.handle_error(id, &error, now),
            }
        }
    }

    fn handle_error(&mut self, id: ConnId, error: &io::Error, now: Now) {
        let Some(socket) = self.sockets.get(id) else { return };
        if io_error::is_resource_exhaustion(error) {
            return self.back_off(id, now);
        }
        let failure = match socket.is_icmp() {
            // There is no connection that could break: it cannot be sent, for example for lack of a route.
            true => io_error::of_connect(error, socket.to),
            false => io_error::of_stream(error, socket.to),
        };
        self.fail(id, failure, now);
    }

    fn back_off(&mut self, id: ConnId, now: Now) {
        self.waiting.insert(id);
        self.waits_until.get_or_insert(now.instant + BACKOFF);
    }

    fn fail(&mut self, id: ConnId, failure: Failure, now: Now) {
        self.sockets.remove(id);
        self.engine.handle_input(id, Input::Failed(failure), now);
    }

    pub(super) fn open(
        &mut self,
        id: ConnId,
        transport: Transport,
        to: SocketAddr,
        network: Option<Arc<Network>>,
        now: Now,
    ) {
        match Socket::open(transport, to, network.as_deref()) {
            Ok(socket) => {
                let is_connected = transport != Transport::Multicast && !socket.connecting;
                self.sockets.insert(id, socket);
                self.unregistered.push(id);
                if is_connected {
                    // Connecting took time within this turn.
                    self.engine.handle_input(id, Input::Connected, clock::now());
                }
                if matches!(transport, Transport::Icmp { .. }) {
                    // The time of a ping is measured from here.
                    self.write(id, now);
                }
            }
            Err(error) => {
                let failure = io_error::of_connect(&error, to);
                self.engine.handle_input(id, Input::Failed(failure), now);
            }
        }
    }

    /// Registers opened sockets that are still open: many are connected and closed before they must wait
    /// for an event. Returns true if a failure was passed to the engine.
    pub(super) fn register_opened(&mut self, now: Now) -> bool {
        let mut has_failed = false;
        for id in std::mem::take(&mut self.unregistered) {
            let Some(socket) = self.sockets.get_mut(id) else { continue };
            match socket.register(self.poll.registry(), Token(id.0)) {
                Ok(()) => {}
                Err(error) if io_error::is_resource_exhaustion(&error) && !socket.connecting => {
                    self.unregistered.push(id);
                    self.back_off(id, now);
                }
                Err(error) => {
                    let failure = io_error::of_connect(&error, socket.to);
                    self.fail(id, failure, now);
                    has_failed = true;
                }
            }
        }
        has_failed
    }

    pub(super) fn accept(&mut self, now: Now) {
        for _ in 0..self.engine.accepts_per_turn() {
            let Some(listener) = self.listener.as_ref().filter(|_| self.may_accept) else { return };
            match listener.accept() {
                Ok((stream, from)) => {
                    let id = self.engine.accept(now);
                    let mut socket = Socket::accepted(stream, from);
                    match socket.register(self.poll.registry(), Token(id.0)) {
                        Ok(()) => {
                            self.sockets.insert(id, socket);
                        }
                        Err(error) => {
                            let failure = io_error::of_stream(&error, from);
                            self.engine.handle_input(id, Input::Failed(failure), now);
                        }
                    }
                }
                Err(error) => match error.kind() {
                    // The client disconnected before it was accepted.
                    ErrorKind::Interrupted | ErrorKind::ConnectionAborted | ErrorKind::ConnectionReset => {}
                    kind => {
                        self.may_accept = false;
                        if kind != ErrorKind::WouldBlock {
                            self.engine.handle_accept_failed(now);
                        }
                    }
                },
            }
            self.process_outputs(now);
        }
    }
}
