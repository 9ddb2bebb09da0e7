//! The same packets through the programs in the kernel and through their words.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use tenet::dataplane::filter::{State, Tables, Verdict, verdict};
use tenet::dataplane::kernel::filter::Filters;

use crate::traffic::{Event, MARGIN, Traffic};

/// Frames of one world at most.
const FRAMES: usize = 20_000;
/// A world ends before anything in it gets old by itself.
const LASTS: Duration = Duration::from_millis(MARGIN * 1000 - 500);

/// Programs and tables of their own, gone when the test ends, however it ends.
struct Kernel {
    filters: Filters,
    dir: PathBuf,
}

impl Kernel {
    fn new() -> Self {
        let dir = std::env::temp_dir().join(format!("tenet-filter-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        let mut filters = Filters::open(&dir);
        filters.ready().expect("root, and a kernel with eBPF");
        Self { filters, dir }
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

#[test]
fn the_programs_in_the_kernel_and_their_words_agree_on_every_frame() {
    let mut kernel = Kernel::new();
    let (mut done, mut passed, mut seed) = (0, 0, 1000);
    while done < frames() {
        let (frames, through) = compare(&mut kernel.filters, seed, FRAMES.min(frames() - done));
        (done, passed) = (done + frames, passed + through);
        seed += 1;
    }
    println!("{done} frames in {} worlds, {passed} passed: no difference", seed - 1000);
}

/// What the kernel makes a packet of for a trial: a frame with payload, of IP a whole header. Shorter ones are tried on wires.
fn shortest(frame: &[u8]) -> usize {
    match frame.get(12..14) {
        Some([0x08, 0x00]) => 14 + 20,
        Some([0x86, 0xdd]) => 14 + 40,
        _ => 14 + 1,
    }
}

/// Runs one world through both; how many frames there were, and how many passed.
fn compare(filters: &mut Filters, seed: u64, frames: usize) -> (usize, usize) {
    let (mut tables, mut state) = (Tables::default(), State::default());
    let (begun, mut count, mut passed) = (Instant::now(), 0, 0);
    filters.ready().unwrap().0.clear().unwrap();
    for event in Traffic::new(seed) {
        match event {
            Event::Tables(new) => {
                filters.ready().unwrap().0.replace(&new).unwrap();
                tables = new;
            }
            Event::Age(time) => {
                filters.ready().unwrap().0.age(time).unwrap();
                state.age(time);
            }
            Event::Frame { bytes, .. } if bytes.len() < shortest(&bytes) => {}
            Event::Frame { port, direction, bytes } => {
                let words = verdict(&tables, &mut state, port, direction, &bytes, Duration::ZERO);
                let program = filters.judge(port, direction, &bytes).unwrap();
                assert_eq!(
                    program,
                    matches!(words, Verdict::Pass(_)),
                    "seed {seed}, frame {count}: {words:?}\n{direction:?} at {port:?}: {}\n{:#?}",
                    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>(),
                    tables.ports.get(&port),
                );
                passed += usize::from(program);
                count += 1;
            }
        }
        if count == frames || begun.elapsed() > LASTS {
            break;
        }
    }
    (count, passed)
}
