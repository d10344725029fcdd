//! Replays the corpora and all past findings of the fuzz targets.

use std::path::{Path, PathBuf};
use std::{fs, io};

type Property = fn(&[u8]);

const TARGETS: &[(&str, Property)] = &[
    ("chunked", super::chunked),
    ("cli", super::cli),
    ("conf", super::conf),
    ("dns", super::dns),
    ("engine", super::engine),
    ("icmp", super::icmp),
    ("json", super::json),
    ("location", super::location),
    ("records", super::records),
    ("request", super::request),
    ("resolver", super::resolver),
    ("response", super::response),
    ("state_file", super::state_file),
    ("verdict", super::verdict),
];

/// The directory of the fuzz targets; a packaged crate has none.
fn directory() -> Option<PathBuf> {
    Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz")).filter(|path| path.is_dir())
}

fn files(path: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files: Vec<_> = fs::read_dir(path)?.map(|entry| Ok(entry?.path())).collect::<io::Result<_>>()?;
    files.sort();
    Ok(files)
}

#[test]
fn corpora_and_findings_pass() {
    let Some(directory) = directory() else { return };
    for (name, property) in TARGETS {
        let corpus = files(&directory.join("corpus").join(name)).expect("every target has a corpus");
        let findings = files(&directory.join("findings").join(name)).unwrap_or_default();
        assert!(!corpus.is_empty(), "{name}");
        for file in corpus.into_iter().chain(findings) {
            let data = fs::read(&file).expect("readable");
            let outcome = std::panic::catch_unwind(|| property(&data));
            assert!(outcome.is_ok(), "{}", file.display());
        }
    }
}

#[test]
fn every_property_holds_for_empty_and_random_input() {
    let noise: Vec<u8> = (0..2000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for (_, property) in TARGETS {
        for end in [0, 1, 2, 3, 10, 100, 700, 2000] {
            property(&noise[..end]);
            property(&noise[2000 - end..]);
        }
    }
}
