//! Something to watch: a tiny server on a thread of its own and a free port.
#![allow(dead_code)] // Each example uses a part of it.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// Treats each connection like this; says at which port.
pub(crate) fn tcp(serve: impl Fn(TcpStream) + Send + 'static) -> io::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || listener.incoming().flatten().for_each(serve));
    Ok(port)
}

/// Answers each request with 200 and this body.
pub(crate) fn http(body: &'static str) -> io::Result<u16> {
    tcp(move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let length = body.len();
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
    })
}

/// Says this to whoever connects.
pub(crate) fn greeting(words: &'static str) -> io::Result<u16> {
    tcp(move |mut stream| {
        let _ = stream.write_all(words.as_bytes());
    })
}
