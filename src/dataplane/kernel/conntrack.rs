//! Connections that the kernel tracks.
