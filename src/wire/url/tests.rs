//! What is a URL and what is not, and where redirects lead.

mod forms;

use super::*;

static TCP: Scheme = Scheme::new("tcp", Form::Server { default_port: None, has_path: false });

fn parse(text: &str) -> Result<Url, String> {
    Url::parse(text, &[&TCP, &HTTP, &HTTPS])
}

fn url(text: &str) -> Url {
    parse(text).unwrap_or_else(|e| panic!("{text:?}: {e}"))
}

fn refusal(text: &str) -> String {
    match parse(text) {
        Ok(url) => panic!("{text:?} is read as {url}"),
        Err(error) => error,
    }
}

#[test]
fn urls_as_people_type_them() {
    for (text, shown) in [
        ("tcp://1.1.1.1:443", "tcp://1.1.1.1:443"),
        ("tcp://host:22/", "tcp://host:22"),
        ("https://api.example.com/healthz?x=1", "https://api.example.com:443/healthz?x=1"),
        ("http://[::1]:8080/", "http://[::1]:8080/"),
        ("HTTP://EXAMPLE.com", "http://example.com:80/"),
        ("http://example.com?q", "http://example.com:80/?q"),
        ("http://example.com:/x", "http://example.com:80/x"),
        ("http://example.com:0080/x", "http://example.com:80/x"),
        ("https://[2001:DB8:0:0::0:1]/", "https://[2001:db8::1]:443/"),
        ("http://[::ffff:192.0.2.1]/", "http://[::ffff:192.0.2.1]:80/"),
        ("http://h/a/../b/./c#frag", "http://h:80/a/../b/./c"),
        ("http://h#frag", "http://h:80/"),
        ("http://h/?next=http://x/@y", "http://h:80/?next=http://x/@y"),
        ("http://nas_1.lan./%zz\"<>\\^`{|}", "http://nas_1.lan.:80/%zz\"<>\\^`{|}"),
        ("http://xn--mnchen-3ya.de/", "http://xn--mnchen-3ya.de:80/"),
        ("http://1password.com", "http://1password.com:80/"),
        ("http://1.2.3.4.example", "http://1.2.3.4.example:80/"),
    ] {
        let parsed = url(text);
        assert_eq!(parsed.to_string(), shown);
        assert_eq!(url(&parsed.to_string()), parsed, "round trip");
    }
}

#[test]
fn what_is_no_url_is_refused_in_plain_words() {
    for (text, said) in [
        ("", "must begin with"),
        ("example.com", "`example.com` is not a URL: it must begin with tcp://, http:// or https://"),
        ("example.com:443", "must begin with"),
        ("http:/example.com", "must begin with"),
        ("ftp://example.com/", "`ftp` is not tcp, http or https"),
        ("://example.com/", "`` is not tcp, http or https"),
        ("http://", "there is no host"),
        ("http:///x", "there is no host"),
        ("http://:80/", "there is no host"),
        ("tcp://host", "a tcp target needs a port, as in `tcp://host:443`"),
        ("tcp://host:", "needs a port"),
        ("tcp://host:1/x", "a tcp target has no path: `/x`"),
        ("tcp://host:1?x", "a tcp target has no path: `?x`"),
        ("http://h:0/", "port `0` is not between 1 and 65535"),
        ("http://h:70000/", "port `70000` is not between 1 and 65535"),
        ("http://h:99999999999999999999/", "not between"),
        ("http://h:+80/", "port `+80`"),
        ("http://h:-1/", "port `-1`"),
        ("http://h:8o/", "port `8o`"),
        ("http://::1/", "stands in brackets"),
        ("http://[::1/", "a bracket is not closed"),
        ("http://[::1]x/", "`[::1]x` is not HOST:PORT"),
        ("http://[::1]:x:y/", "not HOST:PORT"),
        ("http://[]/", "not an IPv6 address"),
        ("http://[1.2.3.4]/", "not an IPv6 address"),
        ("http://[v1.x]/", "not an IPv6 address"),
        ("http://256.1.1.1/", "host `256.1.1.1` is not an IPv4 address"),
        ("http://127.1/", "not an IPv4 address"),
        ("http://127.0.0.1./", "not an IPv4 address"),
        ("http://0127.0.0.1/", "not an IPv4 address"),
        ("http://a..b/", "has an empty part"),
        ("http://./", "has an empty part"),
        ("http://.a/", "has an empty part"),
        ("http://ex%61mple.com/", "cannot hold `%`"),
        ("http://evil.com\\@good.com/", "cannot hold a user"),
        ("http://[::1%eth0]/", "::1 has no zone: only link-local addresses"),
        ("http://[fe80::1%]/", "`` is not the name or number of a network interface"),
        ("http://[fe80::1%a/b]/", "is not"),
        ("http://[fe80::1%25]x/", "is not HOST:PORT"),
        ("http://[fe80::1%0123456789abcdef]/", "`0123456789abcdef` is not the name or number"),
        ("http://evil.com\\good.com/", "cannot hold `\\`"),
        ("http://a b/", "cannot hold a space"),
        ("http://münchen.de/", "host `münchen.de` is not ASCII: write it in punycode"),
        ("http://h/a b", "cannot hold a space (write %20): `/a b`"),
        ("http://h/ä", "percent-encode"),
        ("http://h/a\r\nEvil: 1", "a URL cannot hold a control character: `http://h/a\\r\\nEvil: 1`"),
        ("http://h\0/", "control character"),
        ("http://h/\x7f", "control character"),
        ("http://h/\u{85}", "control character"),
        (" http://h/", "` http` is not tcp"),
        ("http://h/ ", "cannot hold a space"),
    ] {
        let error = refusal(text);
        assert!(error.contains(said), "{text:?}: {error}");
        assert!(!error.contains(['\n', '\r', '\0']), "{error:?}");
    }
}

#[test]
fn passwords_are_refused_and_never_repeated() {
    for text in [
        "http://me:secret@h/",
        "https://secret@h:1/",
        "tcp://me:secret@h",
        "http://me:secret@h:99999/",
        "http://me:se[secret@h/",
        "me:secret@h",
        "me:secret@h://x",
        "http://me:secret@h/\x07",
    ] {
        let error = refusal(text);
        assert!(!error.contains("secret"), "{error}");
    }
    let hint = "a URL cannot hold a user or password (use --basic-auth-file)";
    assert_eq!(refusal("http://me:secret@h/"), hint);
}

#[test]
fn lengths_are_capped() {
    assert!(refusal(&format!("http://h/{}", "a".repeat(URL_MAX))).contains("too long"));
    assert!(parse(&format!("http://h/{}", "a".repeat(URL_MAX - 9))).is_ok());
    assert!(refusal(&format!("http://h/{}", "a".repeat(URL_MAX - 8))).contains("too long"));
    assert!(refusal(&format!("http://{}/", "a".repeat(64))).contains("longer than a name can be"));
    assert!(refusal(&format!("http://{}/", "abc.".repeat(64))).contains("longer than a name can be"));
    assert!(parse(&format!("http://{}.{}/", "a".repeat(63), "b".repeat(63))).is_ok());
    let longest = ["a".repeat(63), "b".repeat(63), "c".repeat(63), "d".repeat(61)].join(".");
    assert!(parse(&format!("http://{longest}/")).is_ok());
    assert!(refusal(&format!("http://{longest}d/")).contains("longer than a name can be"));
    assert!(refusal(&format!("http://a.{}.c/", "b".repeat(64))).contains("longer than a name can be"));
    assert!(refusal(&"x".repeat(5000)).chars().count() < 200);
    let base = url("http://h/");
    assert!(base.join(&"a/".repeat(URL_MAX)).unwrap_err().contains("too long"));
    assert!(base.join(&"ä".repeat(URL_MAX / 3)).unwrap_err().contains("too long"), "after encoding");
    assert!(base.join(&"a/../".repeat(URL_MAX / 4)).unwrap_err().contains("too long"), "before cleaning");
}

#[test]
fn parts_are_read_by_the_same_rules() {
    let new = |host, path| Url::new(&HTTP, host, 8080, path).map(|url| url.to_string());
    assert_eq!(new("EXAMPLE.com", ""), Ok("http://example.com:8080/".into()));
    assert_eq!(new("::1", "healthz"), Ok("http://[::1]:8080/healthz".into()));
    assert_eq!(new("[0:0::1]", "/x?y#z"), Ok("http://[::1]:8080/x?y".into()));
    assert_eq!(new("10.0.0.1", "?q"), Ok("http://10.0.0.1:8080/?q".into()));
    assert_eq!(Url::new(&TCP, "h", 22, "/").unwrap().path, "");
    for (host, path, said) in [
        ("", "/", "there is no host"),
        ("http://h", "/", "is a URL, not a host"),
        ("h:80", "/", "`h:80` holds a port"),
        ("[::1]:80", "/", "holds a port"),
        ("::g", "/", "not an IPv6 address"),
        ("h/x", "/", "cannot hold `/`"),
        ("me:pw@h", "/", "cannot hold a user"),
        ("a\nb", "/", "control character"),
        ("ü", "/", "punycode"),
        ("h", "/\x01", "control character"),
        ("h", "/a b", "space"),
    ] {
        let error = new(host, path).unwrap_err();
        assert!(error.contains(said), "{host:?} {path:?}: {error}");
    }
    assert!(Url::new(&TCP, "h", 22, "/x").unwrap_err().contains("no path"));
    assert!(Url::new(&TCP, "h", 0, "").unwrap_err().contains("port 0"));
}

#[test]
fn hosts_are_written_as_their_readers_expect() {
    let fields = |text| (url(text).authority(), url(text).host_field());
    assert_eq!(fields("http://h/"), ("h:80".into(), "h".into()));
    assert_eq!(fields("http://h:443/"), ("h:443".into(), "h:443".into()));
    assert_eq!(fields("https://[::1]/"), ("[::1]:443".into(), "[::1]".into()));
    assert_eq!(fields("https://[::1]:8443/"), ("[::1]:8443".into(), "[::1]:8443".into()));
    assert_eq!(fields("tcp://h:443"), ("h:443".into(), "h:443".into()));
    assert_eq!(url("https://[::1]/").host, "::1");
}

#[test]
fn addresses_in_numbers_are_read_as_inet_aton_does() {
    let base = url("http://a/");
    for (host, address) in [
        ("127.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("10.1.258", "10.1.1.2"),
        ("2130706433", "127.0.0.1"),
        ("4294967295", "255.255.255.255"),
        ("0x7f.1", "127.0.0.1"),
        ("0X7F000001", "127.0.0.1"),
        ("0177.0.0.01", "127.0.0.1"),
        ("192.0.2.0xA", "192.0.2.10"),
        ("0", "0.0.0.0"),
    ] {
        assert_eq!(base.join(&format!("//{host}/")).map(|url| url.host), Ok(address.to_owned()), "{host}");
        // A target on the command line is more likely incomplete.
        if host != "0X7F000001" && host != "192.0.2.0xA" {
            assert!(refusal(&format!("http://{host}/")).contains("not an IPv4 address"), "{host}");
        }
    }
    for host in ["4294967296", "1.2.3.256", "1.2.3.4.5", "256.1", "1.2.65536", "08.1", "127..1", "1.", "+1"] {
        assert!(base.join(&format!("//{host}/")).is_err(), "{host}");
    }
    assert_eq!(base.join("//0x/").map(|url| url.host), Ok("0x".to_owned()), "a name");
}

/// Every prefix and every tail of odd texts is read or refused, and what is read can be read again.
#[test]
fn no_text_is_too_odd() {
    let base = url("https://[::1]:8443/a/b?c");
    let texts = [
        "https://[2001:db8::1]:8443/a/../b/./c?x=é #f",
        "HTTP://u:p@h:80//..//.?#",
        "//[::ffff:1.2.3.4%25lo]:/ä/../../..",
        "tcp://a.-b_c.:65535/\u{202e}\u{0}\r\n",
    ];
    for text in texts {
        for at in (0..=text.len()).filter(|at| text.is_char_boundary(*at)) {
            for part in [&text[..at], &text[at..]] {
                for url in [parse(part), base.join(part)].into_iter().flatten() {
                    assert_eq!(parse(&url.to_string()).as_ref(), Ok(&url), "{part:?}");
                    assert!(url.to_string().bytes().all(|b| b.is_ascii_graphic()), "{part:?}");
                }
            }
        }
    }
}
