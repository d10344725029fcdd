//! The whole daemon minus the I/O.
