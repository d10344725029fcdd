//! Every socket, signal and clock: the only floor that touches the operating system.
