//! Chunked bodies, compared with a straightforward decoder.

use super::Source;
use super::response::read_every_way;

/// One byte for the limit, two for the split, then the coded body.
pub fn chunked(data: &[u8]) {
    let mut source = Source::new(data);
    let limit = *source.choose(&[1000, 0, 1, 2, 5, 17, 64 * 1024]);
    let cut = source.number();
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let stream = [head, source.rest()].concat();
    for close in [false, true] {
        read_every_way(&stream, false, limit, close, cut);
    }
}
