//! The tcp probe: connect, and perhaps read a banner.
