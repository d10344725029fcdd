//! Half-open connections over a link with a delay: the server's last packet of the handshake is a reset.

use std::io::{BufRead, BufReader, ErrorKind};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use crate::common::net::{Namespace, must, run_in_namespace};
use crate::common::*;

/// Forwards the frames between two interfaces, each 100 ms later: not every kernel has netem. The header that
/// PACKET_VNET_HDR (15) adds to frames has them sent with the checksum that veth leaves to the device.
const LINK: &str = r#"
import heapq, select, socket, sys, time
ends = [socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)) for name in sys.argv[1:]]
for end, name in zip(ends, sys.argv[1:]):
    end.setsockopt(263, 15, 1)
    end.bind((name, 0))
print("ready", flush=True)
frames, count = [], 0
while True:
    wait = max(0, frames[0][0] - time.monotonic()) if frames else None
    for end in select.select(ends, [], [], wait)[0]:
        frame, address = end.recvfrom(65536)
        if address[2] != socket.PACKET_OUTGOING:
            count += 1
            heapq.heappush(frames, (time.monotonic() + 0.1, count, ends[1 - ends.index(end)], frame))
    while frames and frames[0][0] <= time.monotonic():
        _, _, end, frame = heapq.heappop(frames)
        end.send(frame)
"#;

struct Link(Child);

impl Link {
    fn start(namespace: &Namespace, ends: [&str; 2]) -> Link {
        let args = ["-t", &namespace.pid().to_string(), "-n", "python3", "-c", LINK, ends[0], ends[1]];
        let link = Command::new("nsenter").args(args).stdout(Stdio::piped()).spawn();
        let mut link = Link(link.expect("nsenter starts"));
        let mut line = String::new();
        let output = link.0.stdout.take().expect("piped");
        BufReader::new(output).read_line(&mut line).expect("a line");
        assert_eq!(line, "ready\n");
        link
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The number of connections that a reset ended before the handshake was complete.
fn embryonic_resets() -> u64 {
    let text = std::fs::read_to_string("/proc/net/netstat").expect("linux");
    let mut lines = text.lines().map(str::split_whitespace);
    let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
    let (_, value) = names.zip(values).find(|(name, _)| *name == "EmbryonicRsts").expect("the counter");
    value.parse().expect("a number")
}

#[test]
fn a_distant_server_does_not_see_half_open_connections() {
    if !run_in_namespace("half_open::a_distant_server_does_not_see_half_open_connections")
        || !has("nsenter", &["--version"])
        || !has("python3", &["--version"])
    {
        return;
    }
    let (client, between) = (Namespace::new(), Namespace::new());
    must("ip link set lo up");
    must(&format!("ip link add s type veth peer name bs netns {}", between.pid()));
    between.must(&format!("ip link add bc type veth peer name c netns {}", client.pid()));
    must("ip addr add 10.7.0.1/24 dev s");
    client.must("ip addr add 10.7.0.2/24 dev c");
    must("ip link set s up");
    client.must("ip link set c up");
    between.must("ip link set bs up");
    between.must("ip link set bc up");
    let _link = Link::start(&between, ["bs", "bc"]);
    let listener = TcpListener::bind("10.7.0.1:0").expect("bound");
    listener.set_nonblocking(true).expect("non-blocking");
    let url = format!("tcp://{}", listener.local_addr().expect("bound"));
    let once = |args: &[&str]| {
        let mut command = Command::new("nsenter");
        command.args(["-t", &client.pid().to_string(), "-n"]).arg(binary()).args(args);
        let output = command.args(["--once", "--timeout", "10", &url]).output().expect("runs");
        let line = String::from_utf8(output.stdout).expect("text");
        assert!(line.starts_with("up ") && line.ends_with("connect ok\n"), "{line}");
        let latency: f64 = line.split_whitespace().nth(1).and_then(|ms| ms.parse().ok()).expect("a latency");
        assert!(latency >= 200.0, "{line}");
    };
    let before = embryonic_resets();
    for _ in 0..5 {
        once(&["--half-open"]);
    }
    eventually("five resets", || (embryonic_resets() >= before + 5).then_some(()));
    assert_eq!(listener.accept().map_err(|error| error.kind()).err(), Some(ErrorKind::WouldBlock));
    once(&[]);
    eventually("an ordinary connection", || listener.accept().ok());
}
