//! Judgement on what a target answered: the check specs of the command line.

use crate::verdict::Failure;

/// What makes an HTTP answer a healthy one.
#[derive(Clone, Debug)]
pub(crate) enum HttpCheck {}

/// What makes a TCP peer a healthy one.
#[derive(Clone, Debug)]
pub(crate) enum TcpCheck {}
