//! What guests announce, as the filters tell it.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd};
use std::path::Path;
use std::time::Duration;

use aya::maps::{Map, MapData, RingBuf};

use crate::dataplane::filter::layout::{self, ANNOUNCEMENT};
use crate::dataplane::kernel::filter::{sweep::now, tables::error};
use crate::model::active::Announcement;

/// Name of the ring, of its pin and in the program; and of what keeps it from running over.
pub const NAMES: [&str; 2] = ["announcements", "announcers"];

/// What is older than this was said while nobody listened.
const LATE: Duration = Duration::from_secs(2);

/// An open ring. It keeps what was said while no agent ran, as far as there is room.
pub struct Ring(RingBuf<MapData>);

impl Ring {
    /// Opens the ring that is pinned in `dir`.
    ///
    /// # Errors
    /// There is none (`NotFound`), or it is of another shape.
    pub fn open(dir: &Path) -> io::Result<Self> {
        let pinned = MapData::from_pin(dir.join(NAMES[0])).map_err(error)?;
        RingBuf::try_from(Map::RingBuf(pinned)).map(Self).map_err(error)
    }

    /// Becomes readable when something was said.
    #[must_use]
    pub fn watched(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }

    /// What was said since, the newest last.
    pub fn take(&mut self) -> Vec<Announcement> {
        let (now, mut all) = (Duration::from_nanos(now()), Vec::new());
        while let Some(item) = self.0.next() {
            if let Some(bytes) = item.first_chunk::<ANNOUNCEMENT>() {
                all.push(layout::announcement_of(bytes, now, LATE));
            }
        }
        all
    }
}
