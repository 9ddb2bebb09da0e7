//! The hands: the only code that touches a node.

pub mod conntrack;
pub mod dhcp;
pub mod netfilter;
pub mod netlink;
pub mod netns;
pub mod nft;
pub mod packet;
