//! Name server with scripted answers, over UDP and TCP at one address.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// One received question.
pub struct Question {
    /// In lower case, without the final dot.
    pub name: String,
    pub is_aaaa: bool,
    pub over_tcp: bool,
    bytes: Vec<u8>,
    end: usize,
}

impl Question {
    fn read(bytes: &[u8], over_tcp: bool) -> Option<Question> {
        let (mut name, mut at) = (String::new(), 12);
        while let len @ 1.. = usize::from(*bytes.get(at)?) {
            let label = bytes.get(at + 1..at + 1 + len)?;
            name += &format!("{}{}", if at > 12 { "." } else { "" }, String::from_utf8_lossy(label));
            at += 1 + len;
        }
        let is_aaaa = *bytes.get(at + 2)? == 28;
        let name = name.to_ascii_lowercase();
        Some(Question { name, is_aaaa, over_tcp, bytes: bytes.to_vec(), end: at + 5 })
    }

    /// Whether the query has an OPT record.
    pub fn is_edns(&self) -> bool {
        self.bytes[11] == 1
    }

    /// An answer with these flags and raw records.
    pub fn raw(&self, flags: u16, count: u16, records: &[u8]) -> Vec<u8> {
        let mut answer = self.bytes[..self.end].to_vec();
        answer[2..4].copy_from_slice(&flags.to_be_bytes());
        answer[6..8].copy_from_slice(&count.to_be_bytes());
        answer[8..12].fill(0);
        answer.extend(records);
        answer
    }

    /// The addresses of the requested family, each with this TTL.
    pub fn addresses(&self, addresses: &[&str], ttl_s: u32) -> Vec<u8> {
        let (mut records, mut count) = (Vec::new(), 0);
        for address in addresses {
            let (kind, data) = match address.parse().expect("an address") {
                IpAddr::V4(v4) => (1_u16, v4.octets().to_vec()),
                IpAddr::V6(v6) => (28, v6.octets().to_vec()),
            };
            if (kind == 28) == self.is_aaaa {
                count += 1;
                records.extend(record(&[0xc0, 12], kind, ttl_s, &data));
            }
        }
        self.raw(0x8180, count, &records)
    }

    pub fn code(&self, code: u16) -> Vec<u8> {
        self.raw(0x8180 | code, 0, &[])
    }
}

pub fn record(name: &[u8], kind: u16, ttl_s: u32, data: &[u8]) -> Vec<u8> {
    let mut bytes = name.to_vec();
    bytes.extend(kind.to_be_bytes());
    bytes.extend(1_u16.to_be_bytes());
    bytes.extend(ttl_s.to_be_bytes());
    bytes.extend((data.len() as u16).to_be_bytes());
    bytes.extend(data);
    bytes
}

/// A name in wire format.
pub fn wire(name: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

/// Name server that runs until it is dropped.
pub struct NameServer {
    pub address: SocketAddr,
    count: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl NameServer {
    /// Starts a server that sends the datagrams that `answer` returns for a question.
    pub fn start(answer: impl Fn(&Question) -> Vec<Vec<u8>> + Send + Sync + 'static) -> NameServer {
        NameServer::start_at("127.0.0.1:0", answer)
    }

    pub fn start_at(
        address: &str,
        answer: impl Fn(&Question) -> Vec<Vec<u8>> + Send + Sync + 'static,
    ) -> NameServer {
        let tcp = TcpListener::bind(address).expect("bound");
        let address = tcp.local_addr().expect("an address");
        let udp = UdpSocket::bind(address).expect("the same port");
        let (count, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let answer = Arc::new(answer);
        udp.set_read_timeout(Some(Duration::from_millis(50))).expect("set");
        tcp.set_nonblocking(true).expect("set");
        let server = NameServer { address, count: count.clone(), stop: stop.clone() };
        thread::spawn(move || {
            let mut buffer = [0; 1500];
            while !stop.load(Ordering::SeqCst) {
                let mut answers = Vec::new();
                if let Ok((len, from)) = udp.recv_from(&mut buffer) {
                    count.fetch_add(1, Ordering::SeqCst);
                    if let Some(question) = Question::read(&buffer[..len], false) {
                        answers = answer(&question);
                    }
                    answers.iter().for_each(|bytes| drop(udp.send_to(bytes, from)));
                }
                while let Ok((mut stream, _)) = tcp.accept() {
                    let answer = answer.clone();
                    thread::spawn(move || {
                        let _ = stream.set_nonblocking(false);
                        let _ = stream.set_read_timeout(Some(Duration::from_secs(5)));
                        let mut len = [0; 2];
                        if stream.read_exact(&mut len).is_err() {
                            return;
                        }
                        let mut bytes = vec![0; usize::from(u16::from_be_bytes(len))];
                        if stream.read_exact(&mut bytes).is_err() {
                            return;
                        }
                        let Some(question) = Question::read(&bytes, true) else { return };
                        for bytes in answer(&question) {
                            let _ = stream.write_all(&(bytes.len() as u16).to_be_bytes());
                            let _ = stream.write_all(&bytes);
                        }
                        let _ = stream.read(&mut [0]);
                    });
                }
            }
        });
        server
    }

    /// Starts a server that answers every address query with these addresses.
    pub fn with(addresses: &'static [&'static str], ttl_s: u32) -> NameServer {
        NameServer::start(move |question| vec![question.addresses(addresses, ttl_s)])
    }

    /// Number of received datagrams.
    pub fn count(&self) -> usize {
        self.count.load(Ordering::SeqCst)
    }
}

impl Drop for NameServer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}
