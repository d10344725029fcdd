//! A router with two uplinks: each target uses its own, and what is reported when one of them fails.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, Command, Stdio};

use crate::common::net::{Namespace, must, run, run_in_namespace};
use crate::common::*;

/// A web server and a name server behind an uplink: argument 1 is the last number of its address, to which each name
/// resolves. The name server has the same address behind each uplink. The numbers of queries and requests are printed.
const PEER: &str = r#"
import http.server, os, socket, sys, threading
n = int(sys.argv[1])
class Web(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        print("http", flush=True)
        body = b"uplink %d" % n
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def log_message(self, *args): pass
web = http.server.ThreadingHTTPServer(("198.51.100.%d" % n, 80), Web)
threading.Thread(target=web.serve_forever, daemon=True).start()
dns = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
dns.bind(("198.51.100.53", 53))
print("ready", flush=True)
while True:
    query, peer = dns.recvfrom(512)
    print("dns", flush=True)
    end = query.index(b"\0", 12) + 5
    is_a = query[end - 4:end - 2] == b"\0\1"
    answer = query[:2] + b"\x81\x80\0\1\0" + bytes([is_a]) + b"\0\0\0\0" + query[12:end]
    if is_a: answer += b"\xc0\x0c\0\1\0\1\0\0\0\1\0\4" + bytes([198, 51, 100, n])
    try: dns.sendto(answer, peer)
    except OSError: pass
"#;

struct Uplink {
    namespace: Namespace,
    number: u8,
    server: Child,
    events: std::sync::mpsc::Receiver<String>,
}

impl Uplink {
    fn new(number: u8) -> Uplink {
        let namespace = Namespace::new();
        let pid = namespace.pid();
        must(&format!("ip link add wan{number} type veth peer name peer netns {pid}"));
        namespace.must("ip link set lo up");
        namespace.must(&format!("ip addr add 10.{number}.0.1/24 dev peer"));
        namespace.must(&format!("ip addr add 198.51.100.{number}/32 dev lo"));
        namespace.must("ip addr add 198.51.100.53/32 dev lo");
        namespace.must("ip link set peer up");
        let mut command = Command::new("nsenter");
        command.args(["-t", &pid.to_string(), "-n", "python3", "-c", PEER, &number.to_string()]);
        let mut server = command.stdout(Stdio::piped()).spawn().expect("python3");
        let (sender, events) = std::sync::mpsc::channel();
        let output = BufReader::new(server.stdout.take().expect("a pipe"));
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        assert_eq!(events.recv().as_deref(), Ok("ready"));
        let uplink = Uplink { namespace, number, server, events };
        uplink.connect();
        must(&format!("sysctl -qw net.ipv4.conf.wan{number}.rp_filter=1"));
        uplink
    }

    /// Gives the interface its address and routes.
    fn connect(&self) {
        let n = self.number;
        must(&format!("ip link set wan{n} up"));
        must(&format!("ip addr replace 10.{n}.0.2/24 dev wan{n}"));
        must(&format!("ip route replace default via 10.{n}.0.1 dev wan{n} metric {n}00"));
        must(&format!("ip route replace default via 10.{n}.0.1 dev wan{n} table {n}"));
    }

    /// What its servers have received since the last call.
    fn received(&self) -> Vec<String> {
        self.events.try_iter().collect()
    }
}

impl Drop for Uplink {
    fn drop(&mut self) {
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The lines of single checks of these targets.
fn once(targets: &str, user: Option<&str>) -> Vec<String> {
    let mut command = match user {
        None => pingstate(),
        Some(user) => {
            let mut command = Command::new("setpriv");
            command.args(["--reuid", user, "--regid", user, "--clear-groups", "--bounding-set=-all"]);
            command.arg(binary());
            command
        }
    };
    command
        .args(["--once", "--config", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("starts");
    child.stdin.take().expect("a pipe").write_all(targets.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("ends");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    println!("{text}");
    text.lines().map(str::to_owned).collect()
}

const BOUND: &str = "--timeout 1 --dns 198.51.100.53\n\
    --interface wan1\n\
    one http://web.example/ --check \"body_contains:uplink 1\"\n\
    one-ping icmp://198.51.100.1\n\
    --interface wan2\n\
    two http://web.example/ --check \"body_contains:uplink 2\"\n\
    two-ping icmp://198.51.100.2\n\
    two-dns dns:web.example --check answer:198.51.100.2\n\
    two-tcp tcp://198.51.100.2:80 --half-open\n";

const ROUTED: &str = "--timeout 1 --dns 198.51.100.53\n\
    mark http://web.example/ --fwmark 2 --check \"body_contains:uplink 2\"\n\
    source http://web.example/ --source 10.2.0.2 --check \"body_contains:uplink 2\"\n\
    source-ping icmp://198.51.100.2 --source 10.2.0.2\n";

fn assert_lines(lines: &[String], expected: &[(&str, &str)]) {
    assert_eq!(lines.len(), expected.len(), "{lines:?}");
    for (line, (start, end)) in lines.iter().zip(expected) {
        assert!(line.starts_with(start) && line.ends_with(end), "{line:?}, expected {start} {end}");
    }
}

#[test]
fn each_target_uses_its_uplink() {
    let name = "uplinks::each_target_uses_its_uplink";
    if !run_in_namespace(name) || !has("nsenter", &["--version"]) || !has("python3", &["--version"]) {
        return;
    }
    must("ip link set lo up");
    let uplinks = [Uplink::new(1), Uplink::new(2)];
    must("sysctl -qw net.ipv4.conf.all.rp_filter=1");
    std::fs::write("/proc/sys/net/ipv4/ping_group_range", "0 2147483647").expect("set");
    must("ip rule add fwmark 2 table 2");
    must("ip rule add from 10.2.0.2 table 2");
    for user in [None, Some("65534")] {
        let lines = once(BOUND, user);
        assert!(lines.len() == 6 && lines.iter().all(|line| line.starts_with("up ")), "{lines:?}");
        for (uplink, queries) in uplinks.iter().zip([2, 3]) {
            let received = uplink.received();
            let count = |what: &str| received.iter().filter(|event| *event == what).count();
            assert_eq!((count("dns"), count("http")), (queries, 1), "uplink {}", uplink.number);
        }
    }
    let lines = once(ROUTED, None);
    assert!(lines.iter().all(|line| line.starts_with("up ")), "{lines:?}");
    let lines = once(ROUTED, Some("65534"));
    assert!(lines[0].contains("no permission for --fwmark: grant the capability CAP_NET_ADMIN"), "{lines:?}");

    let [one, two] = &uplinks;
    if run("ip -6 addr add fe80::2/64 dev wan1 nodad") {
        one.namespace.must("ip -6 addr add fe80::1/64 dev peer nodad");
        let targets = "--timeout 1\n\
            ping icmp://[fe80::1%wan1]\n\
            tcp tcp://[fe80::1%25wan1]:9\n\
            bound icmp://[fe80::1] --interface wan1\n\
            gone icmp://[fe80::1%wan9]\n";
        let lines = once(targets, None);
        let refused = ("down            -  tcp (tcp://[fe80::1%wan1]:9)", "]:9");
        let gone = ("down            -  gone (icmp://[fe80::1%wan9])", "no interface wan9");
        assert_lines(&lines, &[("up ", " ms"), refused, ("up ", " ms"), gone]);
    } else {
        missing("ipv6");
    }
    let down = |name: &str| format!("down            -  {name} (");
    let (web, ping, dns, tcp) = (down("two"), down("two-ping"), down("two-dns"), down("two-tcp"));
    let up = [("up ", "HTTP 200"), ("up ", " ms")];
    let silent = [
        (&*web, "waiting for 198.51.100.53 to resolve web.example; is there a route through wan2?"),
        (&*ping, "timed out after 1 s waiting for a reply from 198.51.100.2"),
        (&*dns, "timed out after 1 s waiting for the answer of 198.51.100.53:53"),
        (&*tcp, "no answer to connecting to 198.51.100.2:80; is there a route through wan2?"),
    ];
    must("ip route del default dev wan2");
    must("ip route del default table 2");
    assert_lines(&once(BOUND, None), &[&up[..], &silent].concat());
    two.connect();
    two.namespace.must("ip link set dev peer down");
    assert_lines(&once(BOUND, None), &[&up[..], &silent].concat());
    two.namespace.must("ip link set dev peer up");
    must("ip addr del 10.2.0.2/24 dev wan2");
    assert_lines(&once(BOUND, None), &[&up[..], &silent].concat());
    let no_address = "this machine does not have the address 10.2.0.2";
    let lines = once(ROUTED, None);
    assert!(lines[1].ends_with(no_address) && lines[2].ends_with(no_address), "{lines:?}");
    must("ip link set wan2 down");
    let lines = once(BOUND, None);
    let unreachable = "network is unreachable";
    let no_server = "no name server reachable for web.example (tried 198.51.100.53)";
    let link_down = [(&*web, no_server), (&ping, unreachable), (&dns, unreachable), (&tcp, unreachable)];
    assert_lines(&lines, &[&up[..], &link_down].concat());
    must("ip link del wan2");
    let gone = "no interface wan2";
    assert_lines(
        &once(BOUND, None),
        &[&up[..], &[(&*web, gone), (&ping, gone), (&dns, gone), (&tcp, gone)]].concat(),
    );
}

/// A name server on this machine answers the queries of targets with an interface, and the log says so.
#[test]
fn a_local_name_server_serves_bound_targets() {
    if !run_in_namespace("uplinks::a_local_name_server_serves_bound_targets")
        || !has("nsenter", &["--version"])
    {
        return;
    }
    must("ip link set lo up");
    let uplink = Uplink::new(1);
    let names =
        crate::common::dns::NameServer::start_at("127.0.0.1:0", |q| vec![q.addresses(&["198.51.100.1"], 60)]);
    let dns = names.address.to_string();
    let daemon =
        Daemon::start(&["--interval", "0.2", "--interface", "wan1", "--dns", &dns, "http://web.example/"]);
    daemon.wait_for_state("up");
    let line = daemon.next_line();
    assert!(line.ends_with("--interface, --source and --fwmark do not apply to its queries"), "{line}");
    assert!(daemon.get("/status").1.contains("\"interface\": \"wan1\""));
    assert!(!uplink.received().is_empty());
}
