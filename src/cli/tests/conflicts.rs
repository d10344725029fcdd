//! Flags that exclude or need each other.

use super::*;

#[test]
fn conflicts_are_refused() {
    let url = "https://h/";
    for flag in ["--protocol=tcp", "--address=h", "--port=1", "--path=/"] {
        assert_eq!(refusal(&[flag, url]), refusal(&[flag, "tcp://h:1"]));
        let error = refusal(&[flag, url]);
        assert!(error.starts_with(flag.split('=').next().unwrap()) && error.contains("TARGET"), "{error}");
    }
    assert_eq!(refusal(&["--name=n", url, url]), "--name: cannot name 2 targets");
    assert_eq!(refusal(&[""]), "TARGET: is empty");
    let http_only = [
        "--method=HEAD",
        "--body=x",
        "--body-file=x",
        "--basic-auth-file=x",
        "--header-file=x",
        "--header=A: b",
        "--max-body=1",
        "--no-redirect",
        "--ca-file=x",
    ];
    for flag in http_only {
        for target in [&[][..], &["TCP://h:1", "tcp://i:1"]] {
            let args: Vec<&str> = target.iter().copied().chain([flag]).collect();
            let kinds = if flag.starts_with("--ca") { "http, https and tls" } else { "http and https" };
            let name = flag.split('=').next().unwrap();
            let expected = format!("{name}: is for {kinds}, but the target is tcp");
            assert_eq!(refusal(&args), expected);
        }
        for target in [&["--protocol=http"][..], &[url], &["tcp://h:1", "http://h"], &["not a URL"]] {
            let args: Vec<&str> = target.iter().copied().chain([flag]).collect();
            options(&args);
        }
    }
    let trusted = settings(&["--ca-file=x", "--webhook=https://h"]).ca_file;
    assert_eq!(trusted, Some("x".into()), "it applies to the webhook");
    assert!(refusal(&["--ca-file=x", "--webhook=http://h"]).starts_with("--ca-file: is for http, https"));
    assert_eq!(refusal(&["--ca-only", url]), "--ca-only: needs --ca-file");
    assert_eq!(refusal(&["--key=x", url]), "--key: needs --cert");
    for flag in ["--pin=x", "--tls-name=x", "--cert=x", "--connect-to=x", "--cert-days=9"] {
        let error = refusal(&[flag, "http://h"]);
        assert!(error.ends_with(": is for https and tls, but the target is http"), "{error}");
    }
    let error = refusal(&["--ca-only", "--ca-file=x", "--no-verify-tls", url]);
    assert_eq!(error, "--ca-only: has no effect with --no-verify-tls");
    options(&["--path=/x", "--no-verify-tls"]); // Ignored, as in the Python version.
}

#[test]
fn repeated_flags_are_limited() {
    assert_eq!(refusal(&["--dns=::1"; 9]), "--dns: at most 8 are allowed");
    assert_eq!(refusal(&["--api-allow-host=h"; 65]), "--api-allow-host: at most 64 are allowed");
    assert_eq!(refusal(&["--header=a:b"; 65]), "--header: at most 64 are allowed");
    assert_eq!(refusal(&["--pin=x"; 17]), "--pin: at most 16 are allowed");
    assert_eq!(refusal(&["--check=port_open"; 17]), "--check: at most 16 are allowed");
    assert_eq!(settings(&["--check=port_open"; 16]).probe.checks.len(), 16);
}
