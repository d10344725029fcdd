//! Schemes without a port.

use super::*;

#[test]
fn a_scheme_has_a_port_a_host_only_or_any_text() {
    static PING: Scheme = Scheme { name: "icmp", alias: Some("ping"), form: Form::Host };
    static EXEC: Scheme = Scheme::new("exec", Form::Text);
    let schemes = [&TCP, &PING, &EXEC];
    let parse = |text: &str| Url::parse(text, &schemes);
    for (text, host, path, shown) in [
        ("ICMP://NAS.lan", "nas.lan", "", "icmp://nas.lan"),
        ("ping://[::1]/", "::1", "", "icmp://[::1]"),
        ("ping://fe80::1", "fe80::1", "", "icmp://[fe80::1]"),
        ("Exec:check_disk -w 10% 'a b' @", "", "check_disk -w 10% 'a b' @", "exec:check_disk -w 10% 'a b' @"),
        ("exec://x", "", "//x", "exec://x"),
    ] {
        let url = parse(text).expect(text);
        assert_eq!((&*url.host, url.port, &*url.path, &*url.to_string()), (host, 0, path, shown));
        assert_eq!(parse(shown), Ok(url));
    }
    for (text, error) in [
        ("icmp://nas.lan:7", "an icmp target has no port: `nas.lan:7`"),
        ("icmp://nas.lan/x", "an icmp target has no path: `/x`"),
        ("icmp:nas.lan", "`icmp:nas.lan` is not a URL: it must begin with tcp://, icmp:// or exec:"),
        ("exec:a\nb", "a URL cannot hold a control character: `exec:a\\nb`"),
    ] {
        assert_eq!(parse(text), Err(error.to_owned()), "{text:?}");
    }
    assert_eq!(Url::new(&EXEC, "a b", 0, "").map(|url| url.to_string()), Ok("exec:a b".to_owned()));
    assert_eq!(Url::new(&PING, "::1", 0, "").map(|url| url.authority()), Ok("[::1]".to_owned()));
}

#[test]
fn a_zone_is_shown_but_not_sent() {
    let http = |text: &str| Url::parse(text, &[&HTTP]).expect(text);
    for text in ["http://[fe80::1%eth0]:8080/x", "http://[fe80::1%25eth0]:8080/x"] {
        let url = http(text);
        assert_eq!((&*url.host, url.zone.as_deref()), ("fe80::1", Some("eth0")));
        assert_eq!(url.to_string(), "http://[fe80::1%eth0]:8080/x");
        assert_eq!(url.host_field(), "[fe80::1]:8080");
        assert_eq!(http(&url.to_string()), url);
    }
    assert_eq!(http("http://[fe80::1%25]/").zone.as_deref(), Some("25"), "a number");
    static PING: Scheme = Scheme::new("icmp", Form::Host);
    for bare in ["fe80::1%wan.2", "[fe80::1%wan.2]"] {
        let url = Url::new(&PING, bare, 0, "").expect(bare);
        assert_eq!((url.zone.as_deref(), url.authority()), (Some("wan.2"), "[fe80::1%wan.2]".to_owned()));
    }
}
