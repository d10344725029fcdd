//! The targets' servers: how each try of a target is met, and what must come of it.

use std::net::SocketAddr;

use super::names::{CAST, has_both, hosts, is_spare};
use super::peers::{Dialing, Expected, Script};
use super::plan::{Flood, MS, NEEDLE, PORT, S, Wants};
use super::world::{Event, News, Sock, World};
use crate::engine::{ConnId, Input, Transport};
use crate::result::{ProbeResult, Reason};

/// How a target meets one try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Fine,
    /// Fine, but some addresses that can be spared are dead or refuse.
    Patchy,
    /// Fine, but dead in one family, where there are two.
    OneFamily,
    Refuse,
    Unreachable,
    Blackhole,
    /// This machine has no socket for it, ever.
    NoSockets,
    Mute,
    /// Half an answer, and then nothing.
    Stuck,
    Hangup,
    Reset,
    Wrong,
    Cut,
    Foreign,
    Loop,
    BadLocation,
    TooFar,
    /// Whatever.
    Wild,
}

/// What goes wrong: with any target, and with those of the kind http.
const TROUBLES: [Mood; 17] = [
    Mood::Patchy,
    Mood::Refuse,
    Mood::Unreachable,
    Mood::Blackhole,
    Mood::NoSockets,
    Mood::Mute,
    Mood::Hangup,
    Mood::Reset,
    Mood::Wrong,
    Mood::Wild,
    Mood::Stuck,
    Mood::Cut,
    Mood::Foreign,
    Mood::Loop,
    Mood::BadLocation,
    Mood::TooFar,
    Mood::Wild,
];

/// One try of a target, as the world sees it.
pub(super) struct ProbeRun {
    pub(super) begun: u64,
    pub(super) deadline: u64,
    /// How often its deadline has been put off.
    pub(super) stalls: u8,
    pub(super) mood: Mood,
    /// By how much the world, though well-meaning, has held it up at most.
    pub(super) cost: u64,
    /// Name servers have lied to it or were not there.
    pub(super) misled: bool,
    /// The family that is dead, for those who are alive in one only.
    pub(super) dead_v6: bool,
    /// How often this machine had no socket for it.
    pub(super) locals: u64,
    /// The names it has to resolve, by their places in [`hosts`].
    pub(super) names: Vec<usize>,
    /// How many redirects are still to come, and how many have been.
    pub(super) hops: u8,
    pub(super) hop: u8,
    pub(super) path: String,
    /// For the kinds of targets that have one.
    pub(super) script: Script,
    pub(super) dialing: Dialing,
    /// What must come of it, as soon as that is certain.
    pub(super) expected: Option<Expected>,
    /// What it came to, until that is told.
    pub(super) ended: Option<ProbeResult>,
}

/// A connection to a target.
pub(super) struct Site {
    pub(super) target: usize,
    pub(super) standing: bool,
    heard: Vec<u8>,
    answered: bool,
}

impl World {
    /// A target's try has begun: how will it be met?
    pub(super) fn begin_run(&mut self, target: usize) {
        if self.begin_scripted(target) {
            return;
        }
        let plan = &self.plan.targets[target];
        let troubles = if plan.is_http() { &TROUBLES[..] } else { &TROUBLES[..10] };
        let mut mood = if self.rng.permille(self.plan.weather.trouble) {
            self.rng.pick(troubles)
        } else {
            self.rng.pick(&[Mood::Fine, Mood::Fine, Mood::Patchy, Mood::OneFamily])
        };
        if matches!(mood, Mood::Loop | Mood::BadLocation | Mood::TooFar) && !plan.follow {
            mood = Mood::Wrong;
        }
        let hops = match mood {
            Mood::TooFar => 11,
            _ if plan.is_http() && plan.follow && self.rng.permille(250) => self.rng.range(1, 3) as u8,
            _ => 0,
        };
        let dead_v6 = self.rng.permille(500);
        let (timeout, path, host) = (plan.timeout, plan.path.to_owned(), plan.host);
        let mut this = ProbeRun::new(self.seen, timeout);
        (this.mood, this.dead_v6, this.hops, this.path) = (mood, dead_v6, hops, path);
        self.runs[target] = Some(this);
        self.want_name(target, host);
    }

    /// The try has to resolve this name: what is going on with it concerns the try from now on.
    fn want_name(&mut self, target: usize, name: usize) {
        let Some(this) = &mut self.runs[target] else { return };
        this.names.push(name);
        if !hosts()[name].is_asked() {
            return;
        }
        let asked = &self.asked[name];
        // Where there are too many names, some are never asked for.
        let is_crowded = self.plan.flood == Some(Flood::ResolverConfig);
        this.misled |= asked.dirty || asked.poisoned_until > self.at || is_crowded;
        this.cost += asked.busy_until.saturating_sub(self.at);
    }

    /// A span of network time, which the try that waits for it has less of.
    pub(super) fn lag(&mut self, target: usize) -> u64 {
        let slow = self.plan.weather.slow;
        let span = if self.rng.permille(slow) {
            let longest = if self.rng.permille(200) { 3 * S } else { 200 * MS };
            self.rng.below(longest)
        } else {
            self.rng.below(3 * MS)
        };
        if let Some(this) = &mut self.runs[target] {
            this.cost += span;
        }
        span
    }

    fn charge(&mut self, target: usize, span: u64) {
        if let Some(this) = &mut self.runs[target] {
            this.cost += span;
        }
    }

    pub(super) fn open_target(&mut self, id: ConnId, transport: Transport, to: SocketAddr) {
        let target = usize::from(to.port() - PORT);
        let is_half_open = self.plan.targets[target].wants == Wants::HalfOpen;
        assert_eq!(transport, if is_half_open { Transport::HalfOpenTcp } else { Transport::Tcp });
        let site = Site { target, standing: false, heard: Vec::new(), answered: false };
        self.take_in(id, Sock::Target(site));
        let Some(this) = &mut self.runs[target] else {
            // The result has come in the same batch of outputs; the close is to follow.
            return;
        };
        let (mood, is_dead_family) = (this.mood, this.dead_v6 == to.is_ipv6());
        if mood == Mood::NoSockets || self.rng.permille(self.plan.weather.local) {
            this.locals += 1;
            this.cost += 50 * MS;
            self.counters.add("local: no socket for a target");
            return self.fail(id, Reason::Local);
        }
        let fate = match mood {
            Mood::Refuse => Some(Reason::Refused),
            Mood::Unreachable => Some(Reason::Unreachable),
            Mood::Blackhole => None,
            Mood::OneFamily if is_dead_family && has_both(to.ip()) => {
                self.rng.pick(&[Some(Reason::Refused), Some(Reason::Unreachable), None])
            }
            Mood::Patchy if is_spare(to.ip()) => {
                self.rng.pick(&[Some(Reason::Refused), Some(Reason::Unreachable), None])
            }
            Mood::Wild => self.rng.pick(&[
                Some(Reason::Refused),
                Some(Reason::Reset),
                Some(Reason::ConnectTimeout),
                None,
                Some(Reason::Custom),
                Some(Reason::Custom),
            ]),
            _ => Some(Reason::Custom),
        };
        match fate {
            // It connects.
            Some(Reason::Custom) => {
                let after = self.lag(target);
                self.schedule(after, Event::News(id, News::Connected));
            }
            Some(reason) if self.rng.permille(300) => self.fail(id, reason),
            Some(reason) => {
                let after = self.lag(target);
                self.schedule(after, Event::News(id, News::Failed(reason)));
            }
            None => self.charge(target, 250 * MS),
        }
    }

    pub(super) fn note_standing(&mut self, id: ConnId) {
        match self.socks.get_mut(&id) {
            Some(Sock::Target(site)) => site.standing = true,
            Some(Sock::Query(query)) => query.standing = true,
            Some(Sock::Peer(peer)) => {
                peer.standing = true;
                let target = peer.target;
                self.note_connected(target);
            }
            Some(Sock::Client(_) | Sock::Post(_)) | None => {}
        }
    }

    /// A connection stands: services with a banner speak first.
    pub(super) fn greet(&mut self, id: ConnId) {
        let Some(Sock::Target(Site { target, .. })) = self.socks.get(&id) else { return };
        let target = *target;
        if self.plan.targets[target].wants == Wants::Banner {
            self.say_banner(id, target);
        } else if self.runs[target].as_ref().is_some_and(|this| this.mood == Mood::Reset) {
            let after = self.lag(target);
            self.schedule(after, Event::News(id, News::Failed(Reason::Reset)));
        }
    }

    fn say_banner(&mut self, id: ConnId, target: usize) {
        let Some(this) = &self.runs[target] else { return };
        let noise = "x".repeat(self.rng.index(200));
        let good = format!("220 {noise} {NEEDLE} here\r\n").into_bytes();
        let wrong = match self.rng.below(3) {
            0 => format!("220 {noise} all is lost\r\n").into_bytes(),
            1 => ["y".repeat(250).as_bytes(), NEEDLE.as_bytes()].concat(),
            _ => vec![0xff; 300],
        };
        let (bytes, end) = match this.mood {
            Mood::Mute => return,
            Mood::Hangup => (Vec::new(), Some(News::Closed)),
            Mood::Reset => (b"220".to_vec(), Some(News::Failed(Reason::Reset))),
            Mood::Wrong => (wrong, Some(News::Closed)),
            Mood::Wild => (self.garble(good), Some(News::Failed(Reason::Reset))),
            _ => (good, self.rng.pick(&[Some(false), Some(true), None]).map(ending)),
        };
        self.say(id, target, &bytes, end);
    }

    /// Sends bytes, cut anywhere and with pauses, and then perhaps ends the connection.
    pub(super) fn say(&mut self, id: ConnId, target: usize, bytes: &[u8], end: Option<News>) {
        let mut after = self.lag(target);
        for piece in self.rng.cut(bytes) {
            self.schedule(after, Event::News(id, News::Bytes(piece)));
            after += self.lag(target);
        }
        if let Some(end) = end {
            self.schedule(after, Event::News(id, end));
        }
    }

    /// The probe's bytes are taken, perhaps not all at once.
    pub(super) fn write_target(&mut self, id: ConnId) {
        let bytes = self.engine.unsent(id).to_vec();
        let Some(Sock::Target(site)) = self.socks.get_mut(&id) else { return };
        if bytes.is_empty() {
            return;
        }
        assert!(site.standing, "bytes for a connection that does not stand");
        let count = if self.rng.permille(150) { self.rng.index(bytes.len() + 1) } else { bytes.len() };
        site.heard.extend_from_slice(&bytes[..count]);
        let (target, asked) = (site.target, site.heard.ends_with(b"\r\n\r\n") && !site.answered);
        site.answered |= asked;
        self.tell(id, Input::Sent(count));
        assert_eq!(self.engine.unsent(id), &bytes[count..], "what is sent leaves the outbox");
        if count < bytes.len() {
            let after = self.lag(target);
            self.schedule(after, Event::News(id, News::Writable));
        }
        if asked {
            self.answer(id, target);
        }
    }

    /// A whole request has come.
    fn answer(&mut self, id: ConnId, target: usize) {
        let plan = &self.plan.targets[target];
        let method = if plan.head { "HEAD" } else { "GET" };
        let Some(Sock::Target(site)) = self.socks.get(&id) else { return };
        let Some(this) = &mut self.runs[target] else { return };
        let line = format!("{method} {} HTTP/1.1\r\n", this.path);
        assert!(site.heard.starts_with(line.as_bytes()), "{line} but {}", site.heard.escape_ascii());
        if this.hop < this.hops && (this.mood != Mood::Wild) {
            this.hop += 1;
            self.counters.add("http: redirected");
            return self.redirect(id, target);
        }
        let mood = this.mood;
        let (bytes, end) = match mood {
            Mood::Mute | Mood::Reset => return,
            Mood::Hangup => (Vec::new(), Some(News::Closed)),
            Mood::Stuck => {
                let (bytes, until) = self.good_answer(target);
                (bytes[..self.rng.index(until)].to_vec(), None)
            }
            Mood::Cut => {
                let (bytes, until) = self.good_answer(target);
                (bytes[..self.rng.index(until)].to_vec(), Some(ending(self.rng.permille(500))))
            }
            Mood::Foreign => (
                self.rng
                    .pick(&[&b"SSH-2.0-x\r\n"[..], b"\x15\x03\x01\0\x02\x02\x46", b"HTTP/2 200 OK\r\n\r\n"])
                    .to_vec(),
                Some(News::Closed),
            ),
            Mood::Wrong => (self.wrong_answer(target), Some(News::Closed)),
            Mood::Loop => (location(302, &self.path_of(target)), None),
            Mood::BadLocation => (
                location(
                    302,
                    self.rng.pick(&["", "ftp://10.0.0.9/", "http://", "gopher:x", "http://a:99999/"]),
                ),
                Some(News::Closed),
            ),
            Mood::Wild => {
                let good = self.good_answer(target).0;
                let end = self.rng.pick(&[Some(false), Some(true), None]).map(ending);
                (self.garble(good), end)
            }
            _ => {
                let end = self.rng.pick(&[Some(false), Some(true), None, None]).map(ending);
                (self.whole_answer(target), end)
            }
        };
        self.say(id, target, &bytes, end);
    }

    fn path_of(&self, target: usize) -> String {
        self.runs[target].as_ref().map_or(String::new(), |this| this.path.clone())
    }

    /// Sends the probe elsewhere: to another path, and perhaps another of the world's hosts.
    fn redirect(&mut self, id: ConnId, target: usize) {
        let Some(this) = &mut self.runs[target] else { return };
        let path = format!("/hop{}", this.hop);
        this.path.clone_from(&path);
        let name = self.rng.index(CAST);
        let host = &hosts()[name];
        let to = if host.exists() && self.rng.permille(400) {
            self.want_name(target, name);
            let text =
                if host.text.contains(':') { format!("[{}]", host.text) } else { host.text.to_owned() };
            format!("http://{text}:{}{path}", usize::from(PORT) + target)
        } else {
            path
        };
        // A check that names 301 would judge it.
        let status = self.rng.pick(&[302, 303, 307, 308]);
        self.say(id, target, &location(status, &to), None);
    }
}

/// The end of a connection, in order or not.
pub(super) fn ending(orderly: bool) -> News {
    if orderly { News::Closed } else { News::Failed(Reason::Reset) }
}

fn location(status: u16, to: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Elsewhere\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}
