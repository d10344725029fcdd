//! Name servers that are dead, slow, wrong or hostile: a healthy target is still resolved, and a name that
//! cannot be resolved fails in time with a reason.

use std::net::{SocketAddr, UdpSocket};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use crate::common::dns::*;
use crate::common::*;
use pingstate::{ProbeBuilder, ProbeResult, ResolverConfig, check_with};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const GOOD: &[&str] = &["127.0.0.1"];
const TIMEOUT: Duration = Duration::from_millis(1500);

/// Checks a good server under this name with this resolver configuration. The result is good only if all
/// takes less than [`TIMEOUT`]; src/resolve/tests has the exact times on a virtual clock.
fn check(name: &str, names: ResolverConfig) -> ProbeResult {
    let server = Server::answering(OK);
    let url = format!("http://{name}:{}/", server.address.port());
    let probe = ProbeBuilder::from_url(&url).timeout(TIMEOUT).build().expect("a target");
    let result = check_with(&probe, names);
    println!("{name}: {}", result.detail);
    result
}

fn asking(servers: &[SocketAddr]) -> ResolverConfig {
    ResolverConfig::default()
        .hosts("/nonexistent")
        .resolv_conf("/nonexistent")
        .servers(servers.iter().copied())
}

/// A name server that never answers.
fn dead() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").expect("bound")
}

fn file(what: &str, text: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("pingstate-dns-{}-{what}", std::process::id()));
    std::fs::write(&path, text).expect("written");
    path
}

#[test]
fn second_name_server_is_used_when_the_first_fails() {
    let good = NameServer::with(GOOD, 0);
    let dead = dead();
    let unheard = { UdpSocket::bind("127.0.0.1:0").and_then(|s| s.local_addr()).expect("an address") };
    type Fault = fn(&Question) -> Vec<Vec<u8>>;
    let faults: [(&str, Fault); 11] = [
        ("SERVFAIL", |q| vec![q.code(2)]),
        ("REFUSED", |q| vec![q.code(5)]),
        ("NOTIMP", |q| vec![q.code(4)]),
        ("wrong id", |q| {
            vec![{
                let mut bytes = q.addresses(&["192.0.2.9"], 9);
                bytes[0] ^= 0x55;
                bytes
            }]
        }),
        ("wrong question", |q| {
            vec![{
                let mut bytes = q.addresses(&["192.0.2.9"], 9);
                bytes[13] = b'x';
                bytes
            }]
        }),
        ("empty", |_| vec![Vec::new(), vec![0; 3]]),
        ("garbage", |q| vec![q.raw(0x8180, 9999, &[0xff; 400])]),
        ("looping names", |q| {
            vec![q.raw(0x8180, 1, &record(&[0xc0, q.raw(0, 0, &[]).len() as u8], 1, 9, &[9; 4]))]
        }),
        ("short record", |q| vec![q.raw(0x8180, 1, &record(&[0xc0, 12], 1, 9, &[9; 3]))]),
        ("truncated, dead over TCP", |q| if q.over_tcp { vec![] } else { vec![q.raw(0x8380, 0, &[])] }),
        ("flood of foreign answers", |q| {
            (0..500)
                .map(|i| {
                    let mut bytes = q.addresses(&["192.0.2.9"], 9);
                    bytes[0] ^= 1 + (i % 255) as u8;
                    bytes
                })
                .collect()
        }),
    ];
    for (what, first) in [("silence", dead.local_addr().expect("an address")), ("closed port", unheard)] {
        let result = check("db.example", asking(&[first, good.address]));
        assert!(result.ok, "{what}: {result:?}");
    }
    for (what, fault) in faults {
        let bad = NameServer::start(fault);
        let result = check("db.example", asking(&[bad.address, good.address]));
        assert!(result.ok, "{what}: {result:?}");
        let result = check("db.example", asking(&[bad.address]));
        assert!(!result.ok && !result.detail.is_empty(), "{what} alone: {result:?}");
    }
}

#[test]
fn dead_first_name_server_does_not_change_the_state() {
    let (dead, good) = (dead(), NameServer::with(GOOD, 0));
    let server = Server::answering(OK);
    let (first, second) = (dead.local_addr().expect("bound").to_string(), good.address.to_string());
    let url = format!("http://db.example:{}/", server.address.port());
    let daemon = Daemon::start(&["--interval", "0.3", "--dns", &first, "--dns", &second, &url]);
    let full = || daemon.get("/status").1.matches("\"event\": \"ok\"").count() > 8;
    eventually("eight checks", || full().then_some(()));
    let (_, body) = daemon.get("/status");
    assert!(body.contains("\"transitions\": 1,") && daemon.state() == "up", "{body}");
}

#[test]
fn answers_over_tcp_aliases_and_single_families_are_found() {
    // Truncated: the complete answer comes over TCP.
    let server = NameServer::start(|q| match q.over_tcp {
        true => vec![q.addresses(GOOD, 9)],
        false => vec![q.raw(0x8380, 0, &[])],
    });
    assert!(check("big.example", asking(&[server.address])).ok);
    // The query for one family is dropped.
    for dropped in [true, false] {
        let addresses = if dropped { GOOD } else { &["::ffff:127.0.0.1"] };
        let server = NameServer::start(move |q| match q.is_aaaa == dropped {
            true => vec![],
            false => vec![q.addresses(addresses, 9)],
        });
        let result = check("db.example", asking(&[server.address]));
        assert!(result.ok, "{result:?}");
    }
    // A CNAME before and after its target's addresses, and a CNAME loop.
    for turned in [false, true] {
        let server = NameServer::start(move |q| {
            let alias = record(&[0xc0, 12], 5, 9, &wire("real.example"));
            let address = record(&wire("real.example"), 1, 9, &[127, 0, 0, 1]);
            let records = if turned { [address, alias] } else { [alias, address] };
            vec![if q.is_aaaa { q.raw(0x8180, 0, &[]) } else { q.raw(0x8180, 2, &records.concat()) }]
        });
        assert!(check("alias.example", asking(&[server.address])).ok);
    }
    let endless = NameServer::start(|q| vec![q.raw(0x8180, 1, &record(&[0xc0, 12], 5, 9, &wire(&q.name)))]);
    assert!(!check("alias.example", asking(&[endless.address])).ok);
    // Slow, but in time.
    let slow = NameServer::start(|q| {
        #[allow(clippy::disallowed_methods)] // A slow server.
        std::thread::sleep(Duration::from_millis(300));
        vec![q.addresses(GOOD, 9)]
    });
    assert!(check("slow.example", asking(&[slow.address])).ok);
    // The name does not exist.
    let none = NameServer::start(|q| vec![q.code(3)]);
    let result = check("no.example", asking(&[none.address]));
    assert!(result.detail.contains("name does not exist: no.example"), "{result:?}");
    // Multicast DNS.
    let local = NameServer::start(|q| {
        let alone = record(&wire(&q.name), 1, 9, &[127, 0, 0, 1]);
        let mut answer = vec![0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0];
        answer.extend(alone);
        vec![answer, q.addresses(GOOD, 9)]
    });
    assert!(check("printer.local", asking(&[]).mdns(local.address)).ok);
}

#[test]
fn search_lists_and_hosts_are_used_and_reloaded() {
    let server = NameServer::start(|q| match &*q.name {
        "db.inner.example" => vec![q.addresses(GOOD, 300)],
        _ => vec![q.code(3)],
    });
    let conf = file("resolv.conf", "search outer.example inner.example\noptions ndots:2\n");
    let hosts = file("hosts", "127.0.0.1 printer printer.lan # here\n");
    let names = || ResolverConfig::default().hosts(&hosts).resolv_conf(&conf).servers([server.address]);
    assert!(check("db", names()).ok);
    assert!(check("printer.lan", names()).ok);
    assert!(!check("other", names()).ok);
    // The same in a daemon, while the files change.
    let target = Server::answering(OK);
    let url = format!("tcp://moved:{}", target.address.port());
    let probe = ProbeBuilder::from_url(&url).build().expect("a target");
    let monitor = pingstate::Monitor::new(probe).interval(Duration::from_millis(100));
    let api = SocketAddr::from(([127, 0, 0, 1], 0));
    let mut daemon = pingstate::Server::builder(monitor).resolver(names()).bind(api).expect("bound");
    let mut until = |state: pingstate::State| {
        eventually("the state", || {
            daemon.turn(Duration::from_millis(20)).expect("a turn");
            let target = daemon.targets().next().expect("a target");
            (daemon.snapshot(target).expect("a target").state == state).then_some(())
        });
    };
    until(pingstate::State::Down);
    std::fs::write(&hosts, "127.0.0.1 moved\n").expect("written");
    until(pingstate::State::Up);
    std::fs::remove_file(&hosts).expect("removed");
    until(pingstate::State::Down);
    let _ = std::fs::remove_file(&conf);
}

#[test]
fn answers_are_cached_for_their_ttl() {
    for (ttl_s, most) in [(300, 4), (0, usize::MAX)] {
        let names = NameServer::with(GOOD, ttl_s);
        let server = Server::answering(OK);
        let url = format!("http://db.example:{}/", server.address.port());
        let daemon = Daemon::start(&["--interval", "0.05", "--dns", &names.address.to_string(), &url]);
        let full = || daemon.get("/status").1.matches("\"event\": \"ok\"").count() == 20;
        eventually("twenty checks", || full().then_some(()));
        let asked = names.count();
        println!("TTL {ttl_s}: {asked} questions for twenty checks");
        assert!(asked <= most && (ttl_s > 0 || asked >= 40), "{asked}");
        assert_eq!(daemon.state(), "up");
    }
}

#[test]
fn the_last_name_of_a_block_list_with_65600_lines_is_found() {
    let mut text: String = (0..65_600).map(|i| format!("0.0.0.0 ad{i}.example\n")).collect();
    text.push_str("127.0.0.1 last.example\n");
    let hosts = file("blocklist", &text);
    let server = Server::answering(OK);
    let url = format!("http://last.example:{}/", server.address.port());
    let probe = ProbeBuilder::from_url(&url).timeout(Duration::from_secs(10)).build().expect("a target");
    let result = check_with(&probe, asking(&[]).hosts(&hosts));
    assert!(result.ok, "{result:?}");
    let _ = std::fs::remove_file(&hosts);
}

#[test]
fn truncated_hosts_file_is_logged() {
    let line = "0.0.0.0 ad.example\n";
    let text = line.repeat(8 * 1024 * 1024 / line.len() + 1) + "127.0.0.1 last.example\n";
    let hosts = file("long", &text);
    let names = NameServer::start(|q| vec![q.code(3)]);
    let probe = ProbeBuilder::from_url("tcp://last.example:1").build().expect("a target");
    let monitor = pingstate::Monitor::new(probe).interval(Duration::from_millis(100));
    let api = SocketAddr::from(([127, 0, 0, 1], 0));
    let (notices, checks) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let count = |calls: &AtomicUsize| {
        calls.fetch_add(1, Ordering::SeqCst);
    };
    let (noticed, checked) = (notices.clone(), checks.clone());
    let builder = pingstate::Server::builder(monitor)
        .resolver(asking(&[names.address]).hosts(&hosts))
        .on_warning(move |_| count(&noticed))
        .on_check(move |_| count(&checked));
    let mut daemon = builder.bind(api).expect("bound");
    eventually("several checks", || {
        daemon.turn(Duration::from_millis(20)).expect("a turn");
        (checks.load(Ordering::SeqCst) > 3).then_some(())
    });
    assert_eq!(notices.load(Ordering::SeqCst), 1, "one log line for one version of the file");
    let _ = std::fs::remove_file(&hosts);
}

#[test]
fn a_site_may_use_local_as_its_domain() {
    let server = NameServer::start(|q| match &*q.name {
        "db.corp.local" => vec![q.addresses(GOOD, 300)],
        _ => vec![q.code(3)],
    });
    let conf = file("corp.conf", "search corp.local\n");
    for name in ["db", "db.corp.local"] {
        // No host answers the multicast query.
        let names = asking(&[server.address]).resolv_conf(&conf).mdns(dead().local_addr().expect("bound"));
        let result = check(name, names);
        assert!(result.ok, "{name}: {result:?}");
    }
    let _ = std::fs::remove_file(&conf);
}

#[test]
fn options_of_resolv_conf_are_honoured() {
    let for_ipv6 = Arc::new(AtomicUsize::new(0));
    let count = for_ipv6.clone();
    let server = NameServer::start(move |q| {
        count.fetch_add(usize::from(q.is_aaaa), Ordering::SeqCst);
        if q.over_tcp { vec![q.addresses(GOOD, 300)] } else { vec![] }
    });
    let conf = file("options.conf", "options use-vc no-aaaa single-request trust-ad nonsense:9\n");
    assert!(check("db.example", asking(&[server.address]).resolv_conf(&conf)).ok);
    assert_eq!((server.count(), for_ipv6.load(Ordering::SeqCst)), (0, 0), "asked over UDP, or for AAAA");
    let _ = std::fs::remove_file(&conf);
}

#[test]
fn the_right_answer_is_accepted_after_33_wrong_ones() {
    let server = NameServer::start(|q| {
        let right = q.addresses(GOOD, 9);
        let mut wrong = q.addresses(&["192.0.2.9", "2001:db8::9"], 9);
        wrong[0] ^= 0x55;
        let mut answers = vec![wrong; 33];
        answers.push(right);
        answers
    });
    assert!(check("db.example", asking(&[server.address])).ok);
}

#[test]
fn aliases_are_followed_over_several_questions_and_through_long_chains() {
    let server = NameServer::start(|q| {
        let alias = |from: &str, to: &str| record(&wire(from), 5, 9, &wire(to));
        vec![match &*q.name {
            "www.example" => q.raw(0x8180, 1, &alias("www.example", "cdn.example")),
            "cdn.example" => q.raw(0x8180, 1, &alias("cdn.example", "n0.example")),
            _ => {
                let name = |i: usize| format!("n{i}.example");
                let chain: Vec<u8> = (0..17).flat_map(|i| alias(&name(i), &name(i + 1))).collect();
                let address = record(&wire(&name(17)), 1, 9, &[127, 0, 0, 1]);
                match q.is_aaaa {
                    true => q.raw(0x8180, 0, &[]),
                    false => q.raw(0x8180, 18, &[chain, address].concat()),
                }
            }
        }]
    });
    assert!(check("www.example", asking(&[server.address])).ok);
}

#[test]
fn two_lost_packets_do_not_use_up_a_budget_of_five_seconds() {
    let counts = std::sync::Mutex::new([0, 0]);
    let names = NameServer::start(move |q| {
        let count = &mut counts.lock().expect("counted")[usize::from(q.is_aaaa)];
        *count += 1;
        if *count <= 2 { vec![] } else { vec![q.addresses(GOOD, 9)] }
    });
    let server = Server::answering(OK);
    let url = format!("http://db.example:{}/", server.address.port());
    let probe = ProbeBuilder::from_url(&url).timeout(Duration::from_secs(5)).build().expect("a target");
    let result = check_with(&probe, asking(&[names.address]));
    assert!(result.ok, "{result:?}");
}

/// Runs `--once` with these files mounted over the system's, in a network namespace.
fn once(hosts: &str, conf: &str, url: &str) -> (Option<i32>, String) {
    let (hosts, conf) = (file("etc-hosts", hosts), file("etc-resolv.conf", conf));
    let script = "mount --bind $1 /etc/hosts && mount --bind $2 /etc/resolv.conf && exec $3 --once $4";
    let output = std::process::Command::new("unshare")
        .args(["-m", "sh", "-c", script, "sh"])
        .args([&hosts, &conf])
        .arg(pingstate().get_program())
        .arg(url)
        .output()
        .expect("runs");
    for path in [hosts, conf] {
        let _ = std::fs::remove_file(path);
    }
    let text = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8_lossy(&text).into_owned())
}

#[test]
fn names_resolve_with_the_system_files() {
    if !net::run_in_namespace("dns::names_resolve_with_the_system_files") {
        return;
    }
    net::must("ip link set lo up");
    let server = NameServer::start_at("127.0.0.1:53", |q| match &*q.name {
        "db.corp.local" => vec![q.addresses(GOOD, 300)],
        _ => vec![q.code(3)],
    });
    let target = Server::answering(OK);
    let url = |name: &str| format!("tcp://{name}:{}", target.address.port());
    let conf = "search corp.local\n";
    for name in ["db", "db.corp.local"] {
        let (code, said) = once("", conf, &url(name));
        assert_eq!(code, Some(0), "{said}");
    }
    let mut blocked: String = (0..65_600).map(|i| format!("0.0.0.0 ad{i}.example\n")).collect();
    blocked.push_str("127.0.0.1 last.example\n");
    let (code, said) = once(&blocked, conf, &url("last.example"));
    assert_eq!((code, said.lines().count()), (Some(0), 1), "{said}");
    // Ignored settings are logged once.
    let line = "0.0.0.0 ad.example\n";
    blocked = line.repeat(8 * 1024 * 1024 / line.len() + 1) + "127.0.0.1 last.example\n";
    let (code, said) =
        once(&blocked, "nameserver fe80::1%eth0\nnameserver 127.0.0.1\n", &url("last.example"));
    assert_eq!(code, Some(3), "{said}");
    for message in [
        "hosts file: only the first 8 MiB",
        "resolv.conf: name server \"fe80::1%eth0\" is not used: the zone must be a number",
    ] {
        assert_eq!(said.matches(message).count(), 1, "{said}");
    }
    drop(server);
}
