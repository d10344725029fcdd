//! Monitors one target and serves its state over HTTP, like the daemon.
#![allow(clippy::disallowed_types)] // The client may block.

mod target;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::Duration;

use pingstate::{Monitor, probe, serve};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = target::greeting("hello")?;

    let monitor = Monitor::new(probe("tcp", "localhost", port).build()?).interval(Duration::from_secs(10));
    let mut server = serve(monitor, ([127, 0, 0, 1], 0))?; // The daemon's default port is 8787.
    println!("serving on http://{}", server.address());

    // A client polls until the first check has finished, and then stops the server.
    let (address, shutdown_handle) = (server.address(), server.shutdown_handle()?);
    let client = thread::spawn(move || {
        let response = loop {
            match get(address, "/healthz") {
                Ok(response) if response.ends_with("unknown\n") => thread::yield_now(),
                other => break other,
            }
        };
        let responses = response.and_then(|health| Ok([health, get(address, "/state")?]));
        shutdown_handle.stop();
        responses
    });
    server.run()?;

    for response in client.join().map_err(|_| "the client panicked")?? {
        println!("{}", response.lines().last().unwrap_or_default());
    }
    Ok(())
}

fn get(address: SocketAddr, path: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut response = String::new();
    stream.read_to_string(&mut response)?;
    Ok(response)
}
