//! The short way to the filters (Linux 6.6): the programs hang in front of `clsact`, too, and say what becomes of a packet
//! before it is asked for there.
//!
//! It saves some 2 % of a packet between two guests, and nothing depends on it: a port whose entry here is gone is judged by the
//! same programs at `clsact`, which nobody takes away unheard.

use std::io;
use std::path::{Path, PathBuf};

use aya::programs::links::{FdLink, LinkOrder};
use aya::programs::tc::TcAttachOptions;
use aya::programs::{SchedClassifier, TcAttachType};

use super::failed;
use crate::dataplane::state::IfName;

/// Where the pins of these entries are, below the tables.
const DIR: &str = "tcx";
/// The hooks, as `PROGRAMS` has them.
const HOOKS: [TcAttachType; 2] = [TcAttachType::Ingress, TcAttachType::Egress];

/// Where the entries of one namespace are pinned: they outlive the agent.
#[derive(Debug)]
pub struct Pins(PathBuf);

impl Pins {
    /// The pins beside the tables that are pinned in `tables`.
    pub fn below(tables: &Path) -> Self {
        Self(tables.join(DIR))
    }

    fn of(&self, index: u32) -> [PathBuf; 2] {
        ["from", "to"].map(|hook| self.0.join(format!("{index}-{hook}")))
    }

    /// Takes the entries of an interface away.
    pub fn forget(&self, index: u32) {
        for pin in self.of(index) {
            if let Err(error) = std::fs::remove_file(&pin)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(%error, pin = %pin.display(), "a pin stays");
            }
        }
    }

    /// Puts the programs on an interface of the namespace that the calling thread is in. What was there before of ours goes when
    /// they are in place.
    ///
    /// # Errors
    /// The kernel does not take them, or has no such interface any more.
    pub fn attach(&self, programs: &mut [SchedClassifier; 2], name: &IfName, index: u32) -> io::Result<()> {
        std::fs::create_dir_all(&self.0)?;
        for ((program, hook), pin) in programs.iter_mut().zip(HOOKS).zip(self.of(index)) {
            let first = TcAttachOptions::TcxOrder(LinkOrder::first());
            let id = program.attach_with_options(name, hook, first).map_err(failed)?;
            let link = program.take_link(id).map_err(failed)?;
            let link = FdLink::try_from(link).map_err(|error| io::Error::other(error.to_string()))?;
            match std::fs::remove_file(&pin) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            link.pin(&pin).map_err(|error| io::Error::other(error.to_string()))?;
        }
        Ok(())
    }
}
