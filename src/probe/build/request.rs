//! Settings of the request of an http or https probe.

use super::ProbeBuilder;

impl ProbeBuilder {
    /// The largest body of a request: 64 KiB.
    pub const REQUEST_BODY_MAX: usize = 64 * 1024;

    /// The request's method. Default: `GET`, or `POST` with a [body](ProbeBuilder::body).
    pub fn method(mut self, method: &str) -> Self {
        self.settings.method = Some(method.to_owned());
        self
    }

    /// The request's body, at most [`ProbeBuilder::REQUEST_BODY_MAX`] bytes. A redirect that turns the request into
    /// a `GET` drops it. No `Content-Type` is sent unless [`ProbeBuilder::header`] adds one.
    ///
    /// ```
    /// # use std::{io::{Read, Write}, net::TcpListener, thread};
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let port = listener.local_addr()?.port();
    /// # thread::spawn(move || for mut peer in listener.incoming().flatten() {
    /// #     let (mut request, mut part) = (String::new(), [0; 1024]);
    /// #     while !request.ends_with("{}") {
    /// #         let length = peer.read(&mut part).unwrap();
    /// #         request += std::str::from_utf8(&part[..length]).unwrap();
    /// #     }
    /// #     assert!(request.starts_with("POST /query HTTP/1.1\r\n") && request.contains("\r\nContent-Length: 2\r\n"));
    /// #     let _ = peer.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"rows\": 17}");
    /// # });
    /// use pingstate::probe;
    ///
    /// let probe = probe("http", "127.0.0.1", port)
    ///     .path("/query")
    ///     .header("Content-Type", "application/json")
    ///     .body(b"{}")
    ///     .check("json:/rows >= 1")
    ///     .build()?;
    /// assert!(probe.check().ok);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn body(mut self, body: &[u8]) -> Self {
        self.settings.body = Some(body.into());
        self
    }

    /// A header field to send; it replaces a default field of that name. `Authorization`,
    /// `Proxy-Authorization`, `Cookie` and `Host` are not sent to another origin after a redirect. Limits: 64
    /// fields, 16 KiB in total.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.settings.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sends a name and a password (RFC 7617). The name cannot contain a colon.
    ///
    /// ```
    /// # use std::{io::{Read, Write}, net::TcpListener, thread};
    /// # let listener = TcpListener::bind("127.0.0.1:0")?;
    /// # let port = listener.local_addr()?.port();
    /// # thread::spawn(move || for mut peer in listener.incoming().flatten() {
    /// #     let mut request = [0; 1024];
    /// #     let length = peer.read(&mut request).unwrap();
    /// #     let request = String::from_utf8_lossy(&request[..length]).into_owned();
    /// #     let status = if request.contains("\r\nAuthorization: Basic bWU6czNjcmV0\r\n") { "200 OK" } else { "401 No" };
    /// #     let _ = peer.write_all(format!("HTTP/1.1 {status}\r\n\r\n").as_bytes());
    /// # });
    /// use pingstate::probe;
    ///
    /// assert!(probe("http", "127.0.0.1", port).basic_auth("me", "s3cret").build()?.check().ok);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn basic_auth(mut self, name: &str, password: &str) -> Self {
        self.settings.basic_auth = Some((name.to_owned(), password.to_owned()));
        self
    }
}
