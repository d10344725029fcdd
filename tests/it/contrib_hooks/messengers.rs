//! The scripts that post to a messenger.

use std::fs;
use std::io::{Read, Write};
use std::process::Command;

use super::services::{SERVICES, Service, serve};
use super::*;

impl Service {
    fn env(&self, server: &Server) -> Vec<(&'static str, String)> {
        let address = server.address.to_string();
        self.settings.iter().map(|(name, value)| (*name, value.replace("SERVER", &address))).collect()
    }
}

fn borrow<'a>(env: &'a [(&'a str, String)]) -> Vec<(&'a str, &'a str)> {
    env.iter().map(|(name, value)| (*name, &**value)).collect()
}

fn has_curl() -> bool {
    has("curl", &["--version"])
}

#[test]
fn hostile_texts_arrive_as_they_are() {
    if !has_curl() {
        return;
    }
    let long = ["a€".repeat(1000), "\"".repeat(5000), "<".repeat(5000), "x".repeat(899) + "🦀"];
    // Each text from the daemon's sentence with one shell, and in a sentence of the script with the other.
    for (number, shell) in shells("hostile").iter().enumerate() {
        for service in &SERVICES {
            let (server, messages) = serve(service);
            let settings = service.env(&server);
            let texts = HOSTILE.into_iter().chain(long.iter().map(String::as_str));
            for (text, position) in texts.zip(number..) {
                let (name, expected) = match position % 2 {
                    0 => ("PINGSTATE_TEXT", text.to_owned()),
                    _ => ("PINGSTATE_DETAIL", format!("@w-b is down: {text}")),
                };
                let mut env = borrow(&settings);
                env.extend([("PINGSTATE_TARGET", "@w-b"), ("PINGSTATE_TO", "down"), (name, text)]);
                let dir = directory("executed");
                let mut command = shell.command(&[service.script], &env);
                command.current_dir(&dir);
                assert_eq!(run_to_end(command), (0, String::new()), "{} {text}", service.script);
                assert_eq!(messages.try_recv(), Ok((service.format)(&line(&expected))), "{}", service.script);
                assert_eq!(fs::read_dir(dir).expect("a directory").count(), 0, "{text} was executed");
            }
        }
    }
}

#[test]
fn reminders_and_test_messages_say_so() {
    if !has_curl() {
        return;
    }
    for service in &SERVICES {
        let (server, messages) = serve(service);
        let mut settings = service.env(&server);
        // A setting that was read from a file may end with a line break.
        settings
            .iter_mut()
            .filter(|(name, _)| *name != "GOTIFY_URL")
            .for_each(|(_, value)| value.push_str("\r\n"));
        for shell in shells("reminders") {
            for (name, value, start) in [("REMINDER", "3", "Reminder 3: "), ("TEST", "1", "Test message: ")] {
                let name = format!("PINGSTATE_{name}");
                let env =
                    [borrow(&settings), vec![("PINGSTATE_TEXT", "web is down"), (&*name, value)]].concat();
                assert_eq!(shell.run(&[service.script], &env), (0, String::new()), "{}", service.script);
                assert_eq!(messages.try_recv(), Ok(format!("{start}web is down")), "{}", service.script);
            }
        }
    }
}

/// One line of output says what is wrong: the daemon logs it.
#[test]
fn errors_name_the_setting_or_what_the_service_says() {
    if !has_curl() {
        return;
    }
    let dir = directory("settings");
    for (shell, service) in shells("errors").iter().flat_map(|shell| SERVICES.each_ref().map(|s| (shell, s)))
    {
        let (server, messages) = serve(service);
        let (script, settings) = (service.script, service.env(&server));
        let check = |words: &[&str], env: &[(&str, &str)], expected: &str| {
            let (status, output) = shell.run(words, env);
            assert_eq!(status, 1, "{script}: {output}");
            let has_prefix = output.starts_with(&format!("{script}: ")) && output.lines().count() == 1;
            assert!(has_prefix && output.contains(expected), "{output:?} has no {expected:?}");
        };
        let required = settings.iter().filter(|(name, _)| !["NTFY_TOKEN", "TELEGRAM_URL"].contains(name));
        for (name, _) in required {
            let others: Vec<_> = borrow(&settings).into_iter().filter(|(other, _)| other != name).collect();
            check(&[script], &others, &format!("{name} is not set"));
        }
        check(&[script, "/nowhere/conf"], &[], "cannot read /nowhere/conf");
        let (name, value, expected) = service.wrong;
        let value = value.replace("SERVER", &server.address.to_string());
        let mut wrong = borrow(&settings);
        wrong.iter_mut().filter(|(other, _)| *other == name).for_each(|(_, old)| *old = &value);
        check(&[script], &wrong, expected);
        assert!(messages.try_recv().is_err());
        // The settings may be in a file, that of a credential included.
        let lines = settings.iter().map(|(name, value)| format!("{name}='{value}'\n")).collect::<String>();
        fs::write(dir.join(format!("{script}.conf")), lines).expect("written");
        let env = [("CREDENTIALS_DIRECTORY", dir.to_str().expect("text")), ("PINGSTATE_TEXT", "x")];
        assert_eq!(shell.run(&[script], &env), (0, String::new()));
        assert_eq!(messages.try_recv().as_deref(), Ok("x"));
        drop(server);
        check(&[script], &borrow(&settings), "curl: (7) Failed to connect");
    }
}

/// Other users of the machine can read the arguments of all programs.
#[test]
fn no_secret_is_an_argument() {
    if !has_curl() || !has("strace", &["-f", "true"]) {
        return;
    }
    for service in &SERVICES {
        let (server, messages) = serve(service);
        let mut command = Command::new("strace");
        command.args(["-f", "-qq", "-e", "trace=execve", "-s", "65536", "sh", &hook(service.script)]);
        command.env_clear().env("PATH", std::env::var("PATH").expect("PATH is set"));
        command.envs(service.env(&server)).env("PINGSTATE_TEXT", "x");
        let (status, trace) = run_to_end(command);
        assert_eq!((status, messages.try_recv().as_deref()), (0, Ok("x")));
        assert!(trace.contains(r#"["curl""#), "{trace}");
        assert!(!trace.contains("secret") && !trace.contains("top-ic"), "{}: {trace}", service.script);
    }
}

#[test]
fn ntfy_without_a_token_needs_no_curl() {
    let applets = directory("ntfy-wget");
    if !has("busybox", &["--install", "-s", applets.to_str().expect("text")]) {
        return;
    }
    let (server, messages) = serve(&SERVICES[0]);
    let shell = Shell { words: &["sh"], path: applets.display().to_string() };
    let temporary = directory("ntfy-temporary");
    let run = |env: &[(&str, &str)]| {
        let mut command = shell.command(&["ntfy"], env);
        command.env("TMPDIR", &temporary);
        run_to_end(command)
    };
    let url = |topic: &str| format!("http://{}/{topic}", server.address);
    for text in HOSTILE {
        assert_eq!(run(&[("NTFY_URL", &url("public")), ("PINGSTATE_TEXT", text)]), (0, String::new()));
        assert_eq!(messages.try_recv(), Ok(line(text)));
    }
    let (status, output) = run(&[("NTFY_URL", &url("private")), ("PINGSTATE_TEXT", "x")]);
    assert!(status == 1 && output.starts_with("ntfy: wget: ") && output.contains(" 401 "), "{output}");
    let with_token = [("NTFY_URL", &*url("public")), ("NTFY_TOKEN", "x")];
    assert_eq!(run(&with_token), (1, "ntfy: curl is not installed\n".to_owned()));
    assert_eq!(fs::read_dir(temporary).expect("a directory").count(), 0);
}

#[test]
fn a_server_that_fails_once_is_asked_again() {
    if !has_curl() {
        return;
    }
    let count = std::sync::atomic::AtomicUsize::new(0);
    let server = Server::start(move |mut stream| {
        read_head(&stream);
        let status = if count.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == 0 { 503 } else { 200 };
        let _ = write!(stream, "HTTP/1.1 {status} -\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    });
    for shell in shells("again").into_iter().take(1) {
        let settings = SERVICES[3].env(&server);
        assert_eq!(shell.run(&["slack"], &borrow(&settings)), (0, String::new()));
    }
}

/// The daemon would kill the script after 30 s, without a reason in the log.
#[test]
fn a_server_that_never_answers_is_abandoned_in_time() {
    if !has_curl() {
        return;
    }
    let server = Server::start(|mut stream| while stream.read(&mut [0; 64]).is_ok_and(|len| len > 0) {});
    for shell in shells("timeout").into_iter().take(1) {
        let (start, settings) = (now(), SERVICES[3].env(&server));
        let (status, output) = shell.run(&["slack"], &borrow(&settings));
        assert!(status == 1 && output.starts_with("slack: curl: (28) "), "{output}");
        assert!((now() - start).as_secs() < 26);
    }
}

#[test]
fn the_daemon_reports_a_failure_and_the_recovery_by_ntfy() {
    if !has_curl() {
        return;
    }
    let (server, messages) = serve(&SERVICES[0]);
    let settings = SERVICES[0].env(&server);
    fail_and_recover(&["--on-change", &hook("ntfy")], &borrow(&settings), || {
        let message = messages.recv_timeout(PATIENCE).expect("a message");
        let state = message.strip_prefix("web is ").expect("the target").split(':').next();
        state.expect("a state").to_owned()
    });
}
