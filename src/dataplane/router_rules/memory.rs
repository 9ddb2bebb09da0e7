//! Rules that were made before: a router that is as it was has the rules that it had.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Legs, ruleset};
use crate::dataplane::names::Prefix;
use crate::dataplane::nft::Ruleset;
use crate::model::Uid;
use crate::model::view::RouterView;

/// Remembers the rules of routers.
#[derive(Debug, Default)]
pub struct Memory(BTreeMap<Uid, (RouterView, Arc<Ruleset>)>);

impl Memory {
    /// As [`ruleset`], with the names that the legs are given.
    pub fn ruleset(&mut self, router: &RouterView) -> Arc<Ruleset> {
        if let Some((_, rules)) = self.0.get(&router.uid).filter(|(before, _)| before == router) {
            return rules.clone();
        }
        let legs = Legs {
            interfaces: router.interfaces.iter().map(|i| Prefix::Leg.name(i.uid)).collect(),
            external: router.external.as_ref().map(|e| Prefix::Leg.name(e.uid)),
            transit: router.transit.as_ref().map(|t| Prefix::Transit.name(t.uid)),
        };
        let rules = Arc::new(ruleset(router, &legs));
        self.0.insert(router.uid, (router.clone(), rules.clone()));
        rules
    }

    /// Forgets all routers but these.
    pub fn forget_others<'a>(&mut self, routers: impl ExactSizeIterator<Item = &'a RouterView>) {
        if self.0.len() > routers.len() {
            let left: Vec<Uid> = routers.map(|router| router.uid).collect();
            self.0.retain(|uid, _| left.contains(uid));
        }
    }
}
