//! The HTTP API: which request is answered how.
