//! A whole Kubernetes, with kubelets: how long it takes and what it weighs.

use std::time::Instant;

use crate::bed::Bed;
use crate::row::{Row, Unit};

const NODES: usize = 3;

pub fn rows() -> Vec<Row> {
    let start = Instant::now();
    let bed = Bed::bare(NODES);
    let nodes = start.elapsed().as_secs_f64();
    bed.install();
    let all = start.elapsed().as_secs_f64();
    let memory = bed.memory();
    let mib = |octets: u64| octets as f64 / f64::from(1 << 20);
    let whole = mib(memory.values().sum());
    let parts: Vec<String> = memory.iter().map(|(name, octets)| format!("{name} {:.0}", mib(*octets))).collect();
    vec![
        Row::new("kubelets", "from nothing to 3 Ready nodes and Tenet Ready on them", 60.0, all, Unit::S)
            .note(format!("nodes Ready after {nodes:.1} s")),
        Row::new("kubelets", "memory of all of it", 2048.0, whole, Unit::MiB).note(parts.join(", ")),
    ]
}
