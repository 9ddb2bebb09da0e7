//! The programs judge frames that nobody sent: to compare them with their words, and to say what would become of a packet.

use std::io;
use std::time::Duration;

use aya::Pod;
use aya::maps::{HashMap, MapData, MapError};
use aya::programs::{TestRun as _, TestRunOptions};

use crate::dataplane::filter::{self, Wire, layout};
use crate::dataplane::kernel::filter::tables::{self, Tables};
use crate::dataplane::kernel::filter::{Filters, failed, sweep};
use crate::model::security::Direction;

/// Frames that are tried come from the loopback of the calling thread's namespace, which no guest is behind.
const LOOPBACK: u32 = 1;
/// `TC_ACT_OK`.
const PASS: u32 = 0;
/// `TC_ACT_REDIRECT`.
const REDIRECT: u32 = 7;

/// What becomes of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes nowhere.
    Dropped,
    /// It goes on: into the bridge, or to the guest.
    Passed,
    /// It is handed to a guest of this node, whose port passes it too.
    Handed,
}

impl Filters {
    /// What becomes of a frame of at least 15 bytes at a port. It goes nowhere, but flows are remembered as if it did.
    ///
    /// # Errors
    /// The programs cannot be loaded, or the frame is too short or too long for a trial.
    pub fn judge(&mut self, wire: &Wire, direction: Direction, frame: &[u8]) -> io::Result<Fate> {
        let (tables, _) = self.ready()?;
        let entry = tables.policies.get(&wire.port).map(|policy| layout::port(policy, wire, LOOPBACK));
        tables::set(&mut tables.wires, LOOPBACK, entry)?;
        let Some([from_guest, to_guest]) = &self.programs else { return Ok(Fate::Dropped) };
        let program = if direction == Direction::Egress { from_guest } else { to_guest };
        let options = TestRunOptions { data_in: Some(frame), ..TestRunOptions::new() };
        Ok(match program.test_run(options).map_err(failed)?.return_value {
            PASS => Fate::Passed,
            REDIRECT => Fate::Handed,
            _ => Fate::Dropped,
        })
    }
}

impl Tables {
    /// Makes everything that is remembered older.
    ///
    /// # Errors
    /// The tables cannot be read or written.
    pub fn age(&mut self, by: Duration) -> io::Result<()> {
        let by = u64::try_from(by.as_nanos()).unwrap_or(u64::MAX);
        let older = |value: &[u8; 16]| {
            let mut value = *value;
            let mut seen = [0; 8];
            seen.copy_from_slice(&value[..8]);
            value[..8].copy_from_slice(&u64::from_ne_bytes(seen).wrapping_sub(by).to_ne_bytes());
            value
        };
        each(&mut self.flows, older)?;
        each(&mut self.pending, older)?;
        each(&mut self.fragments, older)
    }

    /// Goes by these tables from now on, and judges all flows anew.
    ///
    /// # Errors
    /// There is no room.
    pub fn replace(&mut self, wanted: &filter::Tables) -> io::Result<()> {
        self.behind.clear();
        self.policies.clear();
        empty(&mut self.wires)?;
        empty(&mut self.stations)?;
        empty(&mut self.groups)?;
        empty(&mut self.members)?;
        wanted.groups.iter().try_for_each(|(group, rules)| self.set_group(*group, Some(rules)))?;
        wanted.members.iter().try_for_each(|member| self.set_member(member, true))?;
        wanted.ports.iter().try_for_each(|(port, policy)| self.set_port(*port, Some(policy)))?;
        self.bump()
    }

    /// Sweeps at once, whatever time it is.
    ///
    /// # Errors
    /// The tables cannot be read or written.
    pub fn sweep_now(&mut self, share: u32) -> io::Result<usize> {
        self.sweep(sweep::now(), share)
    }

    /// Forgets everything: ports, groups, members and what is remembered.
    ///
    /// # Errors
    /// The tables cannot be read or written.
    pub fn clear(&mut self) -> io::Result<()> {
        self.behind.clear();
        self.policies.clear();
        empty(&mut self.wires)?;
        empty(&mut self.stations)?;
        empty(&mut self.groups)?;
        empty(&mut self.members)?;
        empty(&mut self.flows)?;
        empty(&mut self.shares)?;
        empty(&mut self.pending)?;
        empty(&mut self.fragments)
    }
}

fn keys<K: Pod, V: Pod>(map: &HashMap<MapData, K, V>) -> io::Result<Vec<K>> {
    map.keys().collect::<Result<_, _>>().map_err(tables::error)
}

fn each<K: Pod, V: Pod>(map: &mut HashMap<MapData, K, V>, change: impl Fn(&V) -> V) -> io::Result<()> {
    for key in keys(map)? {
        // Writing one may push out another of a table that is full.
        let value = match map.get(&key, 0) {
            Err(MapError::KeyNotFound) => continue,
            value => change(&value.map_err(tables::error)?),
        };
        map.insert(key, value, 0).map_err(tables::error)?;
    }
    Ok(())
}

fn empty<K: Pod, V: Pod>(map: &mut HashMap<MapData, K, V>) -> io::Result<()> {
    keys(map)?.into_iter().try_for_each(|key| tables::set(map, key, None))
}
