//! http probes against simulated peers.

mod content;
mod cookies;
mod json;
mod phases;
mod redirects;
mod responses;
mod streamed;
#[cfg(feature = "tls")]
mod tls;

use std::time::Duration;

use crate::probe::Input;
use crate::probe::build::{NetProbe, ProbeBuilder};
use crate::probe::harness::{Harness, segmentations};
use crate::result::{Failure, ProbeResult, Reason};

const MS: Duration = Duration::from_millis(1);

fn build(url: &str, configure: impl FnOnce(ProbeBuilder) -> ProbeBuilder) -> NetProbe {
    configure(ProbeBuilder::from_url(url)).build().expect("a probe")
}

fn checking(spec: &str) -> NetProbe {
    build("http://example.com/healthz", |probe| probe.check(spec))
}

/// An attempt 7 ms after its start; it has sent its request.
fn requested(probe: &NetProbe) -> Harness {
    let mut harness = Harness::begin(probe);
    harness.wait(MS * 3);
    harness.connected();
    harness.wait(MS * 4);
    harness
}

/// The result after this response, in every segmentation, while the connection stays open.
fn result(probe: &NetProbe, answer: &str) -> Option<ProbeResult> {
    let run = |pieces: Vec<&[u8]>| {
        let mut harness = requested(probe);
        harness.receive_all(pieces);
        harness.is_done().then(|| harness.result())
    };
    let unsplit = run(vec![answer.as_bytes()]);
    for pieces in segmentations(answer.as_bytes()) {
        let shown = format!("{pieces:?}");
        assert_eq!(run(pieces), unsplit, "{shown}");
    }
    unsplit
}

/// The result after this response and the end of the connection, in every segmentation.
fn result_closed(probe: &NetProbe, answer: &str) -> ProbeResult {
    let mut results = segmentations(answer.as_bytes()).map(|pieces| {
        let mut harness = requested(probe);
        harness.receive_all(pieces);
        if !harness.is_done() {
            harness.input(Input::Closed);
        }
        harness.result()
    });
    let first = results.next().expect("a result");
    assert!(results.all(|other| other == first), "{first:?}");
    first
}

fn up(detail: &str) -> ProbeResult {
    ProbeResult::up(MS * 7, detail)
}

/// A failure with a response.
fn bad(reason: Reason, detail: &str) -> ProbeResult {
    down(reason, detail).with_latency(MS * 7)
}

/// A failure without a response.
fn down(reason: Reason, detail: &str) -> ProbeResult {
    ProbeResult::down(reason, detail)
}

fn reset() -> Input<'static> {
    Input::Failed(Failure::new(Reason::Reset, "connection reset"))
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).expect("text")
}
