//! The pingstate command.

fn main() {}
