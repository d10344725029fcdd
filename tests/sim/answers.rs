//! The answers of the targets' servers, good and bad.

use super::plan::{NEEDLE, Wants};
use super::world::World;

impl World {
    /// A healthy answer, and how many of its bytes are needed to know that it is one, at the least.
    pub(super) fn good_answer(&mut self, target: usize) -> (Vec<u8>, usize) {
        let plan = &self.plan.targets[target];
        let (wants, head_only) = (plan.wants, plan.head);
        let mut head = String::new();
        for _ in 0..self.rng.below(4).saturating_sub(1) {
            head.push_str(
                self.rng.pick(&[
                    "HTTP/1.1 100 Continue\r\n\r\n",
                    "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n",
                ]),
            );
        }
        let status = match wants {
            Wants::Listed => self.rng.pick(&[200, 201, 209, 301]),
            _ => self.rng.pick(&[200, 200, 201, 206, 299]),
        };
        head.push_str(&format!("HTTP/1.{} {status} Fine\r\nServer: sim\r\n", self.rng.below(2)));
        let before = "a".repeat(self.rng.index(60));
        let after = "b".repeat(self.rng.index(60));
        let body = format!("{before}{NEEDLE}{after}");
        let (framing, start, coded) = self.coded(&body, before.len() + NEEDLE.len());
        head.push_str(framing);
        head.push_str("\r\n");
        let head_len = head.len();
        let mut bytes = head.into_bytes();
        if !head_only {
            bytes.extend_from_slice(coded.as_bytes());
        }
        let needed = if wants == Wants::Body { head_len + start } else { head_len };
        (bytes, needed)
    }

    pub(super) fn whole_answer(&mut self, target: usize) -> Vec<u8> {
        self.good_answer(target).0
    }

    /// A body in some framing: its header field, how much of the coded body holds the first `needed`
    /// bytes, and the coded body.
    fn coded(&mut self, body: &str, needed: usize) -> (&'static str, usize, String) {
        match self.rng.below(4) {
            0 => ("Connection: close\r\n", needed, body.to_owned()),
            1 => {
                // The length is part of the head: told by a body of a fixed length.
                let padded = format!("{body:<200}");
                ("Content-Length: 200\r\n", needed, padded)
            }
            _ => {
                let (first, second) = body.split_at(self.rng.index(body.len() - 1) + 1);
                let mut coded = format!("{:X};ext=\"1\"\r\n{first}\r\n", first.len());
                let mut start = coded.len();
                if !second.is_empty() {
                    let line = format!("{:x}\r\n", second.len());
                    start += line.len() + needed.saturating_sub(first.len());
                    coded.push_str(&format!("{line}{second}\r\n"));
                }
                if needed <= first.len() {
                    start = coded.find(first).unwrap_or(0) + needed;
                }
                coded.push_str("0\r\nTrailer: x\r\n\r\n");
                ("Transfer-Encoding: chunked\r\nContent-Length: 7\r\n", start, coded)
            }
        }
    }

    /// A whole answer that the check must not accept.
    pub(super) fn wrong_answer(&mut self, target: usize) -> Vec<u8> {
        let plan = &self.plan.targets[target];
        let statuses: &[u16] = match plan.wants {
            Wants::Body if self.rng.permille(500) => {
                let body = self.rng.pick(&["", "all is wel", "ALL IS WELL", "all is\r\nwell"]);
                let framing = if self.rng.permille(500) {
                    format!("Content-Length: {}\r\n", body.len())
                } else {
                    String::new()
                };
                return format!("HTTP/1.1 200 OK\r\n{framing}\r\n{body}").into_bytes();
            }
            Wants::Listed => &[210, 299, 404, 500, 503],
            _ => &[304, 400, 401, 404, 500, 503, 999],
        };
        let status = self.rng.pick(statuses);
        format!("HTTP/1.1 {status} Not so fine\r\nContent-Length: 11\r\n\r\n{NEEDLE}").into_bytes()
    }

    /// Anything that could have become of these bytes.
    pub(super) fn garble(&mut self, mut bytes: Vec<u8>) -> Vec<u8> {
        for _ in 0..self.rng.below(4) {
            let at = self.rng.index(bytes.len());
            match self.rng.below(4) {
                0 => bytes[at] = self.rng.next() as u8,
                1 => bytes.truncate(at + 1),
                2 => {
                    bytes.remove(at);
                    bytes.push(b'\n');
                }
                _ => {
                    let again = bytes[at..].to_vec();
                    bytes.extend(again);
                }
            }
        }
        bytes
    }
}
