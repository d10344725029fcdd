//! Webhooks: what is posted, in which order and after which pauses, to servers of all kinds.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::plan::{MS, S};
use super::receivers::Notice;
use super::rng::Rng;
use super::world::{Event, News, Sock, World};
use crate::engine::limits::WEBHOOKS_PARALLEL;
use crate::engine::{ConnId, Input};
use crate::result::Reason;

/// The port of the first URL. All are on this machine.
const POSTS: u16 = 20_000;

/// How much greater the port is of the place that a URL's server has moved to.
const MOVED: u16 = 50;

/// Answers with an error after which a notice is abandoned.
const ERRORS_MAX: u32 = 10;

pub(super) struct Posts {
    rng: Rng,
    urls: Vec<Url>,
}

/// A target, for as long as its name is present, and the name.
type Key = (u64, usize);

/// What is known of one URL.
#[derive(Default)]
struct Url {
    /// With the number of errors that the server has answered. The first one is in flight if `open`.
    due: VecDeque<(Key, Notice, u32)>,
    /// Attempts that have failed since the last that did not.
    failures: u32,
    open: bool,
    /// The attempt continues at another address, as the answer has requested.
    moved: bool,
    /// No attempt begins before.
    rests_until: u64,
}

impl Url {
    /// The place of what waits for a target.
    fn waiting(&self, key: Key) -> Option<usize> {
        let first = usize::from(self.open);
        (first..self.due.len()).find(|place| self.due[*place].0 == key)
    }
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
        Posts { rng, urls: (0..count).map(|_| Url::default()).collect() }
    }

    /// Nothing is due: no output depends on who is present.
    pub(super) fn is_quiet(&self) -> bool {
        self.urls.iter().all(|url| url.due.is_empty())
    }

    pub(super) fn urls(&self) -> usize {
        self.urls.len()
    }
}

pub(super) fn url(number: usize) -> String {
    format!("http://127.0.0.1:{}/s3cret", POSTS + number as u16)
}

/// Whether a connection is to one of the URLs.
pub(super) fn is_post(to: SocketAddr) -> bool {
    (POSTS..POSTS + 100).contains(&to.port())
}

impl World {
    pub(super) fn note_post(&mut self, url: usize, key: Key, notice: Notice) {
        let this = &mut self.posts.urls[url];
        let Some(place) = this.waiting(key) else { return this.due.push_back((key, notice, 0)) };
        self.counters.add("posts: merged");
        match this.due[place].1.clone().merged(notice) {
            Some(merged) => this.due[place].1 = merged,
            None => {
                this.due.remove(place);
                if this.due.is_empty() {
                    (this.failures, this.rests_until) = (0, 0);
                }
                self.counters.add("posts: cancelled");
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
        let next = self.posts.urls[url].due.iter().position(|(key, ..)| self.is_post_due(*key));
        let this = &mut self.posts.urls[url];
        assert_eq!(std::mem::replace(&mut this.open, true), is_moved, "one at a time");
        assert_eq!(std::mem::take(&mut this.moved), is_moved, "it was not requested");
        if !is_moved {
            let next = next.and_then(|place| this.due.remove(place)).expect("something is due");
            this.due.push_front(next);
        }
        assert!(self.seen >= this.rests_until, "too early");
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
        let ((_, name), Notice { from, to, .. }, _) =
            self.posts.urls[url].due.front().expect("something to post");
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
        let (key, notice, errors) = this.due.pop_front().expect("it was in flight");
        let later = this.waiting(key).and_then(|place| this.due.remove(place).map(|later| (place, later)));
        let is_delivered = post.answered && post.mood == Mood::Fine;
        let errors = errors + u32::from(post.answered && !is_delivered);
        let is_refused = post.answered && matches!(post.mood, Mood::Refuse | Mood::Found);
        let is_abandoned = is_refused || errors == ERRORS_MAX;
        // The receiver knows what was delivered; anything else is still to be told, with what has followed.
        let place = later.as_ref().map_or(0, |(place, _)| *place);
        let rest = match later {
            Some((_, (_, later, _))) if !is_delivered => notice.merged(later),
            Some((_, (_, later, _))) => Some(later),
            None => (!is_delivered && !is_abandoned).then_some(notice),
        };

        let is_retried = !is_delivered && !is_abandoned;
        if let Some(rest) = rest {
            match is_retried {
                true => this.due.push_front((key, rest, errors)),
                false => this.due.insert(place, (key, rest, 0)),
            }
        }
        if is_retried {
            this.failures += 1;
            let pause = S * 2_u64.saturating_pow(this.failures - 1).min(60);
            this.rests_until = self.seen.max(self.at) + pause;
        } else {
            (this.failures, this.rests_until) = (0, 0);
        }
        // With nothing to deliver, nothing is known of the URL.
        if this.due.is_empty() {
            (this.failures, this.rests_until) = (0, 0);
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
        self.posts.urls.iter().any(|url| url.due.iter().any(|((_, about), ..)| *about == name))
    }

    /// After the deadlines of this moment nothing is left that could be posted.
    pub(super) fn check_posts(&self, now: u64) {
        let open = self.posts.urls.iter().filter(|url| url.open).count();
        for (i, url) in self.posts.urls.iter().enumerate() {
            let has_due = url.due.iter().any(|(key, ..)| self.is_post_due(*key));
            let is_due = !url.open && has_due && url.rests_until <= now;
            assert!(!is_due || open >= WEBHOOKS_PARALLEL, "URL {i} is forgotten");
        }
    }
}
