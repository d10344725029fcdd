//! DNS messages: queries written, answers read.
