//! Port security and security groups: what a port lets through, packet by packet.
//!
//! The rules stand here in words, in `verdict` as a pure function (the oracle), and in `kernel/filter` as the eBPF
//! programs that run on each port; `e2e/filter` compares the two, packet by packet.
//!
//! Every packet that a port's guest sends (**egress**) or would receive (**ingress**) is judged. What is not said to pass is
//! dropped. A port that is not in the tables passes nothing; one without port security passes everything, whatever it is.
//! A packet that is dropped leaves nothing behind and refreshes nothing; it may be what makes a flow forgotten (6.3 to 6.5).
//!
//! # 1. Frames
//! - Shorter than 14 bytes: dropped. VLAN-tagged (type 0x8100, 0x88a8, or a tag beside the frame): dropped.
//! - Egress: the source is the port's MAC address or one of its pairs', else dropped.
//! - ARP (0x0806), IPv4 (0x0800), IPv6 (0x86dd) are judged below. RARP (0x8035): passes on egress, dropped on ingress. Every
//!   other type is dropped.
//!
//! *Own* is an address that stands in a pair with the frame's source MAC address, or a link-local IPv6 address in `fe80::/64`
//! that is either the modified EUI-64 of the frame's source MAC address (RFC 4291) or not of the EUI-64 form (octets 11 and
//! 12, counted from 0, are not ff fe: RFC 7217, RFC 8981) with octets 8 to 13 not all zero: a guest may choose an opaque one,
//! but neither one made of another's MAC address nor one of those that are written by hand, as routers' are (`fe80::1`). Such a
//! one it has by a pair.
//!
//! # 2. ARP (RFC 826)
//! - Ingress: passes.
//! - Egress: at least 28 bytes; hardware 1, protocol 0x0800, lengths 6 and 4, request (1) or reply (2); the sender's MAC
//!   address is the frame's source; the sender's address is own, or 0.0.0.0 in a request (a probe, RFC 5227). Else dropped.
//!
//! # 3. IPv4
//! - At least 20 bytes, version 4, header of at least 20 bytes; total length not less than the header nor more than there is
//!   (a frame may be padded). Else dropped.
//! - A **first** fragment has offset 0 and more to come, a **later** one has an offset; others are **whole**.
//! - Egress: the source is own; or it is 0.0.0.0 and the packet is whole, UDP from 68 to 67, to 255.255.255.255.
//! - DHCP, whole: UDP 68 to 67 passes on egress; 67 to 68 passes on ingress. UDP 67 to 68 on egress, whole or first: dropped.
//! - What is left goes on to 6.
//!
//! # 4. IPv6
//! - At least 40 bytes, version 6, payload length not more than there is. Either address in `::ffff:0:0/96`: dropped.
//! - Extension headers are walked, at most 8, fragment headers among them: hop-by-hop (0), routing (43), destination options
//!   (60), authentication (51, length in units of 4 bytes plus 2), fragment (44). One that does not fit into the payload:
//!   dropped. A routing header with segments left: dropped. A ninth: dropped. A second fragment header: dropped. A fragment
//!   header with offset 0 and nothing to come is passed over (an atomic fragment, RFC 6946) and the packet is whole, but *was
//!   fragmented*; a later fragment ends the walk, its protocol counts as 44. "No next header" (59) and everything unknown is a
//!   protocol without ports.
//! - Egress, if not `ICMPv6`: the source is own.
//! - DHCP, whole or first: UDP 546 to 547 passes on egress, 547 to 546 passes on ingress, both whole only; 547 to 546 on egress:
//!   dropped.
//! - `ICMPv6` (58), whole or first, of at least 8 bytes:
//!   - Neighbour discovery (133 to 137) is dropped unless whole, never fragmented (RFC 6980), hop limit 255 and code 0.
//!   - Listener discovery (130 to 132, 143) is **near** if its hop limit is 1 (RFC 2710, RFC 3810), so that no router carries it.
//!   - Ingress: 134, 135 and 136 pass, and 130 if near.
//!   - Egress: 134 (router advertisement) and 137 (redirect): dropped.
//!     131, 132, 143 (listener reports): near, pass from own or `::`, to `ff00::/8`, else dropped. (Version 1 reports to the
//!     very address it listens to, which may be one of the site, say.)
//!     130 (query): near, passes from own, to `ff00::/8`, else dropped.
//!     133 (solicitation): passes from own, or from `::` to `ff02::/16`, else dropped.
//!     135: at least 24 bytes. From own: passes. From `::`, to `ff02::1:ff00:0/104`, the target own (duplicate address
//!     detection): passes. Else dropped.
//!     136: at least 24 bytes, source own and target own: passes. Else dropped.
//!     Others: the source is own, else dropped.
//! - What is left goes on to 6.
//!
//! # 5. Transport
//! A whole or first packet holds all of the shortest header: TCP 20 bytes, UDP 8, ICMP and `ICMPv6` 8, SCTP 12; else it is
//! dropped. ICMP (1) in IPv6 and `ICMPv6` (58) in IPv4 are protocols without ports. This comes before the source of an IPv6
//! packet is looked at; in IPv4 the source comes first. (Which of two reasons drops a packet is seen in no verdict.)
//!
//! # 6. Groups
//! The **remote** is the destination on egress, the source on ingress. The numbers that a rule compares: destination port and 0
//! for TCP, UDP and SCTP; type and code for ICMP; 0 and 0 for others. A packet is **allowed** in a direction if any rule of any
//! group of the port, of that direction, fits in family, protocol, both numbers and remote; a remote group fits if the remote is
//! its member in the port's domain, a remote net if it is of the remote's family and holds it. Groups that are not in the
//! tables allow nothing.
//!
//! A port whose groups are not stateful passes what is allowed (errors, answers and TCP without SYN, too), and nothing is
//! remembered but fragments (7). What it remembered while it was stateful is left alone.
//!
//! Stateful ports remember **flows**, port by port: protocol, local and remote address and port, who began (guest or remote),
//! how far it is, when it was last seen, and the epoch of the tables that allowed it. ICMP queries (8, 13, 17, answered by 0, 14,
//! 18; IPv6: 128, answered by 129), of any code, are flows of local port = identifier and remote port = type of the query,
//! apart for each beginner. Other ICMP has no flow. Protocols without ports have flows with ports 0.
//!
//! 1. **Errors** (ICMP 3, 11, 12; `ICMPv6` 1 to 4; any code) pass if the packet that they quote belongs to a live flow (it went
//!    the other way) and they go to its sender: the error's destination is the quoted source (else who has one flow could send
//!    errors to anybody). The quoted packet is an IP header of the same family (version 4 with a header of at least 20 bytes and
//!    offset 0; version 6 without extension headers) and 8 bytes more, of TCP, UDP, SCTP, or an ICMP query or answer; lengths
//!    that it tells are not looked at. Else they are judged as other ICMP. A flow is live if 3 and 4 leave it (one that
//!    is cut is not); an error does not refresh it.
//! 2. Other ICMP passes if allowed. An answer to a query that has no flow is dropped, allowed or not.
//! 3. A flow that was not seen for longer than its time is none. Times in seconds: **pending** (nobody answered): TCP 60, others
//!    30; **established**: TCP 432000 (RFC 5382 asks for 7440), ICMP queries 30, UDP, SCTP and others (ICMP in IPv6 and `ICMPv6`
//!    in IPv4 among them) 180; TCP **closing** 120, **closed** 10. Every packet that passes as the flow's (6, 7) or begins it (8)
//!    is one that was seen.
//! 4. A flow of another epoch is judged anew, as its beginner would begin it now (direction, destination port, query type with
//!    code 0, remote). Allowed: it is of this epoch from now on. Not allowed: it is forgotten, and the packet is judged as if it
//!    had never been. But of protocols whose answers could begin a flow as well (not TCP, not ICMP queries) it is **cut** and
//!    remembered as such for 10 s more: a packet from who did not begin it is dropped, or an answer that was under way would begin
//!    it the other way round, and nothing would be cut; one from who began is judged as if the flow had never been.
//! 5. A TCP packet with SYN and without ACK, RST and FIN, of a flow that is closing or closed: the flow is forgotten, the same.
//! 6. A packet of an established, closing or closed flow passes. In TCP, RST makes it closed, else FIN makes it closing unless it
//!    is closed.
//! 7. A packet of a pending flow, from who began: passes; TCP: RST passes and ends the flow; else it passes if it has SYN and
//!    no ACK, and is dropped if not. From the other side: the flow is established and the packet passes; TCP: RST passes and ends
//!    the flow; SYN or ACK (either, or both) establishes it, with or without FIN; without both it is dropped.
//! 8. No flow: TCP must have SYN and neither ACK nor RST nor FIN. If allowed, the packet begins a pending flow and passes; else
//!    it is dropped.
//!
//! # 7. Fragments
//! A first fragment that passed in 6 is remembered for 30 s, with the epoch: port, direction, addresses, identification, protocol
//! (IPv4; 44 in IPv6), and how many bytes of its payload it holds (IPv6: counted after the fragment header). A later fragment
//! passes if its first is remembered, of the same epoch, and it begins at or after those bytes: it overlaps nothing that was
//! judged (RFC 5722; RFC 1858, RFC 3128). Else it is dropped. It must pass 3 or 4 first; of 5 and 6 nothing else applies to it.
//!
//! A first fragment whose key is remembered already, of the same epoch, with another number of bytes is dropped before 6 looks
//! at it: what came behind the one would lie over the other. With the same number the 30 s begin anew.
//!
//! # 8. Room
//! The words know no limits; the tables in the kernel do ([`Filtering`]): where there is no room, the longest unused flows are
//! forgotten. Flows that are pending, closing or closed stand in a table of their own, so a flood of beginnings ends nothing that
//! is established. There, too, stand established flows of a port that has its share in the other table already: it can push out
//! its own and others' beginnings, and no connection of others. Groups, members and ports for which there is no room are not in
//! the tables: they allow nothing.
//!
//! # 9. The fast path
//! What a guarded port sends to another on the same network and node, by its MAC address, is judged on egress at the one and on
//! ingress at the other in one go, and handed over. It passes if it passes both, as over the bridge.
//!
//! # 8. Announcements
//! Of a port with allowed address pairs the node is told what passes on egress and says where an address is: ARP (the sender's
//! address, unless it is a probe) and neighbour advertisements (136, the target), with the frame's source MAC address; at most some
//! 256 in a second. `model::active` says what comes of it. No verdict depends on it.

mod flow;
mod fragments;
mod groups;
pub mod layout;
mod packet;
mod place;
mod program;
mod reason;
pub mod render;
mod spoof;
mod tables;
mod verdict;

#[cfg(test)]
mod tests;

pub use flow::State;
pub use program::{Filter, Filtering, Handed, PROGRAM, Wire};
#[cfg(test)]
pub use tables::Question as Asked;
pub use tables::{Policy, Tables};
pub use verdict::{By, Reason, Verdict, verdict};
