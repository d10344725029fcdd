//! Webhooks: what is posted, in which order and after which pauses, to servers of all kinds.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::plan::{MS, S};
use super::rng::Rng;
use super::world::{Event, News, Sock, World};
use crate::engine::limits::WEBHOOKS_PARALLEL;
use crate::engine::{ConnId, Input};
use crate::fsm::State;
use crate::monitor::Monitor;
use crate::probe::build::Webhook;
use crate::result::Reason;

/// The port of the first URL. All are on this machine.
const POSTS: u16 = 20_000;

/// How much greater the port is of the place that a URL's server has moved to.
const MOVED: u16 = 50;

/// How often a change is posted at most.
const ATTEMPTS_MAX: u32 = 10;

/// How many changes wait for one URL at most, and for all of them.
const MOST: usize = 256;
const MOST_IN_ALL: usize = 1024;

pub(super) struct Posts {
    rng: Rng,
    /// The URL of each target that there has ever been, and whether it is told of the first state.
    wishes: Vec<Option<(usize, bool)>>,
    urls: Vec<Url>,
}

/// What is known of one URL.
#[derive(Default)]
struct Url {
    /// What is to be posted: the target's name, from and to.
    due: VecDeque<(usize, State, State)>,
    tries: u32,
    open: bool,
    /// The try goes on at another place, as the answer has asked.
    moved: bool,
    /// When the next try may be.
    rests_until: u64,
}

/// A connection to a URL's server.
pub(super) struct Post {
    url: usize,
    mood: Mood,
    heard: Vec<u8>,
    answered: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Fine,
    Oops,
    Refuse,
    Mute,
    Reset,
    Closed,
    /// Answers with a redirect that keeps the method.
    Moved,
    /// Answers with one that does not.
    Found,
}

impl Posts {
    pub(super) fn new(mut rng: Rng) -> Posts {
        let count = rng.range(1, 7) as usize;
        Posts { rng, wishes: Vec::new(), urls: (0..count).map(|_| Url::default()).collect() }
    }

    /// There is one more target, perhaps with a webhook.
    pub(super) fn dress(&mut self, monitor: Monitor) -> Monitor {
        let (rng, count) = (&mut self.rng, self.urls.len());
        let wish = rng.permille(400).then(|| (rng.index(count), rng.permille(500)));
        self.wishes.push(wish);
        let Some((url, first)) = wish else { return monitor };
        let port = POSTS + url as u16;
        let webhook = Webhook::new(&format!("http://127.0.0.1:{port}/s3cret"), None).expect("a URL");
        monitor.webhook(webhook.first(first))
    }
}

/// Whether a connection is to one of the URLs.
pub(super) fn is_post(to: SocketAddr) -> bool {
    (POSTS..POSTS + 100).contains(&to.port())
}

impl World {
    pub(super) fn note_post(&mut self, target: usize, from: State, to: State) {
        let Some((url, first)) = self.posts.wishes[target] else { return };
        if first || from != State::Unknown {
            let name = self.plan.targets[target].name;
            self.posts.urls[url].due.push_back((name, from, to));
            // The oldest is dropped, but for the one that may be in flight.
            let all: usize = self.posts.urls.iter().map(|url| url.due.len()).sum();
            let longest = self.posts.urls.iter_mut().map(|url| &mut url.due).max_by_key(|due| due.len());
            let due = longest.filter(|due| all > MOST_IN_ALL || due.len() > MOST);
            if due.and_then(|due| due.remove(1)).is_some() {
                self.counters.add("posts: too many");
            }
        }
    }

    pub(super) fn open_post(&mut self, id: ConnId, to: SocketAddr) {
        let place = to.port() - POSTS;
        let (url, is_moved) = (usize::from(place % MOVED), place >= MOVED);
        let moods = [
            Mood::Fine,
            Mood::Fine,
            Mood::Fine,
            Mood::Oops,
            Mood::Refuse,
            Mood::Mute,
            Mood::Reset,
            Mood::Closed,
            Mood::Found,
            Mood::Moved,
        ];
        // Whoever has moved stays there.
        let mood = self.posts.rng.pick(&moods[..moods.len() - usize::from(is_moved)]);
        let this = &mut self.posts.urls[url];
        assert_eq!(std::mem::replace(&mut this.open, true), is_moved, "one at a time");
        assert_eq!(std::mem::take(&mut this.moved), is_moved, "nobody has asked for that");
        assert!(!this.due.is_empty() && self.seen >= this.rests_until, "nothing is due");
        assert!(self.posts.urls.iter().filter(|url| url.open).count() <= WEBHOOKS_PARALLEL);
        self.take_in(id, Sock::Post(Post { url, mood, heard: Vec::new(), answered: false }));
        let after = self.posts.rng.below(50 * MS);
        let news = if mood == Mood::Closed { News::Failed(Reason::Refused) } else { News::Connected };
        self.schedule(after, Event::News(id, news));
    }

    /// The server takes what is sent and answers once it has all of it.
    pub(super) fn write_post(&mut self, id: ConnId) {
        let bytes = self.engine.unsent(id).to_vec();
        if bytes.is_empty() {
            return;
        }
        let Some(Sock::Post(post)) = self.socks.get_mut(&id) else { return };
        post.heard.extend_from_slice(&bytes);
        let (url, mood) = (post.url, post.mood);
        let heard = String::from_utf8_lossy(&post.heard).into_owned();
        self.tell(id, Input::Sent(bytes.len()));
        let Some((head, json)) = heard.split_once("\r\n\r\n") else { return };
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: ")).expect("a length");
        if json.len() < length.parse().expect("a number") {
            return;
        }
        assert!(head.starts_with("POST /s3cret HTTP/1.1\r\n"), "{head}");
        let (name, from, to) = *self.posts.urls[url].due.front().expect("something to post");
        let expected = format!("\"target\":\"t{name}\",");
        assert!(json.contains(&expected), "{json} is not about t{name}");
        assert!(
            json.contains(&format!(",\"from\":\"{from}\",\"to\":\"{to}\",")),
            "not {from} to {to}: {json}"
        );
        let news = match mood {
            Mood::Fine => News::Bytes(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
            Mood::Oops => News::Bytes(b"HTTP/1.1 503 Oops\r\n\r\n".to_vec()),
            Mood::Refuse => News::Bytes(b"HTTP/1.1 410 Gone\r\n\r\n".to_vec()),
            Mood::Moved => {
                let port = POSTS + MOVED + url as u16;
                News::Bytes(
                    format!("HTTP/1.1 307 X\r\nLocation: http://127.0.0.1:{port}/s3cret\r\n\r\n").into(),
                )
            }
            Mood::Found => News::Bytes(b"HTTP/1.1 302 X\r\nLocation: /s3cret/login\r\n\r\n".to_vec()),
            Mood::Reset => News::Failed(Reason::Reset),
            Mood::Mute | Mood::Closed => return,
        };
        let after = self.posts.rng.below(300 * MS);
        self.schedule(after, Event::News(id, news));
    }

    /// An answer is about to arrive.
    pub(super) fn note_answered(&mut self, id: ConnId) {
        if let Some(Sock::Post(post)) = self.socks.get_mut(&id) {
            post.answered = true;
        }
    }

    /// A try to post is over. An answer that has arrived has been read.
    pub(super) fn end_post(&mut self, post: &Post) {
        let this = &mut self.posts.urls[post.url];
        if post.answered && post.mood == Mood::Moved {
            this.moved = true;
            return self.counters.add("posts: moved");
        }
        this.open = false;
        this.tries += 1;
        let is_settled = post.answered && post.mood != Mood::Oops;
        if is_settled || this.tries == ATTEMPTS_MAX {
            this.due.pop_front();
            (this.tries, this.rests_until) = (0, 0);
        } else {
            this.rests_until = self.seen.max(self.at) + S * 2_u64.pow(this.tries - 1).min(60);
        }
        self.counters.add(match (post.answered, post.mood) {
            (true, Mood::Fine) => "posts: delivered",
            (true, Mood::Refuse | Mood::Found) => "posts: refused",
            (true, _) => "posts: answered with an error",
            (false, _) => "posts: not answered",
        });
    }

    /// Whether something about a target of this name waits to be posted.
    pub(super) fn is_to_be_posted(&self, name: usize) -> bool {
        self.posts.urls.iter().any(|url| url.due.iter().any(|(about, ..)| *about == name))
    }

    /// After the deadlines of this moment nothing is left that could be posted.
    pub(super) fn check_posts(&self, now: u64) {
        let open = self.posts.urls.iter().filter(|url| url.open).count();
        for (i, url) in self.posts.urls.iter().enumerate() {
            let is_due = !url.open && !url.due.is_empty() && url.rests_until <= now;
            assert!(!is_due || open >= WEBHOOKS_PARALLEL, "URL {i} is forgotten");
        }
    }
}
