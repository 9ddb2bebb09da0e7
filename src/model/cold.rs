//! Addresses that somebody gave back a moment ago.
//!
//! Neighbours outside remember whose they were, an agent may not have heard yet, and a guest on a node that is cut off goes on
//! using its own. So for a while nobody gets them who did not ask for them by name, as long as there are others. (AWS' VPC CNI
//! waits 30 s, too.)

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use super::allocation::Slot;
use super::id::Uid;

/// How long an address stays cold.
pub const QUARANTINE: Duration = Duration::from_secs(30);

/// Cold addresses of one subnet, as numbers: since when.
pub type Since = BTreeMap<u128, Duration>;

static ALL_WARM: Since = Since::new();

/// All cold addresses. Times are counted from any one moment; they do not go back.
#[derive(Clone, Debug, Default)]
pub struct Cold {
    subnets: BTreeMap<Uid, Since>,
    /// What was given back, the earliest first; the same address may stand there more than once.
    order: VecDeque<(Duration, Uid, u128)>,
}

impl Cold {
    /// Takes in that a value was given back at `at`. Segments are never cold.
    pub fn give_back(&mut self, slot: Slot, at: Duration) {
        let Slot::Address(subnet, number) = slot else { return };
        self.subnets.entry(subnet).or_default().insert(number, at);
        self.order.push_back((at, subnet, number));
    }

    /// Forgets what is warm again at `now`.
    pub fn warm(&mut self, now: Duration) {
        let Some(until) = now.checked_sub(QUARANTINE) else { return };
        while let Some((at, subnet, number)) = self.order.pop_front_if(|(at, ..)| *at <= until) {
            let Some(since) = self.subnets.get_mut(&subnet) else { continue };
            // It may have been given back once more meanwhile.
            if since.get(&number) == Some(&at) {
                since.remove(&number);
            }
            if since.is_empty() {
                self.subnets.remove(&subnet);
            }
        }
        if self.order.is_empty() {
            self.order = VecDeque::new();
        }
    }

    /// Cold addresses of a subnet.
    #[must_use]
    pub fn of(&self, subnet: Uid) -> &Since {
        self.subnets.get(&subnet).unwrap_or(&ALL_WARM)
    }

    /// Whether no address is cold.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.subnets.is_empty()
    }
}
