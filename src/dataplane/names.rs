//! Our names in the kernel: the only file that makes or recognises them.
