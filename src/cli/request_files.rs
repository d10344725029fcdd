//! Files with parts of requests, which may be secret: `--basic-auth-file`, `--header-file` and `--body-file`. They are
//! read at start and reload, once for all targets with the same files.

use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;

use super::options::{Options, Settings};
use super::secret_file::{Access, read, read_secret};
use super::shared::{Shared, fingerprint};
use super::values;
use crate::probe::build::{self, ProbeBuilder};

/// Header fields that are secrets.
const SECRET_FIELDS: [&str; 5] =
    ["authorization", "proxy-authorization", "cookie", "x-api-key", "x-auth-token"];

pub(super) type HeaderFields = Rc<[(String, String)]>;

/// The contents of the files of a target.
#[derive(Clone, Default)]
pub(super) struct RequestFiles {
    body: Option<Arc<[u8]>>,
    headers: HeaderFields,
    basic_auth: Option<Rc<(String, String)>>,
    /// Of the contents.
    pub(super) fingerprint: u64,
}

impl RequestFiles {
    pub(super) fn apply(&self, settings: &mut build::Settings) {
        settings.body = self.body.clone().or(settings.body.take());
        settings.headers.extend_from_slice(&self.headers);
        settings.basic_auth = self.basic_auth.as_deref().cloned();
    }
}

#[derive(Default)]
pub(super) struct Files {
    read: Shared<RequestFiles>,
    webhook_headers: Shared<HeaderFields>,
}

impl Files {
    /// The error is one line that names the flag; it is `None` if it was reported before.
    pub(super) fn of(&mut self, settings: &Settings) -> Result<RequestFiles, Option<String>> {
        let paths = (&settings.body_file, &settings.basic_auth_file, &settings.header_file);
        if let (None, None, None) = paths {
            return Ok(RequestFiles::default());
        }
        self.read.get(fingerprint(&paths), || read_all(paths))
    }

    /// Those of `--webhook-header-file`. The error is as that of [`Files::of`].
    pub(super) fn webhook_headers(&mut self, path: &Path) -> Result<HeaderFields, Option<String>> {
        self.webhook_headers.get(fingerprint(&path), || read_headers("--webhook-header-file", path))
    }
}

type Paths<'a> = (&'a Option<PathBuf>, &'a Option<PathBuf>, &'a Option<PathBuf>);

fn read_all((body, basic_auth, headers): Paths<'_>) -> Result<RequestFiles, String> {
    let mut files = RequestFiles::default();
    if let Some(path) = body {
        let body = read(path, Access::Any, ProbeBuilder::REQUEST_BODY_MAX);
        files.body = Some(body.map_err(|error| named("--body-file", path, error))?.into());
    }
    if let Some(path) = basic_auth {
        let pair = read_secret(path).and_then(|text| name_and_password(&text));
        files.basic_auth = Some(Rc::new(pair.map_err(|error| named("--basic-auth-file", path, error))?));
    }
    if let Some(path) = headers {
        files.headers = read_headers("--header-file", path)?;
    }
    files.fingerprint = fingerprint(&(&files.body, &files.basic_auth, &files.headers));
    Ok(files)
}

/// The error is one line that names the flag.
pub(super) fn read_headers(flag: &str, path: &Path) -> Result<HeaderFields, String> {
    let fields = read_secret(path).and_then(|text| header_fields(&text));
    fields.map(Into::into).map_err(|error| named(flag, path, error))
}

fn named(flag: &str, path: &Path, error: String) -> String {
    format!("{flag}: {}: {error}", path.display())
}

/// `name:password`, of which the name has no colon (RFC 7617). Errors do not repeat the text.
fn name_and_password(text: &str) -> Result<(String, String), String> {
    let line = text.strip_suffix('\n').unwrap_or(text);
    let line = line.strip_suffix('\r').unwrap_or(line);
    match line.split_once(':') {
        _ if line.chars().any(char::is_control) => Err("must be a single line".to_owned()),
        Some((name, password)) => Ok((name.to_owned(), password.to_owned())),
        None => Err("is not name:password".to_owned()),
    }
}

/// A field on each line, except empty lines and comments. Errors do not repeat the text.
fn header_fields(text: &str) -> Result<Vec<(String, String)>, String> {
    let lines = (1..).zip(text.lines());
    let lines = lines.filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    let field = |(number, line)| {
        values::header(line)
            .map_err(|_| format!("line {number} is not 'Name: value' (its value is not shown)"))
    };
    lines.map(field).collect()
}

/// The warning if the command line, which other users can read, holds a secret.
pub(super) fn command_line_warning(options: &Options) -> Option<String> {
    let of_targets = options.targets.iter().map(|target| &*target.settings);
    let of_file = options.config.iter().map(|config| &config.line.settings);
    let mut headers = of_file.chain(of_targets).flat_map(|settings| &settings.probe.headers);
    let is_secret = |name: &str| SECRET_FIELDS.iter().any(|secret| name.eq_ignore_ascii_case(secret));
    let (name, _) = headers.find(|(name, _)| is_secret(name))?;
    let remedy = match name.eq_ignore_ascii_case("authorization") {
        true => "use --basic-auth-file or --header-file",
        false => "use --header-file",
    };
    Some(format!("--header: other users can read {name} in the list of processes ({remedy})"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::secret_file::tests::Directory;

    #[test]
    fn contents_are_parsed_without_repeating_them() {
        let pair = |name: &str, password: &str| Ok((name.to_owned(), password.to_owned()));
        assert_eq!(name_and_password("me:s3cret\r\n"), pair("me", "s3cret"));
        assert_eq!(name_and_password("me: s3:cret "), pair("me", " s3:cret "));
        assert_eq!(name_and_password(":"), pair("", ""));
        for text in ["", "s3cret", "me:s3cret\n\n", "me:s3cret\nx:y"] {
            assert!(name_and_password(text).is_err_and(|error| !error.contains("s3cret")), "{text:?}");
        }
        let fields =
            header_fields("# comment\nAuthorization: Bearer s3cret\r\n\nX-Empty:\n").expect("fields");
        let [(name, value), (empty, _)] = &fields[..] else { panic!("{fields:?}") };
        assert_eq!((&**name, &**value, &**empty), ("Authorization", "Bearer s3cret", "X-Empty"));
        for text in ["A: b\ns3cret", "A: b\n s3cret: x", "A: b\ns3cret: \u{1}"] {
            let error = header_fields(text).expect_err(text);
            assert_eq!(error, "line 2 is not 'Name: value' (its value is not shown)");
        }
    }

    #[test]
    fn a_changed_file_has_another_fingerprint_and_an_error_is_reported_once() {
        let directory = Directory::new("fingerprint");
        let path = directory.file("auth", "me:one", 0o600);
        let settings = Settings { basic_auth_file: Some(path), ..Settings::default() };
        let fingerprint = || Files::default().of(&settings).map(|files| files.fingerprint);
        let before = fingerprint();
        assert!(before.is_ok() && before == fingerprint());
        directory.file("auth", "me:two", 0o600);
        assert_ne!(fingerprint(), before);
        directory.file("auth", "me:two", 0o644);
        let mut files = Files::default();
        let error = files.of(&settings).err().flatten().expect("an error");
        assert!(error.starts_with("--basic-auth-file: /") && error.ends_with("(run chmod 600)"), "{error}");
        assert_eq!(files.of(&settings).err(), Some(None));
    }

    #[test]
    fn secrets_on_the_command_line_are_named() {
        let warning = |args: &[&str]| {
            let args = ["pingstate"].iter().chain(args).map(Into::into).collect::<Vec<_>>();
            match crate::cli::parse(args.into_iter()) {
                Ok(crate::cli::Command::Run(options)) => command_line_warning(&options),
                other => panic!("{other:?}"),
            }
        };
        let expected = "--header: other users can read Authorization in the list of processes (use \
                        --basic-auth-file or --header-file)";
        let flags = ["--header=X: y", "--header=Authorization: Basic s3cret"];
        assert_eq!(warning(&[&flags[..], &["http://h"]].concat()).as_deref(), Some(expected));
        assert_eq!(warning(&[&flags[..], &["--config=f"]].concat()).as_deref(), Some(expected));
        let other = warning(&["--header=x-api-key: s3cret", "tcp://h:1", "http://h"]);
        assert!(other.is_some_and(|warning| warning.ends_with("(use --header-file)")));
        assert_eq!(warning(&["--header=Accept: a", "http://h"]), None);
    }
}
