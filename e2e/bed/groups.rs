//! Control groups of nodes: all that a cluster has on the machine outside its namespaces.

use std::fs;

use crate::support::{run, until};

/// Makes the control group below which all of a node's pods get theirs, in every hierarchy.
pub(super) fn make(cgroup: &str) {
    for hierarchy in fs::read_dir("/sys/fs/cgroup").into_iter().flatten().flatten().map(|entry| entry.path()) {
        let mut path = hierarchy.clone();
        for step in cgroup.split('/').filter(|step| !step.is_empty()) {
            let above = path.clone();
            path.push(step);
            // Another name of a hierarchy is a link to it.
            if !hierarchy.is_symlink() && !path.exists() && hierarchy.join("cgroup.procs").exists() {
                fs::create_dir(&path).unwrap();
                // Without processors and memory nothing can be put in there, and a new one has none.
                for room in ["cpuset.cpus", "cpuset.mems"] {
                    if let Ok(all) = fs::read(above.join(room)) {
                        let _ = fs::write(path.join(room), all);
                    }
                }
            }
        }
    }
}

/// Takes control groups of a cluster away, in every hierarchy, the innermost first; waits for what still ends in them.
pub fn sweep(cgroup: &str) {
    let which = format!("( -path */{cgroup} -o -path */{cgroup}/* )");
    until("all control groups are gone", || {
        run(&format!("find /sys/fs/cgroup -depth -type d {which} -exec rmdir {{}} ;"));
        run(&format!("find /sys/fs/cgroup -type d -name {cgroup}")).out.is_empty()
    });
}
