//! The kind tcp: it connects and, depending on the check, reads a banner.

use std::sync::Arc;
use std::time::Duration;

use super::banner::BannerReader;
use super::build::{Error, Plan, ProbeBuilder};
use super::durations::timed_out;
use super::kinds::Info;
use super::{Attempt, Input, Output, Transport};
use crate::check::TcpCheck;
use crate::clock::Now;
use crate::result::{ProbeResult, Reason};
use crate::wire::url::{Form, Scheme, Url};

static SCHEME: Scheme = Scheme::new("tcp", Form::Server { default_port: None, has_path: false });

pub(super) static TCP: Info = Info::new(&SCHEME, 443, ProbeBuilder::TCP_TIMEOUT, build);

fn build(url: Url, timeout: Duration, probe: &mut ProbeBuilder) -> Result<Arc<dyn Plan>, Error> {
    let check = take_check(probe, url.scheme)?;
    let send = take_send(probe)?;
    let half_open = probe.settings.half_open.take().unwrap_or(false);
    if half_open && (!send.is_empty() || check.needs_banner()) {
        let with = if send.is_empty() { "a check of the banner" } else { "--send" };
        return Err(Error::HalfOpen(format!("cannot be combined with {with}, which needs a connection")));
    }
    Ok(Arc::new(TcpPlan { url, check, send, half_open, timeout }))
}

/// What is sent after connecting.
pub(super) fn take_send(probe: &mut ProbeBuilder) -> Result<Box<[u8]>, Error> {
    let bytes = probe.settings.send.take().unwrap_or_default();
    match bytes.len() {
        0..=ProbeBuilder::SEND_MAX => Ok(bytes.into()),
        _ => Err(Error::Send(format!("is longer than {} bytes", ProbeBuilder::SEND_MAX))),
    }
}

/// The check of a target that may send a banner.
pub(super) fn take_check(probe: &mut ProbeBuilder, scheme: &Scheme) -> Result<TcpCheck, Error> {
    let specs = std::mem::take(&mut probe.settings.checks);
    match probe.check_banner.take() {
        Some(check) => Ok(TcpCheck::Custom(check)),
        None => TcpCheck::parse(&specs, scheme.name).map_err(Error::Check),
    }
}

struct TcpPlan {
    url: Url,
    check: TcpCheck,
    send: Box<[u8]>,
    half_open: bool,
    timeout: Duration,
}

impl Plan for TcpPlan {
    fn begin(self: Arc<Self>, now: Now) -> Box<dyn Attempt> {
        Box::new(TcpAttempt::new(self, now))
    }
}

struct TcpAttempt {
    plan: Arc<TcpPlan>,
    started_at: Now,
    stage: Stage,
    /// Bytes are to be sent before `output`.
    sends: bool,
    output: Option<Output>,
}

enum Stage {
    Connecting,
    ReadingBanner(BannerReader),
    Done,
}

impl Attempt for TcpAttempt {
    fn handle_input(&mut self, input: Input<'_>, now: Now) {
        let result = match &mut self.stage {
            Stage::Connecting => self.handle_connecting(input, now),
            Stage::ReadingBanner(banner) => handle_reading(&self.plan, input, banner),
            Stage::Done => None,
        };
        if let Some(result) = result {
            self.stage = Stage::Done;
            self.output = Some(Output::Done(result));
        }
    }

    fn poll_output(&mut self) -> Option<Output> {
        match std::mem::take(&mut self.sends) {
            true => Some(Output::Send(self.plan.send.to_vec())),
            false => self.output.take(),
        }
    }
}

impl TcpAttempt {
    fn new(plan: Arc<TcpPlan>, now: Now) -> Self {
        let Url { host, port, .. } = &plan.url;
        let transport = if plan.half_open { Transport::HalfOpenTcp } else { Transport::Tcp };
        let connect = Output::Connect { transport, host: host.clone(), port: *port };
        TcpAttempt { started_at: now, stage: Stage::Connecting, sends: false, output: Some(connect), plan }
    }

    fn handle_connecting(&mut self, input: Input<'_>, now: Now) -> Option<ProbeResult> {
        match input {
            Input::Connected(_) => {
                let latency = now.since(self.started_at);
                self.sends = !self.plan.send.is_empty();
                if !self.plan.check.needs_banner() {
                    return Some(ProbeResult::up(latency, "connect ok"));
                }
                self.stage = Stage::ReadingBanner(BannerReader::new(latency));
                None
            }
            Input::Failed(failure) => Some(failure.into()),
            Input::TimedOut => Some(ProbeResult::down(
                Reason::ConnectTimeout,
                &timed_out(self.plan.timeout, "the connection"),
            )),
            _ => None,
        }
    }
}

fn handle_reading(plan: &TcpPlan, input: Input<'_>, banner: &mut BannerReader) -> Option<ProbeResult> {
    match input {
        Input::Received(bytes) => banner.receive(bytes, &plan.check),
        Input::Closed => Some(banner.close(&plan.check)),
        Input::Failed(failure) => Some(banner.fail(failure, &plan.check)),
        Input::TimedOut => Some(banner.time_out(plan.timeout, &plan.check)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::{Banner, BannerVerdict};
    use crate::probe::Probe;
    use crate::probe::build::{NetProbe, ProbeBuilder};
    use crate::probe::harness::{Harness, segmentations};
    use crate::result::Failure;

    const MS: Duration = Duration::from_millis(1);

    fn build(configure: impl FnOnce(ProbeBuilder) -> ProbeBuilder) -> NetProbe {
        let builder = ProbeBuilder::from_url("tcp://[::1]:22").name("ssh").timeout(Duration::from_secs(2));
        configure(builder).build().expect("a probe")
    }

    fn spec(text: &str) -> NetProbe {
        build(|probe| probe.check(text))
    }

    /// A probe that connected after 3 ms, 10 ms ago.
    fn listening(probe: &NetProbe) -> Harness {
        let mut harness = Harness::begin(probe);
        assert_eq!(harness.connect(), ("::1".to_owned(), 22));
        harness.wait(MS * 3);
        harness.connected();
        harness.wait(MS * 10);
        harness
    }

    #[test]
    fn a_connection_is_enough_by_default() {
        let probe = spec("");
        assert_eq!((probe.name(), probe.url()), ("ssh", "tcp://[::1]:22"));
        assert_eq!(listening(&probe).result(), ProbeResult::up(MS * 3, "connect ok"));
    }

    #[test]
    fn text_is_sent_before_the_banner_is_read() {
        for check in ["port_open", "banner_contains:PONG"] {
            let probe = build(|probe| probe.check(check).send(b"PING\r\n"));
            let mut harness = listening(&probe);
            assert_eq!((harness.sent(), harness.is_done()), (b"PING\r\n".to_vec(), check == "port_open"));
            if !harness.is_done() {
                harness.receive(b"+PONG\r\n");
            }
            assert!(harness.result().ok && harness.sent().is_empty());
        }
        let sending = |len| ProbeBuilder::from_url("tcp://h:1").send(&vec![0; len]).build();
        assert!(sending(ProbeBuilder::SEND_MAX).is_ok());
        assert_eq!(sending(ProbeBuilder::SEND_MAX + 1).err().map(|error| error.field()), Some("send"));
        assert!(ProbeBuilder::from_url("http://h:1").send(b"x").build().is_err());
    }

    #[test]
    fn a_half_open_connection_is_enough_unless_the_server_must_answer() {
        let mut harness = Harness::begin(&build(|probe| probe.half_open(true)));
        assert_eq!(harness.connect_half_open(), ("::1".to_owned(), 22));
        harness.connected();
        assert_eq!(harness.result(), ProbeResult::up(Duration::ZERO, "connect ok"));
        let half_open = || ProbeBuilder::from_url("tcp://h:1").half_open(true);
        for (builder, what) in [
            (half_open().send(b"x"), "--send"),
            (half_open().check("banner_contains:x"), "a check of the banner"),
            (half_open().check_banner(|_| Banner::Yes), "a check of the banner"),
        ] {
            let error = builder.build().expect_err(what).to_string();
            assert_eq!(error, format!("half-open: cannot be combined with {what}, which needs a connection"));
        }
        assert!(half_open().half_open(false).send(b"x").build().is_ok());
        assert!(ProbeBuilder::from_url("tls://h:1").half_open(true).build().is_err());
    }

    #[test]
    fn a_failure_to_connect_is_reported_unchanged() {
        let mut harness = Harness::begin(&spec("banner_contains:x"));
        harness.connect();
        harness.failed(Failure::new(Reason::Refused, "connection refused"));
        assert_eq!(harness.result(), ProbeResult::down(Reason::Refused, "connection refused"));

        let mut harness = Harness::begin(&spec(""));
        harness.connect();
        harness.input(Input::TimedOut);
        let detail = "timed out after 2 s waiting for the connection";
        assert_eq!(harness.result(), ProbeResult::down(Reason::ConnectTimeout, detail));
    }

    #[test]
    fn a_banner_is_found_in_every_segmentation() {
        let banner = b"\x00SSSSH-2.0-OpenSSH_9.2p1\r\n";
        for pieces in segmentations(banner) {
            let mut harness = listening(&spec("banner_contains:SSH-2"));
            harness.receive_all(pieces);
            let result = harness.result();
            assert_eq!(result, ProbeResult::up(MS * 3, "banner: '\\u{0}SSSSH-2'"));
        }
    }

    #[test]
    fn the_text_must_end_within_the_first_256_bytes() {
        for (before, ok) in [(0, true), (252, true), (253, false), (1000, false)] {
            let banner = "x".repeat(before) + "SSH-" + &"y".repeat(300);
            let miss = format!("banner: '{}…' (text not in the first 256 bytes)", "x".repeat(64));
            for size in [1, 7, 255, 256, 257, 2000] {
                let mut harness = listening(&spec("banner_contains:SSH-"));
                harness.receive_all(banner.as_bytes().chunks(size));
                let result = harness.result();
                assert_eq!((result.ok, result.latency), (ok, Some(MS * 3)), "{before} by {size}");
                assert!(ok || result.detail == miss);
            }
        }
    }

    #[test]
    fn every_text_must_be_in_the_banner() {
        let probe =
            build(|probe| probe.check("banner_contains:ESMTP").check("").check("banner_contains:220"));
        for (banner, result) in [
            ("220 mail ESMTP\r\n", ProbeResult::up(MS * 3, "banner: '220 mail ESMTP'")),
            ("ESMTP 220 mail\r\n", ProbeResult::up(MS * 3, "banner: 'ESMTP 220'")),
            (
                "554 no ESMTP\r\n",
                ProbeResult::down(Reason::Banner, "banner: '554 no ESMTP\\r\\n'").with_latency(MS * 3),
            ),
        ] {
            for pieces in segmentations(banner.as_bytes()) {
                let mut harness = listening(&probe);
                harness.receive_all(pieces);
                if !harness.is_done() {
                    harness.input(Input::Closed);
                }
                assert_eq!(harness.result(), result);
            }
        }
    }

    #[test]
    fn a_negated_text_must_not_be_in_the_first_line() {
        let probe = build(|probe| probe.check("banner_contains:220").check("not:banner_contains:busy"));
        let down = |detail: &str| ProbeResult::down(Reason::Banner, detail).with_latency(MS * 3);
        let long = "220".to_owned() + &"x".repeat(300);
        for (banner, result) in [
            ("220 mail\r\nbusy", ProbeResult::up(MS * 3, "banner: '220 mail\\r\\n'")),
            ("220 busy\r\n", down("banner: '220 busy' (text in the first line)")),
            ("220 mail", ProbeResult::up(MS * 3, "banner: '220 mail'")),
            ("220 busy", down("banner: '220 busy' (text in the first line)")),
            ("554 mail\r\n", down("banner: '554 mail\\r\\n'")),
            (&long, ProbeResult::up(MS * 3, &format!("banner: '220{}…'", "x".repeat(61)))),
        ] {
            for pieces in segmentations(banner.as_bytes()) {
                let mut harness = listening(&probe);
                harness.receive_all(pieces);
                if !harness.is_done() {
                    harness.input(Input::Closed);
                }
                assert_eq!(harness.result(), result, "{banner}");
            }
        }
        // A server that says nothing has no banner that could be examined.
        for (received, detail) in [("", ""), ("220 mail", "; banner: '220 mail'")] {
            let mut harness = listening(&probe);
            harness.receive_all(received.as_bytes().chunks(3));
            harness.input(Input::TimedOut);
            let detail = format!("timed out after 2 s waiting for the banner{detail}");
            assert_eq!(harness.result(), down(&detail));
        }
    }

    #[test]
    fn an_end_without_the_text_is_a_failure() {
        let down = |reason, detail: &str| ProbeResult::down(reason, detail).with_latency(MS * 3);
        for (received, ending, expected) in [
            ("", Input::Closed, down(Reason::Banner, "closed without a banner")),
            ("220 x\r\n", Input::Closed, down(Reason::Banner, "banner: '220 x\\r\\n'")),
            ("", Input::TimedOut, down(Reason::Banner, "timed out after 2 s waiting for the banner")),
            (
                "hi",
                Input::TimedOut,
                down(Reason::Banner, "timed out after 2 s waiting for the banner; banner: 'hi'"),
            ),
            (
                "",
                Input::Failed(Failure::new(Reason::Reset, "connection reset")),
                down(Reason::Reset, "connection reset while waiting for the banner"),
            ),
        ] {
            let mut harness = listening(&spec("banner_contains:SSH-"));
            harness.receive_all(received.as_bytes().chunks(3));
            harness.input(ending);
            assert_eq!(harness.result(), expected);
        }
    }

    #[test]
    fn a_closure_decides_on_the_bytes_so_far() {
        let check = |received: &[u8]| match received {
            b"yes" => Banner::Yes.into(),
            b"no!" => BannerVerdict::from((Banner::No, "rejected")),
            b"bad" => Banner::No.into(),
            _ => Banner::More.into(),
        };
        let custom = build(|probe| probe.check_banner(check));
        for (banner, ok, detail) in [
            ("yes", true, "connect ok"),
            ("no!", false, "rejected"),
            ("bad", false, "check failed"),
            (&"x".repeat(5000), false, "undecided after 4096 bytes"),
        ] {
            let mut harness = listening(&custom);
            harness.receive_all(banner.as_bytes().chunks(1));
            let result = harness.result();
            assert_eq!((result.ok, result.detail.as_str()), (ok, detail));
            assert_eq!(result.reason, (!ok).then_some(Reason::Custom));
        }
    }
}
