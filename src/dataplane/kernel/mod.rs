//! The hands: the only code that touches a node.

pub mod dhcp;
pub mod netns;
pub mod packet;
