//! The http probe, played against scripted peers.

mod answers;
mod cookies;
mod phases;
mod redirects;
#[cfg(feature = "tls")]
mod tls;

use std::time::Duration;

use crate::probe::Input;
use crate::probe::build::{NetProbe, ProbeBuilder};
use crate::probe::script::{Script, cuts};
use crate::result::{Failure, ProbeResult, Reason};

const MS: Duration = Duration::from_millis(1);

fn build(url: &str, describe: impl FnOnce(ProbeBuilder) -> ProbeBuilder) -> NetProbe {
    describe(ProbeBuilder::from_url(url)).build().expect("a probe")
}

fn checking(spec: &str) -> NetProbe {
    build("http://example.com/healthz", |probe| probe.check(spec))
}

/// Connected to the target, and its request sent: 7 ms after the start.
fn asked(probe: &NetProbe) -> Script {
    let mut script = Script::begin(probe);
    script.wait(MS * 3);
    script.connected();
    script.wait(MS * 4);
    script
}

/// The verdict on an answer after which nothing more comes, the same however it is cut.
fn verdict(probe: &NetProbe, answer: &str) -> Option<ProbeResult> {
    let play = |pieces: Vec<&[u8]>| {
        let mut script = asked(probe);
        script.receive_all(pieces);
        script.is_done().then(|| script.verdict())
    };
    let whole = play(vec![answer.as_bytes()]);
    for pieces in cuts(answer.as_bytes()) {
        let shown = format!("{pieces:?}");
        assert_eq!(play(pieces), whole, "{shown}");
    }
    whole
}

/// The verdict on an answer that is ended by the close of the connection, however it is cut.
fn verdict_closed(probe: &NetProbe, answer: &str) -> ProbeResult {
    let mut verdicts = cuts(answer.as_bytes()).map(|pieces| {
        let mut script = asked(probe);
        script.receive_all(pieces);
        if !script.is_done() {
            script.input(Input::Closed);
        }
        script.verdict()
    });
    let first = verdicts.next().expect("a verdict");
    assert!(verdicts.all(|other| other == first), "{first:?}");
    first
}

fn up(detail: &str) -> ProbeResult {
    ProbeResult::up(MS * 7, detail)
}

/// Answered, but not as it should.
fn bad(reason: Reason, detail: &str) -> ProbeResult {
    down(reason, detail).with_latency(MS * 7)
}

/// Not answered.
fn down(reason: Reason, detail: &str) -> ProbeResult {
    ProbeResult::down(reason, detail)
}

fn reset() -> Input<'static> {
    Input::Failed(Failure::new(Reason::Reset, "connection reset"))
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text")
}
