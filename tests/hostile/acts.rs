//! Connections of broken and hostile targets.
#![allow(unreachable_pub)] // Shared by the modules of one test.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use crate::common::{PATIENCE, read_head};

/// What a target does with each connection.
pub type Act = fn(TcpStream);

/// One target and the expected result of its check.
#[derive(Clone, Copy)]
pub struct Peer {
    pub what: &'static str,
    pub scheme: &'static str,
    pub check: &'static str,
    pub act: Act,
    /// Part of the detail of every check.
    pub says: &'static str,
}

const fn peer(
    what: &'static str,
    scheme: &'static str,
    check: &'static str,
    act: Act,
    says: &'static str,
) -> Peer {
    Peer { what, scheme, check, act, says }
}

pub const NEEDLE: &str = "body_contains:needle";
pub const BANNER: &str = "banner_contains:needle";
const LATE: &str = "timed out after";
pub const CONNECTED: &str = "connect ok";
pub const OK: &str = "HTTP 200";

macro_rules! ok {
    ($rest:literal) => {
        concat!("HTTP/1.1 200 OK\r\n", $rest).as_bytes()
    };
}

macro_rules! chunked {
    ($rest:literal) => {
        concat!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", $rest).as_bytes()
    };
}

pub const PEERS: &[Peer] = &[
    // Banners.
    peer("banner: reset at once", "tcp", BANNER, reset, "reset"),
    peer("banner: closed at once", "tcp", BANNER, drop, "closed"),
    peer("banner: half closed", "tcp", BANNER, half_close, "closed"),
    peer("banner: silence", "tcp", BANNER, hold, LATE),
    peer("banner: drip", "tcp", BANNER, |s| drip(s, b"", b"x"), ""),
    peer("banner: flood", "tcp", BANNER, |s| flood(s, b"", &[b'x'; 65_536]), "banner"),
    peer("banner: garbage", "tcp", BANNER, |s| flood(s, b"", &GARBAGE), "banner"),
    peer("banner: cut by a reset", "tcp", BANNER, |s| send_then(s, b"need", reset), "reset"),
    peer(
        "banner: whole, then a reset",
        "tcp",
        BANNER,
        |s| send_then(s, b"a needle", reset),
        "banner: 'a needle'",
    ),
    // The connection succeeds, whatever follows.
    peer("port: reset at once", "tcp", "", reset, CONNECTED),
    peer("port: closed at once", "tcp", "", drop, CONNECTED),
    peer("port: flood", "tcp", "", |s| flood(s, b"", &GARBAGE), CONNECTED),
    // Before the response.
    peer("request: reset unread", "http", "", reset, "reset"),
    peer("request: closed unread", "http", "", drop, ""),
    peer("request: reset", "http", "", |s| answer(s, b"", reset), "reset"),
    peer("request: closed", "http", "", |s| answer(s, b"", drop), "closed"),
    peer("request: half closed", "http", "", |s| answer(s, b"", half_close), "closed"),
    peer("request: silence", "http", "", hold, LATE),
    peer("request: never read, head flooded", "http", "", |s| flood(s, b"", b"HTTP/1.1 200"), ""),
    // The response head.
    peer("head: reset", "http", "", |s| answer(s, ok!("X: y"), reset), "reset"),
    peer("head: closed", "http", "", |s| answer(s, ok!("X: y"), drop), "closed"),
    peer("head: half closed", "http", "", |s| answer(s, b"HTTP/1.1 20", half_close), "closed"),
    peer("head: silence", "http", "", |s| answer(s, ok!(""), hold), LATE),
    peer("head: drip", "http", "", |s| drip(s, ok!("X: "), b"x"), LATE),
    peer("head: flood of a field", "http", "", |s| flood(s, ok!("X: "), &[b'x'; 9999]), "head"),
    peer("head: flood of fields", "http", "", |s| flood(s, ok!(""), b"X: y\r\n"), "head"),
    peer("head: flood of line folds", "http", "", |s| flood(s, ok!("X: "), b"\r\n y"), "head"),
    peer("head: flood of empty lines", "http", "", |s| flood(s, b"", b"\r\n\r\n"), ""),
    peer("head: flood of 1xx", "http", "", |s| flood(s, b"", b"HTTP/1.1 102 P\r\n\r\n"), "interim responses"),
    peer("head: garbage", "http", "", |s| flood(s, b"", &GARBAGE), ""),
    peer("head: zeros", "http", "", |s| flood(s, b"", &[0; 4096]), ""),
    peer("head: whole, then a reset", "http", "", |s| answer(s, ok!("\r\n"), reset), OK),
    // Bodies.
    peer("body: reset", "http", NEEDLE, |s| answer(s, ok!("Content-Length: 9\r\n\r\nneed"), reset), "reset"),
    peer("body: closed", "http", NEEDLE, |s| answer(s, ok!("Content-Length: 9\r\n\r\nneed"), drop), "closed"),
    peer("body: half closed", "http", NEEDLE, |s| answer(s, ok!("\r\nneed"), half_close), "body"),
    peer("body: silence", "http", NEEDLE, |s| answer(s, ok!("\r\n"), hold), LATE),
    peer("body: drip", "http", NEEDLE, |s| drip(s, ok!("\r\n"), b"n"), LATE),
    peer("body: flood", "http", NEEDLE, |s| flood(s, ok!("\r\n"), &[b'n'; 65_536]), "body"),
    peer(
        "body: of 16 EiB",
        "http",
        NEEDLE,
        |s| flood(s, ok!("Content-Length: 18446744073709551615\r\n\r\n"), &[b'n'; 65_536]),
        "",
    ),
    peer(
        "body: found, then a reset",
        "http",
        NEEDLE,
        |s| answer(s, ok!("Content-Length: 99\r\n\r\nneedle"), reset),
        OK,
    ),
    peer("body: found, flood goes on", "http", NEEDLE, |s| flood(s, ok!("\r\nneedle"), &[b'n'; 65_536]), OK),
    // Chunks.
    peer("chunks: reset", "http", NEEDLE, |s| answer(s, chunked!("9\r\nneed"), reset), "reset"),
    peer("chunks: closed", "http", NEEDLE, |s| answer(s, chunked!("4\r\nneed\r\n"), drop), "closed"),
    peer("chunks: silence", "http", NEEDLE, |s| answer(s, chunked!("4\r\nneed\r\n"), hold), LATE),
    peer("chunks: garbage", "http", NEEDLE, |s| flood(s, chunked!(""), &GARBAGE), "chunk"),
    peer("chunks: flood of tiny ones", "http", NEEDLE, |s| flood(s, chunked!(""), b"1\r\nx\r\n"), ""),
    peer("chunks: endless size", "http", NEEDLE, |s| flood(s, chunked!(""), b"0000000"), "chunk"),
    peer("chunks: huge size", "http", NEEDLE, |s| flood(s, chunked!("fffffffffffffffff\r\n"), b"x"), "chunk"),
    peer("chunks: flood of extensions", "http", NEEDLE, |s| flood(s, chunked!("1"), b";x=y"), "chunk"),
    peer("chunks: flood of trailers", "http", NEEDLE, |s| flood(s, chunked!("0\r\n"), b"X: y\r\n"), ""),
    // Redirects.
    peer(
        "redirect: to itself",
        "http",
        "",
        |s| answer(s, b"HTTP/1.1 302 F\r\nLocation: /\r\n\r\n", drop),
        "redirect",
    ),
    peer(
        "redirect: nowhere",
        "http",
        "",
        |s| answer(s, b"HTTP/1.1 302 F\r\nLocation: http://[::\r\n\r\n", drop),
        "",
    ),
    peer(
        "redirect: endless Location",
        "http",
        "",
        |s| flood(s, b"HTTP/1.1 302 F\r\nLocation: /", &[b'x'; 999]),
        "head",
    ),
    // Handshakes with servers that do not speak TLS.
    peer("TLS: reset at once", "https", "", reset, "reset"),
    peer("TLS: closed at once", "https", "", drop, "TLS"),
    peer("TLS: half closed", "https", "", half_close, "closed"),
    peer("TLS: silence", "https", "", hold, LATE),
    peer("TLS: garbage", "https", "", |s| flood(s, b"", &GARBAGE), "TLS"),
    peer("TLS: drip", "https", "", |s| drip(s, b"\x16\x03\x03\x40\x00\x02\x00\xff\xff", b"x"), LATE),
    peer("TLS: flood of a message", "https", "", |s| flood(s, b"", &handshake_piece(0x02, 0xff_ffff)), "TLS"),
    peer("TLS: flood of empty records", "https", "", |s| flood(s, b"", b"\x16\x03\x03\x00\x00"), "TLS"),
    peer("TLS: flood of warnings", "https", "", |s| flood(s, b"", b"\x15\x03\x03\x00\x02\x01\x5a"), ""),
    peer("TLS: refusal", "https", "", |s| send_then(s, b"\x15\x03\x03\x00\x02\x02\x28", hold), "TLS"),
    peer(
        "TLS: plain HTTP",
        "https",
        "",
        |s| send_then(s, b"HTTP/1.1 400 Bad Request\r\n\r\n", drop),
        "does not speak TLS",
    ),
];

const GARBAGE: [u8; 997] = {
    let mut bytes = [0; 997];
    let mut i = 0;
    while i < bytes.len() {
        bytes[i] = (i * i * 31 + i * 7 + 128) as u8;
        i += 1;
    }
    bytes
};

/// A full record that begins or continues a handshake message of this type and length.
fn handshake_piece(kind: u8, len: u32) -> Vec<u8> {
    let mut bytes = b"\x16\x03\x03\x40\x00".to_vec();
    bytes.push(kind);
    bytes.extend(&len.to_be_bytes()[1..]);
    bytes.resize(5 + 0x4000, 0);
    bytes
}

/// Closes with a reset.
pub fn reset(stream: TcpStream) {
    let _ = socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO));
}

/// Shuts down the write side and continues to read.
pub fn half_close(stream: TcpStream) {
    let _ = stream.shutdown(Shutdown::Write);
    hold(stream);
}

/// Sends nothing until the peer closes.
pub fn hold(mut stream: TcpStream) {
    let _ = stream.set_read_timeout(Some(PATIENCE));
    let mut buffer = [0; 4096];
    while matches!(stream.read(&mut buffer), Ok(1..)) {}
}

/// Sends these bytes, then runs the last step.
pub fn send_then(mut stream: TcpStream, bytes: &[u8], then: Act) {
    let _ = stream.write_all(bytes);
    then(stream);
}

/// Reads the request, sends these bytes, then runs the last step.
pub fn answer(mut stream: TcpStream, bytes: &[u8], then: Act) {
    read_head(&stream);
    let _ = stream.write_all(bytes);
    then(stream);
}

/// Sends `piece` forever, every two milliseconds.
fn drip(mut stream: TcpStream, first: &[u8], piece: &[u8]) {
    let _ = stream.set_read_timeout(Some(Duration::from_millis(2)));
    let mut sent = stream.write_all(first);
    while sent.is_ok() && !matches!(stream.read(&mut [0; 512]), Ok(0)) {
        sent = stream.write_all(piece);
    }
}

/// Sends `piece` forever, as fast as the peer accepts it.
pub fn flood(mut stream: TcpStream, first: &[u8], piece: &[u8]) {
    let pieces = piece.repeat(16_384_usize.div_ceil(piece.len()));
    let _ = stream.set_write_timeout(Some(PATIENCE));
    let mut sent = stream.write_all(first);
    while sent.is_ok() {
        sent = stream.write_all(&pieces);
    }
}
