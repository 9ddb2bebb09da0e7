//! A flow as one node tells another of it, when its port moves there.

use std::time::Duration;

use super::bytes::{Reader, Writer};
use super::{FLOW, flow_of};
use crate::dataplane::told::Record;
use crate::model::security::Number;

/// Octets of a flow's key without its port: in network order, so the same on every node.
const KEY: usize = FLOW.0 - 8;
/// Where they say protocol and family, and of a query who asks.
const PROTOCOL: usize = 36;
/// Octets of what is remembered before the stage.
const STAGE: usize = 12;
/// The last stage.
const STAGES: u8 = 4;
const ESTABLISHED: u8 = 1;

/// A flow of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ToldFlow {
    /// What it goes by.
    key: [u8; KEY],
    /// How far it is, and who began: 0 or 1.
    stage: u8,
    beginner: u8,
    /// How long ago a packet of it was last noted, ns.
    age: u64,
}

/// The flow of an entry; none: it is too old. `now`: ns since the machine started.
#[must_use]
pub fn told(key: &[u8; FLOW.0], value: &[u8; FLOW.1], now: u64) -> Option<ToldFlow> {
    let remembered = flow_of(key, value);
    let mut bytes = Reader(key);
    let _port = bytes.number();
    let key = bytes.take();
    let [stage, beginner] = Reader(&value[STAGE..]).take();
    // What was noted while we looked is new.
    let age = u64::try_from(now.wrapping_sub(remembered.seen).cast_signed()).unwrap_or_default();
    (!remembered.is_old(now)).then_some(ToldFlow { key, stage, beginner, age })
}

impl ToldFlow {
    /// Its entry at a port, as if it had been remembered here, under tables of `epoch`.
    #[must_use]
    pub fn entry(&self, port: Number, now: u64, epoch: u32) -> ([u8; FLOW.0], [u8; FLOW.1]) {
        let (mut key, mut value) = ([0; FLOW.0], [0; FLOW.1]);
        let mut at = Writer::new(&mut key);
        at.put(&port.0.to_ne_bytes());
        at.put(&self.key);
        let mut at = Writer::new(&mut value);
        at.put(&now.wrapping_sub(self.age).to_ne_bytes());
        at.put(&epoch.to_ne_bytes());
        at.put(&[self.stage, self.beginner]);
        (key, value)
    }

    /// Whether somebody answered, and nobody has begun to end it.
    #[must_use]
    pub fn is_established(&self) -> bool {
        self.stage == ESTABLISHED
    }
}

impl Record for ToldFlow {
    const FORMAT: [u8; 4] = *b"tcf1";
    const LENGTH: usize = KEY + 10;

    fn write(&self, bytes: &mut Vec<u8>) {
        bytes.extend(self.key);
        bytes.extend([self.stage, self.beginner]);
        bytes.extend(self.age.to_be_bytes());
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (key, bytes) = bytes.split_first_chunk::<KEY>()?;
        let (&[stage, beginner], bytes) = bytes.split_first_chunk::<2>()?;
        let [_, family, asks, unused] = Reader(&key[PROTOCOL..]).take();
        let flow = Self { key: *key, stage, beginner, age: u64::from_be_bytes(bytes.try_into().ok()?) };
        let sane = stage <= STAGES && beginner <= 1 && asks <= 1 && unused == 0 && [4, 6].contains(&family);
        let (key, value) = flow.entry(Number(0), 0, 0);
        let young = Duration::from_nanos(flow.age) <= flow_of(&key, &value).lasts;
        (sane && young).then_some(flow)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::dataplane::told::{HEADER, decode, encode, follows};

    proptest! {
        #[test]
        fn a_flow_is_remembered_elsewhere_as_it_was(
            ends in any::<[u8; PROTOCOL]>(), protocol in any::<u8>(), stage in 0..=STAGES, beginner in 0..2u8, age in 0..9u64,
        ) {
            let (mut key, mut value) = ([0; FLOW.0], [0; FLOW.1]);
            key[8..8 + PROTOCOL].copy_from_slice(&ends);
            key[8 + PROTOCOL..].copy_from_slice(&[protocol, 4, 0, 0]);
            value[..8].copy_from_slice(&(1000 - age).to_ne_bytes());
            value[STAGE..STAGE + 2].copy_from_slice(&[stage, beginner]);
            let flow = told(&key, &value, 1000).unwrap();
            let bytes = encode(&[flow]);
            let (header, rest) = bytes.split_first_chunk::<HEADER>().unwrap();
            prop_assert_eq!(follows::<ToldFlow>(*header), Some(rest.len()));
            prop_assert_eq!(decode::<ToldFlow>(rest), Some(vec![flow]));
            let (there, remembered) = flow.entry(Number(7), 5000, 9);
            prop_assert_eq!(&there[8..], &key[8..]);
            prop_assert_eq!(flow_of(&there, &remembered).port, Number(7));
            prop_assert_eq!(flow_of(&there, &remembered).seen, 5000 - age);
            prop_assert_eq!(&remembered[STAGE..], &value[STAGE..]);
        }

        #[test]
        fn hostile_octets_are_no_flows(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            for flow in decode::<ToldFlow>(&bytes).into_iter().flatten() {
                prop_assert!(flow.stage <= STAGES && flow.beginner <= 1);
            }
        }
    }
}
