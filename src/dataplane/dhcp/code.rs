//! Codes of DHCP options, as IANA lists them (RFC 2132 unless said otherwise).
#![allow(missing_docs, reason = "the names are the RFCs'")]

pub const PAD: u8 = 0;
pub const MASK: u8 = 1;
pub const ROUTER: u8 = 3;
pub const DNS: u8 = 6;
pub const HOSTNAME: u8 = 12;
pub const DOMAIN: u8 = 15;
pub const MTU: u8 = 26;
pub const BROADCAST: u8 = 28;
pub const REQUESTED: u8 = 50;
pub const LEASE: u8 = 51;
pub const OVERLOAD: u8 = 52;
pub const MESSAGE_TYPE: u8 = 53;
pub const SERVER: u8 = 54;
pub const PARAMETERS: u8 = 55;
pub const MAX_SIZE: u8 = 57;
pub const T1: u8 = 58;
pub const T2: u8 = 59;
pub const CLIENT: u8 = 61;
pub const TFTP_NAME: u8 = 66;
pub const BOOT_FILE: u8 = 67;
/// Classless static routes, RFC 3442.
pub const ROUTES: u8 = 121;
/// TFTP servers by address, RFC 5859.
pub const TFTP_SERVERS: u8 = 150;
/// Classless static routes, as Windows asked for them before the RFC.
pub const ROUTES_MICROSOFT: u8 = 249;
pub const END: u8 = 255;
