//! Name resolution with the test's own files and servers.

use std::fs;
use std::net::UdpSocket;
use std::path::PathBuf;
use std::time::Duration;

use pingstate::*;

use super::*;
use crate::common::{PATIENCE, eventually};

/// A directory, removed when dropped.
struct Dir(PathBuf);

impl Dir {
    fn new(name: &str) -> Dir {
        let path =
            std::env::temp_dir().join(format!("pingstate-resolver_config-{}-{name}", std::process::id()));
        fs::create_dir_all(&path).expect("a directory");
        Dir(path)
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).expect("written");
        path
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn the_hosts_file_is_read_again_when_it_changes() {
    let dir = Dir::new("hosts");
    let (target, _) = target();
    let port = target.address.port();
    let names = ResolverConfig::default()
        .hosts(dir.file("hosts", ""))
        .resolv_conf(dir.file("resolv.conf", ""))
        .servers([([127, 0, 0, 1], 1).into()]);
    let probe = built(probe("tcp", "db.example", port).timeout(500 * MS));
    let result = check_with(&probe, names.clone());
    assert!(!result.ok && result.latency.is_none(), "{result:?}");
    let monitor = Monitor::new(probe).interval(20 * MS).start_with(names).expect("starts");
    eventually("down", || (monitor.state() == State::Down).then_some(()));
    dir.file("hosts", "127.0.0.1 db.example\n");
    eventually("up", || (monitor.state() == State::Up).then_some(()));
    fs::remove_file(dir.0.join("hosts")).expect("removed");
    eventually("down again", || (monitor.state() == State::Down).then_some(()));
}

#[test]
fn resolv_conf_is_read_again_when_it_changes() {
    let dir = Dir::new("resolv");
    let server = UdpSocket::bind("127.0.0.1:0").expect("bound");
    server.set_read_timeout(Some(PATIENCE)).expect("set");
    let names = ResolverConfig::default()
        .hosts(dir.file("hosts", ""))
        .resolv_conf(dir.file("resolv.conf", "search lan\n"))
        .servers([server.local_addr().expect("an address")]);
    let probe = built(probe("tcp", "db", 1).timeout(50 * MS));
    let _monitor = Monitor::new(probe).interval(20 * MS).start_with(names).expect("starts");
    let is_queried = |name: &[u8]| {
        let mut query = [0; 512];
        let length = server.recv(&mut query).expect("a question");
        query[..length].windows(name.len()).any(|window| window == name).then_some(())
    };
    assert_eq!(is_queried(b"\x02db\x03lan\0"), Some(()));
    dir.file("resolv.conf", "search home\n");
    eventually("the other domain", || is_queried(b"\x02db\x04home\0"));
}

#[test]
fn multicast_names_are_queried_at_the_configured_address() {
    let group = UdpSocket::bind("127.0.0.1:0").expect("bound");
    group.set_read_timeout(Some(PATIENCE)).expect("set");
    let names = ResolverConfig::default().hosts("/dev/null").mdns(group.local_addr().expect("an address"));
    let probe = built(probe("tcp", "nas.local", 1).timeout(Duration::from_millis(100)));
    let result = check_with(&probe, names);
    let mut query = [0; 512];
    let length = group.recv(&mut query).expect("a question");
    assert!(query[..length].windows(11).any(|window| window == b"\x03nas\x05local\0"));
    assert!(!result.ok, "{result:?}");
}
