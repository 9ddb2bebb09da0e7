//! What one node holds, in kernel nouns. Pure, but for [`kernel`].

pub mod attachment;
pub mod names;
pub mod nft;
pub mod plan;
pub mod state;
