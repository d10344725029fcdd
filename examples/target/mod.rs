//! Servers for the examples to probe, each on its own thread and on a free port.
#![allow(dead_code)] // No example uses all of it.
#![allow(clippy::disallowed_types)] // Servers that block their own thread.

use std::io::{self, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;

/// Calls `serve` for each connection; returns the port.
pub(crate) fn tcp(serve: impl Fn(TcpStream) + Send + 'static) -> io::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    thread::spawn(move || listener.incoming().flatten().for_each(serve));
    Ok(port)
}

/// Responds to each request with status 200 and `body`.
pub(crate) fn http(body: &'static str) -> io::Result<u16> {
    tcp(move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let length = body.len();
        let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}");
    })
}

/// Sends `text` to each client and closes the connection.
pub(crate) fn greeting(text: &'static str) -> io::Result<u16> {
    tcp(move |mut stream| {
        let _ = stream.write_all(text.as_bytes());
    })
}
