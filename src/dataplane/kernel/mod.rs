//! The hands: the only code that touches a node.

pub mod conntrack;
pub mod netfilter;
pub mod netns;
pub mod nft;
