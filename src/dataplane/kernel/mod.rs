//! The hands: the only code that touches a node.

pub mod netns;
