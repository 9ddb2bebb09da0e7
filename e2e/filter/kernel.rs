//! The same packets through the programs in the kernel and through their words.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tenet::api::MacAddr;
use tenet::dataplane::filter::{Filtering, Handed, Policy, State, Tables, Verdict, Wire, verdict};
use tenet::dataplane::kernel::filter::{Fate, Filters};
use tenet::model::security::{Direction, Number};

use crate::traffic::{Event, MARGIN, Traffic};

/// Room for more flows than a world can begin: nothing is forgotten because there is no room. A table of many is slow to walk.
pub const FLOWS: u32 = 8 * 4096;
/// Frames of one world at most.
const FRAMES: usize = 4_000;
/// A world ends before anything in it gets old by itself.
const LASTS: Duration = Duration::from_millis(MARGIN * 1000 - 500);

/// Programs and tables of their own, gone when the test ends, however it ends.
pub struct Kernel {
    pub filters: Filters,
    dir: PathBuf,
}

impl Kernel {
    pub fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("tenet-filter-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let filters = Self::open(&dir, FLOWS);
        Self { filters, dir }
    }

    fn open(dir: &Path, flows: u32) -> Filters {
        let mut filters = Filters::open(dir, Filtering { flows, ..Filtering::default() });
        filters.ready().expect("root, and a kernel with eBPF");
        filters
    }

    /// What an agent does that begins with room for so many flows.
    pub fn open_again(&mut self, flows: u32) {
        self.filters = Self::open(&self.dir, flows);
    }
}

impl Drop for Kernel {
    fn drop(&mut self) {
        let _ = self.filters.remove();
        let _ = std::fs::remove_dir(&self.dir);
    }
}

/// How many frames are compared: `TENET_FRAMES`, or a million.
fn frames() -> usize {
    std::env::var("TENET_FRAMES").map_or(1_000_000, |text| text.parse().expect("TENET_FRAMES is a number"))
}

/// How many frames there were, and what became of them.
#[derive(Debug, Default)]
struct Count {
    all: usize,
    passed: usize,
    handed: usize,
}

#[test]
fn the_programs_in_the_kernel_and_their_words_agree_on_every_frame() {
    let (mut kernel, mut count, frames) = (Kernel::new("words"), Count::default(), frames());
    for seed in 1000.. {
        let fast = seed % 2 == 1;
        World::new(&mut kernel.filters, seed, fast).run(frames, &mut count);
        if count.all >= frames {
            break;
        }
    }
    println!("{count:?}: no difference");
    assert!(
        count.passed * 10 > count.all * 3 && count.handed * 100 > count.all,
        "{count:?}: too few to mean something"
    );
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

/// What the kernel makes a packet of for a trial: a frame with payload, of IP a whole header. Shorter ones are tried on wires.
fn shortest(frame: &[u8]) -> usize {
    match frame.get(12..14) {
        Some([0x08, 0x00]) => 14 + 20,
        Some([0x86, 0xdd]) => 14 + 40,
        _ => 14 + 1,
    }
}

/// A world in the kernel and in words. With the fast path its guests are on one network and node, so what one sends to another is
/// judged at both ports at once.
struct World<'k> {
    filters: &'k mut Filters,
    seed: u64,
    fast: bool,
    tables: Tables,
    state: State,
    stations: Vec<Wire>,
}

impl<'k> World<'k> {
    fn new(filters: &'k mut Filters, seed: u64, fast: bool) -> Self {
        filters.ready().unwrap().0.clear().unwrap();
        let (tables, state, stations) = Default::default();
        Self { filters, seed, fast, tables, state, stations }
    }

    fn run(mut self, frames: usize, count: &mut Count) {
        let (begun, first) = (Instant::now(), count.all);
        for event in Traffic::new(self.seed) {
            match event {
                Event::Tables(tables) => self.go_by(tables),
                Event::Age(time) => {
                    self.filters.ready().unwrap().0.age(time).unwrap();
                    self.state.age(time);
                }
                Event::Frame { bytes, .. } if bytes.len() < shortest(&bytes) => {}
                Event::Frame { port, direction, bytes } => self.frame(port, direction, bytes, count),
            }
            if count.all == frames || count.all == first + FRAMES || begun.elapsed() > LASTS {
                return;
            }
        }
    }

    fn go_by(&mut self, tables: Tables) {
        let (there, _) = self.filters.ready().unwrap();
        there.replace(&tables).unwrap();
        self.stations.clear();
        for (port, policy) in tables.ports.iter().filter(|_| self.fast) {
            let Policy::Guarded(security) = policy else { continue };
            let wire = Wire { port: *port, network: Number(0), mac: security.mac, handed: Some(Handed::Peer) };
            if !self.stations.iter().any(|other| other.mac == wire.mac) {
                // An interface that a trial sends nothing to.
                there.set_wire(1000 + u32::try_from(self.stations.len()).unwrap(), &wire).unwrap();
                self.stations.push(wire);
            }
        }
        self.tables = tables;
    }

    /// What the words say: at the port, and at the one that the frame is handed to.
    fn words(&mut self, port: Number, direction: Direction, bytes: &[u8]) -> Verdict {
        let first = verdict(&self.tables, &mut self.state, port, direction, bytes, Duration::ZERO);
        let guarded = matches!(self.tables.ports.get(&port), Some(Policy::Guarded(_)));
        match self.stations.iter().find(|wire| wire.mac.0 == bytes[..6]) {
            Some(to) if first.passes() && guarded && direction == Direction::Egress => {
                verdict(&self.tables, &mut self.state, to.port, Direction::Ingress, bytes, Duration::ZERO)
            }
            _ => first,
        }
    }

    fn frame(&mut self, port: Number, direction: Direction, mut bytes: Vec<u8>, count: &mut Count) {
        // Every other frame goes to a guest of this node, whatever is behind its MAC address.
        if count.all.is_multiple_of(2) && !self.stations.is_empty() {
            let to = &self.stations[count.all / 2 % self.stations.len()];
            bytes[..6].copy_from_slice(&to.mac.0);
        }
        let words = self.words(port, direction, &bytes);
        let wire = Wire { port, network: Number(0), mac: MacAddr([0; 6]), handed: None };
        let fate = self.filters.judge(&wire, direction, &bytes).unwrap();
        assert_eq!(
            fate != Fate::Dropped,
            words.passes(),
            "seed {}, frame {}: {words:?} but {fate:?}\n{direction:?} at {port:?}: {}\n{:#?}",
            self.seed,
            count.all,
            hex(&bytes),
            self.tables.ports.get(&port),
        );
        count.all += 1;
        count.passed += usize::from(words.passes());
        count.handed += usize::from(fate == Fate::Handed);
    }
}
