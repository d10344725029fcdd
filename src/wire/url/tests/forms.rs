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
