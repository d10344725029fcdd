//! Connecting to a host: its name resolved, its addresses tried until one answers (RFC 8305).
