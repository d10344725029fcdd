//! Names to addresses: hosts file, resolv.conf, DNS over UDP and TCP, multicast DNS.
