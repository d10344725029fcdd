//! A check of a TCP banner with a function, which is called with the bytes received so far.

mod target;

use pingstate::{Banner, probe};

/// Extracts the software version of the identification string (RFC 4253, section 4.2).
fn is_ssh(received: &[u8]) -> (Banner, String) {
    let text = String::from_utf8_lossy(received);
    let Some((line, _)) = text.split_once("\r\n") else { return (Banner::More, String::new()) };
    match line.strip_prefix("SSH-2.0-") {
        Some(version) => (Banner::Yes, format!("SSH server: {version}")),
        None => (Banner::No, format!("no SSH server: {line}")),
    }
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    for port in [target::greeting("SSH-2.0-OpenSSH_9.9\r\n")?, target::greeting("220 mail\r\n")?] {
        let result = probe("tcp", "localhost", port).check_banner(is_ssh).build()?.check();
        println!("{}: {}", result.ok, result.detail);
    }
    Ok(())
}
