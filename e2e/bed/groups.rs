//! Control groups of nodes: all that a cluster has on the machine outside its namespaces.

use std::fs;
use std::path::PathBuf;

use crate::support::{run, until};

const ROOT: &str = "/sys/fs/cgroup";

/// The roots of all hierarchies: many in version 1, one in version 2.
fn hierarchies() -> Vec<PathBuf> {
    let root = PathBuf::from(ROOT);
    if root.join("cgroup.controllers").exists() {
        return vec![root];
    }
    let below = fs::read_dir(root).into_iter().flatten().flatten().map(|entry| entry.path());
    // Another name of a hierarchy is a link to it.
    below.filter(|path| !path.is_symlink() && path.join("cgroup.procs").exists()).collect()
}

/// Makes the control group below which all of a node's pods get theirs, in every hierarchy.
pub(super) fn make(cgroup: &str) {
    for mut path in hierarchies() {
        for step in cgroup.split('/').filter(|step| !step.is_empty()) {
            // Version 2 hands down what is told to be handed down, and not all machines have all of it.
            for controller in ["+cpu", "+cpuset", "+memory", "+pids", "+io", "+hugetlb"] {
                let _ = fs::write(path.join("cgroup.subtree_control"), controller);
            }
            let above = path.clone();
            path.push(step);
            if fs::create_dir(&path).is_err() {
                assert!(path.is_dir(), "no control group can be made at {}", path.display());
            }
            // In version 1 nothing can be put where there are no processors and memory, and a new one has none.
            for room in ["cpuset.cpus", "cpuset.mems"] {
                if let Ok(all) = fs::read(above.join(room)) {
                    let _ = fs::write(path.join(room), all);
                }
            }
        }
    }
}

/// Takes control groups of a cluster or a node away, in every hierarchy, the innermost first; waits for what still ends in
/// them.
pub fn sweep(cgroup: &str) {
    let cgroup = cgroup.trim_start_matches('/');
    let which = format!("( -path */{cgroup} -o -path */{cgroup}/* )");
    until("all control groups are gone", || {
        run(&format!("find {ROOT} -depth -type d {which} -exec rmdir {{}} ;"));
        run(&format!("find {ROOT} -type d -path */{cgroup}")).out.is_empty()
    });
}
