//! The network: news brought to the engine, and what it wants carried out.

use std::hash::Hasher;
use std::net::SocketAddr;

use super::plan::S;
use super::webhooks::is_post;
use super::world::{Event, News, Sock, World};
use crate::api::counters::ProcessStats;
use crate::engine::{ConnId, Input, Output, Transport};
use crate::result::{Failure, Reason};

impl World {
    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::News(id, news) => self.deliver(id, news),
            Event::Client(id) => self.go_on(id),
            Event::Knock => self.knock(),
            Event::Chaos => self.chaos(),
            Event::Reload => self.reload(),
            Event::Pause => self.pause_any(),
            Event::Hook(id, end) => self.end_hook(id, &end),
            Event::Exit(job, exit, output) => self.end_program(job, Some((exit, output))),
            Event::Job(target) => self.end_job(target),
        }
    }

    fn deliver(&mut self, id: ConnId, news: News) {
        if !self.socks.contains_key(&id) {
            if self.rng.permille(self.plan.weather.stale) {
                self.counters.add("stale: late news of a connection that is gone");
                self.bring_stale(id, news);
            }
            return;
        }
        match news {
            News::Connected => {
                self.note_standing(id);
                self.tell(id, Input::Connected);
                self.greet(id);
            }
            News::Bytes(bytes) if self.engine.room(id) >= bytes.len() => {
                self.note_answered(id);
                self.tell(id, Input::Received(&bytes))
            }
            News::Bytes(_) => {}
            News::Datagram(from, bytes) => self.tell(id, Input::Datagram(from, &bytes)),
            News::Message(fact, bytes) => self.deliver_to_peer(id, fact, &bytes),
            News::Writable => self.write(id),
            News::Closed if self.engine.room(id) > 0 => self.tell(id, Input::Closed),
            News::Closed => {}
            News::Failed(reason) => self.fail(id, reason),
        }
    }

    /// The connection is gone, and the engine is told so.
    pub(super) fn fail(&mut self, id: ConnId, reason: Reason) {
        let target = self.note_peer_failed(id, reason);
        let gone = self.socks.remove(&id);
        self.let_go(gone);
        self.broken.insert(id);
        let failure = match reason {
            Reason::Local => Failure::exhausted(reason.as_str()),
            _ => Failure::new(reason, reason.as_str()),
        };
        self.tell(id, Input::Failed(failure));
        if let Some(target) = target {
            self.check_decided(target);
        }
        self.bury(id);
    }

    fn bring_stale(&mut self, id: ConnId, news: News) {
        let input = match &news {
            News::Connected => Input::Connected,
            News::Bytes(bytes) | News::Message(_, bytes) => Input::Received(bytes),
            News::Datagram(from, bytes) => Input::Datagram(*from, bytes),
            News::Writable => Input::Sent(7),
            News::Closed => Input::Closed,
            News::Failed(reason) => Input::Failed(Failure::new(*reason, "late")),
        };
        self.drain();
        self.tell(id, input);
        assert!(self.engine.poll_output().is_none(), "late news of {id:?} had an effect: {news:?}");
        assert!(self.engine.unsent(id).is_empty() && self.engine.room(id) == 0);
    }

    /// Does what the engine asks for.
    pub(super) fn drain(&mut self) {
        let mut taken = 0;
        while let Some(output) = self.engine.poll_output() {
            taken += 1;
            self.taken += 1;
            assert!(taken < 4000, "the engine never stops asking for things");
            if let Some(id) = self.farewell.filter(|_| !matches!(output, Output::Accept)) {
                assert!(
                    matches!(output, Output::Close(next) | Output::FinalWrite(next, _) if next == id),
                    "a farewell ends with a close"
                );
                self.farewell = None;
            }
            self.note(&output);
            match output {
                Output::Open { id, transport, to, .. } => self.open(id, transport, to),
                Output::Write(id) => {
                    self.assert_known(id);
                    self.read_answer(id);
                    self.writes.push(id);
                }
                Output::Read(id) => {
                    self.assert_known(id);
                    self.notice_stream(id);
                    self.hot.insert(id);
                }
                Output::Shutdown(id) => {
                    self.assert_known(id);
                    self.hear_shutdown(id);
                }
                Output::Close(id) => self.close(id),
                Output::Exec { id, program, target } => self.start_program(id, &program, &target),
                Output::KillProgram(id) => self.kill_program(id),
                Output::BlockingTask(..) => unreachable!("no target here works elsewhere"),
                Output::FinalWrite(id, bytes) => {
                    assert!(!bytes.is_empty());
                    self.farewell = Some(id);
                }
                Output::Accept => {
                    self.accept_paused = None;
                    self.counters.add("accept: paused and resumed");
                }
                Output::RefreshFiles => self.refresh(),
                Output::CheckAddresses => {
                    let has_address = self.has_address;
                    self.note_addresses();
                    self.call(self.at, |engine, now| engine.handle_addresses(has_address, now));
                }
                Output::ReadProcessStats => {
                    self.call(self.at, |engine, now| {
                        engine.handle_process_stats(ProcessStats::default(), now)
                    });
                }
                Output::Spawn { id, env, .. } => self.spawn(id, &env),
                Output::Kill(id) => self.kill(id),
                Output::WriteState(_) => unreachable!("no state is kept here"),
                Output::Notify(text) => self.notified(&text),
                Output::Log(line) => assert!(!line.contains(char::is_control) && !line.contains("s3cret")),
                Output::CheckResult(check) => {
                    let id = check.target;
                    self.check_result(check);
                    self.note_result(id);
                }
            }
        }
        assert!(self.farewell.is_none(), "a farewell without a close");
        self.check_reports();
        let unsure = self.socks.values().any(|sock| matches!(sock, Sock::Query(q) if q.names.is_empty()));
        if !unsure {
            for asked in self.asked.iter_mut().filter(|asked| asked.open == 0) {
                (asked.dirty, asked.local, asked.busy_until) = (false, false, 0);
            }
        }
    }

    /// The reactor passes over connections that broke before the engine knew.
    fn assert_known(&self, id: ConnId) {
        assert!(
            self.socks.contains_key(&id) || self.broken.contains(&id),
            "{id:?} is spoken to after its end"
        );
    }

    /// A new connection's id, never seen before.
    pub(super) fn take_in(&mut self, id: ConnId, sock: Sock) {
        assert!(self.used.insert(id), "{id:?} is used twice");
        self.socks.insert(id, sock);
    }

    fn open(&mut self, id: ConnId, transport: Transport, to: SocketAddr) {
        if is_post(to) {
            self.open_post(id, to);
        } else if let Some(target) = self.peer_of(id, transport, to) {
            self.open_peer(id, target, transport, to);
        } else if matches!(transport, Transport::Tcp | Transport::HalfOpenTcp) && to.port() != 53 {
            self.open_target(id, transport, to);
        } else {
            self.open_query(id, transport, to);
        }
    }

    fn close(&mut self, id: ConnId) {
        let gone = self.socks.remove(&id);
        assert!(self.used.contains(&id), "{id:?} was never there");
        assert!(gone.is_some() || self.broken.contains(&id), "{id:?} is closed twice");
        if let Some(Sock::Client(client)) = &gone {
            self.check_client_closed(id, client);
            if client.follow.is_some() && !client.ended {
                self.counters.add(if client.owing > 0 {
                    "streams: closed unread"
                } else {
                    "streams: closed"
                });
            }
        }
        self.let_go(gone);
        self.bury(id);
    }

    fn let_go(&mut self, gone: Option<Sock>) {
        match gone {
            Some(Sock::Query(query)) => {
                for name in &query.names {
                    self.asked[*name].open -= 1;
                    self.asked[*name].ended_at = Some(self.at);
                }
            }
            Some(Sock::Post(post)) => self.end_post(&post),
            Some(Sock::Target(_) | Sock::Peer(_) | Sock::Client(_)) | None => {}
        }
    }

    fn bury(&mut self, id: ConnId) {
        self.hot.remove(&id);
        if self.dead.len() == 8 {
            self.dead.remove(0);
        }
        self.dead.push(id);
        if self.rng.permille(self.plan.weather.stale / 4) {
            let id = self.dead[self.rng.index(self.dead.len())];
            let news = match self.rng.below(5) {
                0 => News::Connected,
                1 => News::Bytes(b"HTTP/1.1 200 OK\r\n\r\n".to_vec()),
                2 => News::Closed,
                3 => News::Writable,
                _ => News::Failed(Reason::Local),
            };
            let after = self.rng.below(S);
            self.schedule(after, Event::News(id, news));
        }
    }

    /// The system can take bytes.
    pub(super) fn write(&mut self, id: ConnId) {
        match self.socks.get(&id) {
            Some(Sock::Target(_)) => self.write_target(id),
            Some(Sock::Query(_)) => self.write_query(id),
            Some(Sock::Peer(_)) => self.write_peer(id),
            Some(Sock::Client(_)) => self.write_client(id),
            Some(Sock::Post(_)) => self.write_post(id),
            None => {}
        }
    }

    /// Adds what is to be done to the run's fingerprint.
    fn note(&mut self, output: &Output) {
        if self.loud {
            println!("{:>12} us      {output:?}", self.at / 1000);
        }
        let (kind, id) = match output {
            Output::Open { id, .. } => (1, id.0),
            Output::Write(id) => (2, id.0),
            Output::Read(id) => (3, id.0),
            Output::Shutdown(id) => (4, id.0),
            Output::Close(id) => (5, id.0),
            Output::Exec { .. } => (0, 0),
            Output::KillProgram(_) => (0, 1),
            Output::BlockingTask(..) => (10, 0),
            Output::FinalWrite(id, _) => (6, id.0),
            Output::Accept => (7, 0),
            Output::RefreshFiles => (8, 0),
            Output::ReadProcessStats => (11, 0),
            Output::CheckAddresses => (11, 1),
            Output::Spawn { .. } => (12, 0),
            Output::Kill(_) => (13, 0),
            Output::Notify(_) => (14, 0),
            Output::WriteState(_) => (0, 2),
            Output::Log(_) => (15, 0),
            Output::CheckResult(check) => {
                self.hasher.write(check.result.detail.as_bytes());
                (9, check.target.index())
            }
        };
        self.hasher.write_u64(self.at << 4 | kind);
        self.hasher.write_usize(id);
        if let Output::Write(id) = output {
            self.hasher.write(self.engine.unsent(*id));
        }
    }
}
