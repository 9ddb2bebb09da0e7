//! What is remembered of one port's flows, for the node that it moves to.

use std::collections::HashSet;
use std::io;
use std::path::{Path, PathBuf};

use aya::maps::{HashMap, MapData};

use crate::dataplane::filter::Filtering;
use crate::dataplane::filter::layout::{self, FLOW, ToldFlow};
use crate::dataplane::kernel::filter::tables::{self, Tables};
use crate::dataplane::kernel::filter::{directory, sweep};
use crate::dataplane::names;
use crate::model::security::Number;

type Flows = HashMap<MapData, [u8; FLOW.0], [u8; FLOW.1]>;

/// Where the tables of a node are pinned.
#[must_use]
pub fn place(run_dir: &Path, filtering: Filtering) -> PathBuf {
    run_dir.join(names::FILTERS).join(directory(filtering))
}

impl Tables {
    /// The flows of a port.
    ///
    /// # Errors
    /// The tables cannot be read.
    pub fn flows_of(&self, port: Number) -> io::Result<Vec<ToldFlow>> {
        let (now, mut all) = (sweep::now(), Vec::new());
        for table in [&self.flows, &self.pending] {
            for key in keys_of(table, port)? {
                // What is forgotten meanwhile is none.
                all.extend(table.get(&key, 0).ok().and_then(|value| layout::told(&key, &value, now)));
            }
        }
        Ok(all)
    }

    /// Remembers flows of a port as the node that had it did; how many. Rules judge each anew before it passes anything.
    /// `closed`: nothing passes the port here yet, so what is remembered of it here is of another time. Else of two that
    /// remember a flow the one is right that saw it last. `share`: most established flows of a port.
    ///
    /// # Errors
    /// The tables cannot be read or written.
    pub fn take_in(&mut self, port: Number, all: &[ToldFlow], closed: bool, share: u32) -> io::Result<usize> {
        let (now, epoch) = (sweep::now(), self.epoch()?.wrapping_sub(1));
        let entries = all.iter().map(|flow| (flow.entry(port, now, epoch), flow.is_established()));
        if closed {
            let keys: HashSet<[u8; FLOW.0]> = entries.clone().map(|((key, _), _)| key).collect();
            for table in [&mut self.flows, &mut self.pending] {
                let old: Vec<_> = keys_of(table, port)?.into_iter().filter(|key| !keys.contains(key)).collect();
                old.into_iter().try_for_each(|key| tables::set(table, key, None))?;
            }
        }
        let mut room = usize::try_from(share).unwrap_or(usize::MAX);
        let mut taken = 0;
        for ((key, value), established) in entries {
            let here = [&self.flows, &self.pending].into_iter().find_map(|table| table.get(&key, 0).ok());
            if !closed && here.is_some_and(|here| is_later(&here, &value)) {
                continue;
            }
            let (to, from) = if established && room > 0 {
                room -= 1;
                (&mut self.flows, &mut self.pending)
            } else {
                (&mut self.pending, &mut self.flows)
            };
            tables::set(to, key, Some(value))?;
            tables::set(from, key, None)?;
            taken += 1;
        }
        if taken > 0 || closed {
            self.count(now)?;
        }
        Ok(taken)
    }
}

/// Whether the one was noted after the other.
fn is_later(one: &[u8; FLOW.1], other: &[u8; FLOW.1]) -> bool {
    let seen = |value: &[u8; FLOW.1]| value.first_chunk().map_or(0, |bytes| u64::from_ne_bytes(*bytes));
    seen(one).wrapping_sub(seen(other)).cast_signed() > 0
}

fn keys_of(table: &Flows, port: Number) -> io::Result<Vec<[u8; FLOW.0]>> {
    let number = port.0.to_ne_bytes();
    let keys = table.keys().filter(|key| key.as_ref().map_or(true, |key| key.starts_with(&number)));
    keys.collect::<Result<_, _>>().map_err(tables::error)
}
