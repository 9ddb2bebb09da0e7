//! A cluster leaves nothing on its machine: the bed itself.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::{env, fs};

use crate::bed::{Bed, groups};
use crate::support::{run, until};

/// What kubelets would set, and folders that they would make, on the whole machine.
fn machine() -> (String, Vec<bool>) {
    let settings = "vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops kernel.keys";
    let folders =
        ["/usr/libexec/kubernetes", "/etc/cni", "/opt/cni", "/var/lib/kubelet", "/var/lib/cni", "/var/log/pods"];
    (run(&format!("sysctl {settings}")).expect_ok(), folders.map(|folder| Path::new(folder).exists()).to_vec())
}

fn found(cgroup: &str) -> String {
    run(&format!("find /sys/fs/cgroup -name {cgroup}")).expect_ok()
}

/// Processes in a network namespace, by its inode.
fn inside(space: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let inside =
        processes.filter(|path| fs::read_link(path.join("ns/net")).is_ok_and(|own| own.display().to_string() == space));
    inside.map(|path| fs::read_to_string(path.join("cmdline")).unwrap_or_default()).collect()
}

/// A cluster of one node on which a pod runs, and the network namespace of the node.
fn small() -> (Bed, String) {
    let bed = Bed::bare(1);
    bed.pod("one", 1, "{}");
    bed.wait("pod one", "Ready");
    let space = bed.nodes[0].run("readlink /proc/self/ns/net").expect_ok().trim().to_owned();
    assert!(!inside(&space).is_empty());
    assert!(!found(bed.cgroup()).is_empty());
    (bed, space)
}

#[test]
fn a_cluster_that_ends_leaves_nothing() {
    let before = machine();
    let (bed, space) = small();
    let (cgroup, folder) = (bed.cgroup().to_owned(), bed.plane.folder.clone());
    assert_eq!(before, machine(), "what is the machine's has changed");
    drop(bed);
    assert_eq!(inside(&space), Vec::<String>::new());
    assert_eq!(found(&cgroup), "");
    assert!(!folder.exists());
}

#[test]
fn of_a_cluster_whose_owner_is_killed_only_empty_groups_and_files_are_left() {
    let mut owner = Command::new(env::current_exe().unwrap());
    owner.args(["--exact", "leavings::owner", "--ignored", "--nocapture"]).stdout(Stdio::piped());
    let mut owner = owner.spawn().unwrap();
    let mut lines = BufReader::new(owner.stdout.take().unwrap()).lines().map(Result::unwrap);
    let made = lines.find_map(|line| line.strip_prefix("made ").map(str::to_owned)).expect("the owner makes it");
    let words: Vec<&str> = made.split(' ').collect();
    let [space, cgroup, folder] = words[..] else { panic!("{words:?}") };
    assert!(!inside(space).is_empty());
    owner.kill().unwrap();
    owner.wait().unwrap();
    until("all that ran has ended", || inside(space).is_empty());
    groups::sweep(cgroup);
    fs::remove_dir_all(folder).unwrap();
}

#[test]
#[ignore = "is killed by another test"]
fn owner() {
    let (bed, space) = small();
    println!("\nmade {space} {} {}", bed.cgroup(), bed.plane.folder.display());
    loop {
        std::thread::park();
    }
}
