//! nft rule sets as values.

/// The tables of one namespace.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ruleset {}
