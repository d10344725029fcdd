//! Reads files that hold secrets: passwords, tokens and header fields.

use std::fs::{self, File};
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::log::plain;

/// The directory of the service's credentials (systemd.exec(5)), and how a path refers to it.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";
const CREDENTIALS_PREFIX: &str = "${CREDENTIALS_DIRECTORY}";

/// The largest file of secrets, in bytes.
const SECRET_MAX: usize = 64 * 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// The group and others must not be able to read it.
    Private,
    Any,
}

/// The text of a file that only its owner can read, or that is one of the service's credentials. The error is one line
/// without the path and the content.
pub(super) fn read_secret(path: &Path) -> Result<String, String> {
    let text = read(path, Access::Private, SECRET_MAX)?;
    String::from_utf8(text).map_err(|_| "is not UTF-8".to_owned())
}

pub(super) fn read(path: &Path, access: Access, max: usize) -> Result<Vec<u8>, String> {
    let credentials = std::env::var_os(CREDENTIALS).filter(|path| !path.is_empty()).map(PathBuf::from);
    let path = resolve(path, credentials.as_deref())?;
    // Opening a pipe would wait for a writer.
    if !fs::metadata(&path).map_err(|error| plain(&error))?.is_file() {
        return Err("is not a regular file".to_owned());
    }
    let file = File::open(&path).map_err(|error| plain(&error))?;
    let mode = file.metadata().map_err(|error| plain(&error))?.permissions().mode();
    // systemd gives the service access to its credentials by an ACL, which is shown as the group's permissions.
    if access == Access::Private && mode & 0o044 != 0 && !is_below(&path, credentials.as_deref()) {
        return Err(format!("others can read it: it has mode {:03o} (run chmod 600)", mode & 0o777));
    }
    let mut bytes = Vec::new();
    file.take(max as u64 + 1).read_to_end(&mut bytes).map_err(|error| plain(&error))?;
    match bytes.len() > max {
        true => Err(format!("is larger than {} KiB", max >> 10)),
        false => Ok(bytes),
    }
}

/// Replaces `${CREDENTIALS_DIRECTORY}` at the start of a path.
fn resolve(path: &Path, credentials: Option<&Path>) -> Result<PathBuf, String> {
    let Ok(rest) = path.strip_prefix(CREDENTIALS_PREFIX) else { return Ok(path.to_owned()) };
    match credentials {
        Some(directory) => Ok(directory.join(rest)),
        None => Err(format!("{CREDENTIALS} is not set (LoadCredential= in a systemd unit sets it)")),
    }
}

fn is_below(path: &Path, directory: Option<&Path>) -> bool {
    let Some(directory) = directory.and_then(|directory| directory.canonicalize().ok()) else { return false };
    path.canonicalize().is_ok_and(|path| path.starts_with(directory))
}

#[cfg(test)]
pub(in crate::cli) mod tests {
    use super::*;

    pub(in crate::cli) struct Directory(PathBuf);

    impl Directory {
        pub(in crate::cli) fn new(name: &str) -> Directory {
            let path = std::env::temp_dir().join(format!("pingstate-{}-{name}", std::process::id()));
            fs::create_dir_all(&path).expect("created");
            Directory(path)
        }

        pub(in crate::cli) fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
            let path = self.0.join(name);
            fs::write(&path, text).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("set");
            path
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_secret_is_read_only_by_its_owner() {
        let directory = Directory::new("secret");
        for (mode, is_refused) in
            [(0o600, false), (0o400, false), (0o640, true), (0o604, true), (0o644, true), (0o622, false)]
        {
            let path = directory.file("secret", "x\n", mode);
            let error = read_secret(&path).err();
            assert_eq!(error.is_some(), is_refused, "{mode:o}");
            assert_eq!(read(&path, Access::Any, 9), Ok(b"x\n".to_vec()));
            let mode = format!("others can read it: it has mode {mode:o} (run chmod 600)");
            assert!(error.is_none_or(|error| error == mode));
        }
        assert_eq!(read_secret(&directory.0).expect_err("a directory"), "is not a regular file");
        let missing = read_secret(&directory.0.join("none")).expect_err("missing");
        assert_eq!(missing, "No such file or directory");
        let path = directory.file("large", &"x".repeat(SECRET_MAX + 1), 0o600);
        assert_eq!(read_secret(&path).expect_err("large"), "is larger than 64 KiB");
    }

    #[test]
    fn credentials_are_found_and_may_be_readable_by_a_group() {
        let (directory, other) = (Directory::new("credentials"), Directory::new("other"));
        let path = directory.file("nas", "x", 0o440);
        assert!(is_below(&path, Some(&directory.0)) && !is_below(&path, None));
        assert!(!is_below(&path, Some(&other.0)));
        let outside = directory.0.join("../").join(other.0.file_name().expect("a name")).join("x");
        other.file("x", "x", 0o644);
        assert!(!is_below(&outside, Some(&directory.0)));
        let named = Path::new("${CREDENTIALS_DIRECTORY}/nas");
        assert_eq!(resolve(named, Some(&directory.0)), Ok(path));
        let error = "CREDENTIALS_DIRECTORY is not set (LoadCredential= in a systemd unit sets it)";
        assert_eq!(resolve(named, None), Err(error.to_owned()));
        let plain = Path::new("/etc/${CREDENTIALS_DIRECTORY}");
        assert_eq!(resolve(plain, None), Ok(plain.to_owned()));
    }
}
