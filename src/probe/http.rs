//! The http and https probe: one request, its redirects and its answer.
