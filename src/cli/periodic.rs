//! The periodic requests of the daemon: `--push-url` and `--alive-url`.

use super::Daemon;
use super::log::Log;
use super::options::RequestFlags;
use super::request_files::read_headers;
use super::trust::{TrustFlags, Trusts};
use crate::probe::build::{Error, PeriodicRequest};

#[derive(Default)]
pub(crate) struct PeriodicRequests {
    pub(crate) push: Option<PeriodicRequest>,
    pub(crate) alive: Option<PeriodicRequest>,
}

impl PeriodicRequests {
    /// Reads the files that the flags name. Errors are appended.
    pub(super) fn new(daemon: &Daemon, log: Log, errors: &mut Vec<(usize, String)>) -> PeriodicRequests {
        let mut of = |name: &str, flags: &RequestFlags| {
            request(name, flags, log).unwrap_or_else(|error| {
                errors.extend(error.map(|error| (0, error)));
                None
            })
        };
        PeriodicRequests { push: of("push", &daemon.push), alive: of("alive", &daemon.alive) }
    }
}

fn request(name: &str, flags: &RequestFlags, log: Log) -> Result<Option<PeriodicRequest>, Option<String>> {
    let Some(url) = &flags.url else {
        let without_effect =
            [("interval", flags.interval.is_some()), ("header-file", flags.header_file.is_some())];
        return match without_effect.iter().find(|(_, is_given)| *is_given) {
            Some((flag, _)) => Err(Some(format!("--{name}-{flag}: needs --{name}-url"))),
            None => Ok(None),
        };
    };
    let named = |flag: &'static str| move |error: Error| format!("--{name}-{flag}: {}", error.message());
    let mut trusts = Trusts::new(log);
    let trusted = match flags.is_https() {
        true => trusts.of(TrustFlags::of_webhook(flags.ca_file.as_deref()))?.trust,
        false => None,
    };
    let mut request = PeriodicRequest::new(url, trusted.as_ref()).map_err(named("url"))?;
    if let Some(path) = &flags.header_file {
        let fields = read_headers(&format!("--{name}-header-file"), path)?;
        request = request.headers(fields.to_vec()).map_err(named("header-file"))?;
    }
    if let Some(interval) = flags.interval {
        request = request.interval(interval).map_err(named("interval"))?;
    }
    Ok(Some(request))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::cli::{Command, parse};

    /// The requests of a command line, and the errors.
    fn requests(args: &[&str]) -> (PeriodicRequests, Vec<String>) {
        let args: Vec<OsString> = ["pingstate"].iter().chain(args).map(Into::into).collect();
        let Ok(Command::Run(options)) = parse(args.into_iter()) else { panic!("invalid arguments") };
        let mut errors = Vec::new();
        let requests = PeriodicRequests::new(&options.daemon, Log::new(), &mut errors);
        (requests, errors.into_iter().map(|(_, error)| error).collect())
    }

    #[test]
    fn requests_are_made_of_flags() {
        let (requests, errors) =
            requests(&["--push-url", "http://h/s3cret", "--alive-url=http://i:81/s3cret"]);
        assert_eq!(errors, [""; 0]);
        let shown = format!("{:?} {:?}", requests.push, requests.alive);
        assert_eq!(shown, "Some(PeriodicRequest(http://h:80)) Some(PeriodicRequest(http://i:81))");
    }

    #[test]
    fn errors_name_the_flag_and_no_secrets() {
        for (args, error) in [
            (&["--push-interval", "20"][..], "--push-interval: needs --push-url"),
            (&["--push-header-file", "x"], "--push-header-file: needs --push-url"),
            (&["--alive-interval", "20"], "--alive-interval: needs --alive-url"),
            (
                &["--push-url", "http://h/", "--push-header-file", "/none/file"],
                "--push-header-file: /none/file: No such file or directory",
            ),
            (
                &["--push-url", "http://me:s3cret@h/"],
                "--push-url: a URL cannot hold a user or password (--push-header-file can send them to --push-url)",
            ),
            (&["--alive-url", "http://h:0/"], "--alive-url: port … is not between 1 and 65535"),
        ] {
            let (requests, errors) = requests(args);
            assert_eq!(errors, [error]);
            assert!(requests.push.is_none() && requests.alive.is_none());
        }
    }
}
