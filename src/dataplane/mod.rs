//! What one node holds, in kernel nouns. Pure, but for [`kernel`].

pub mod attachment;
pub mod bridge;
pub mod connection;
pub mod dhcp;
pub mod facts;
pub mod filter;
pub mod given;
pub mod guard;
pub mod kernel;
pub mod moved;
pub mod names;
pub mod nft;
pub mod overlay;
pub mod plan;
pub mod render;
pub mod router;
pub mod router_rules;
pub mod state;
pub mod sysctls;
pub mod told;
pub mod trace;
pub mod wire;
