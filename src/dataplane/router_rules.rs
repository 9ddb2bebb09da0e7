//! The rules of a router: guards, NAT, what the router itself answers.

use crate::dataplane::nft::Ruleset;
use crate::dataplane::state::IfName;
use crate::model::view::RouterView;

/// Names of a router's legs, in the order of [`RouterView::interfaces`].
pub struct Legs {
    /// Legs into tenant networks.
    pub interfaces: Vec<IfName>,
    /// The leg to the outside.
    pub external: Option<IfName>,
}

/// The rules of one router.
#[must_use]
pub fn ruleset(_router: &RouterView, _legs: &Legs) -> Ruleset {
    Ruleset::default()
}
