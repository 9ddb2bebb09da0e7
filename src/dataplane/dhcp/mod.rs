//! DHCP: what is answered to whom. Pure: frames in, frames out; the sockets are in `kernel::dhcp`.
//!
//! A port's lease is its own fixed IP and nothing else: there is no pool and no lease database, so nothing can be used up,
//! and a responder that starts anew knows at once all that it knew before. Who a guest is, its MAC address says, three
//! times: as the frame's source, in the message, and as the port's. Whoever is no port of this node's gets no answer.
//!
//! A request reaches us in one of two ways:
//! - as a frame that goes up a bridge device: every broadcast, and what is sent to the bridge's own MAC address. Where
//!   nobody holds a subnet's gateway address, we answer ARP for it with that MAC, so that renewals by unicast come here;
//! - as a datagram to a router's address, where a router of ours holds the gateway address.
//!
//! The codec is our own, because this is what a hostile guest talks to. It is total: bytes are only ever split off the
//! front of a slice, nothing is indexed, so no packet makes it panic (dhcproto 0.15, the ready one, does panic on some).

mod answer;
mod code;
mod frame;
mod lease;
mod message;
mod options;
mod place;
mod table;

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod tests;

pub use answer::{Reply, RoutedReply, Silence, answer, answer_routed};
pub use frame::{CLIENT_PORT, SERVER_PORT};
pub use table::{Table, table};

/// How long a lease lasts, seconds (Neutron's `dhcp_lease_duration`).
pub const LEASE_SECONDS: u32 = 86400;
