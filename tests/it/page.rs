//! The status page in Chromium, direct and below a path of nginx. page.mjs operates the browser.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::*;
use crate::control::directory;
use crate::proxies::{NGINX, Proxy};

/// Installed by .ci/run.
fn modules() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("browser")
}

/// A server that is up or down, as the last request of `/up` or `/down` says.
fn target() -> Server {
    let is_up = AtomicBool::new(true);
    Server::start(move |stream| {
        let head = read_head(&stream);
        match head.split(' ').nth(1) {
            Some("/up") => is_up.store(true, Ordering::SeqCst),
            Some("/down") => is_up.store(false, Ordering::SeqCst),
            _ => {}
        }
        let status = if is_up.load(Ordering::SeqCst) { "200 OK" } else { "500 <b>\"Broken\"</b>" };
        let _ = (&stream).write_all(format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").as_bytes());
    })
}

#[test]
fn the_page_works_in_a_browser() {
    if !has("chromium", &["--version"]) || !has("nginx", &["-v"]) || !has("node", &["--version"]) {
        return;
    }
    for module in ["puppeteer-core", "axe-core"] {
        if !modules().join("node_modules").join(module).is_dir() {
            return missing(module);
        }
    }
    let dir = directory("page");
    let target = target();
    let url = target.url("http");
    let names = [
        "web",
        "git server",
        "\"quotes\" & 'apostrophes' <b>",
        "Überwachung 日本語 עברית",
        "a-very-long-name-without-any-space-".repeat(3).leak(),
        "100 % down?#/",
    ];
    let mut config = "--interval 0.2 --fall 1\n".to_owned();
    for (index, name) in names.iter().enumerate() {
        let group = if index % 2 == 1 { "--group 'home <&>'" } else { "" };
        let quoted = format!("'{}'", name.replace('\'', "'\\''"));
        config += &match index {
            5 => format!("{quoted} tcp://{} {group} --interval 0.3\n", closed_port()),
            // The others are always up.
            1.. => format!("{quoted} tcp://{} {group}\n", target.address),
            0 => format!("{quoted} {url}{}\n", "x".repeat(200)),
        };
    }
    let file = dir.join("config");
    fs::write(&file, config).expect("written");
    let daemon = Daemon::start(&["--config", file.to_str().expect("a plain name")]);
    let nginx = Proxy::start("nginx", daemon.api, NGINX, &["-p", "DIR", "-c", "FILE"]);
    let settings = serde_json::json!({
        "pages": [format!("http://{}/", daemon.api), format!("http://{}/sub/", nginx.address)],
        "api": format!("http://{}/", daemon.api),
        "target": url,
        "names": names,
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/page.mjs");
    let output = Command::new("node")
        .args([script.as_os_str(), modules().as_os_str()])
        .arg(settings.to_string())
        .env("HOME", &dir)
        .stdin(Stdio::null())
        .output()
        .expect("node starts");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    println!("{text}");
    assert!(output.status.success() && text.contains("passed\n"), "{text}");
    let _ = fs::remove_dir_all(dir);
}
