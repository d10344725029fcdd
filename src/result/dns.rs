//! The response to the query of a dns check.

/// The response to the query of a dns check, see [`ProbeResult::dns`](crate::ProbeResult::dns).
///
/// ```
/// # use std::net::UdpSocket;
/// use pingstate::ProbeBuilder;
///
/// # let server = UdpSocket::bind("127.0.0.1:0")?;
/// # let port = server.local_addr()?.port();
/// # std::thread::spawn(move || {
/// #     let mut buffer = [0; 512];
/// #     while let Ok((len, peer)) = server.recv_from(&mut buffer) {
/// #         // Without the OPT record, and with an answer.
/// #         let mut message = buffer[..len - 11].to_vec();
/// #         message[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
/// #         message.extend(b"\xc0\x0c\0\x01\0\x01\0\0\0\x3c\0\x04\xc0\0\x02\x01");
/// #         let _ = server.send_to(&message, peer);
/// #     }
/// # });
/// let probe = ProbeBuilder::from_url(&format!("dns://127.0.0.1:{port}/example.com?type=A")).build()?;
/// let dns = probe.check().dns.expect("a response");
/// assert_eq!((&*dns.rcode, &*dns.answers), ("NOERROR", &["192.0.2.1".to_owned()][..]));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DnsResponse {
    /// The response code, such as `NOERROR`.
    pub rcode: String,
    /// The records of the queried type as dig prints them, sorted; at most [`DnsResponse::ANSWERS_MAX`], each at most
    /// [`DnsResponse::ANSWER_MAX`] bytes long. The check has evaluated all of them.
    pub answers: Vec<String>,
    /// The serial number of the zone, if SOA was queried.
    pub soa_serial: Option<u32>,
    /// The number of records in the answer section, those of other types included.
    pub(crate) answer_count: u16,
}

impl DnsResponse {
    /// The maximum number of [`DnsResponse::answers`].
    pub const ANSWERS_MAX: usize = 10;

    /// The maximum length of an answer, in bytes; a longer one is cut.
    pub const ANSWER_MAX: usize = 1024;

    pub(crate) fn new(rcode: String, answers: &[String], soa_serial: Option<u32>, answer_count: u16) -> Self {
        let cut = |answer: &String| answer.get(..Self::ANSWER_MAX).unwrap_or(answer).to_owned();
        let answers = answers.iter().take(Self::ANSWERS_MAX).map(cut).collect();
        DnsResponse { rcode, answers, soa_serial, answer_count }
    }
}
