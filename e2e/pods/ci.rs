//! `examples/ci/kind.sh` does what it says, but for the lines of a container engine and of kind: here both do nothing, and the
//! cluster is a bed.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use crate::bed::Bed;
use crate::support::{Said, repository};

#[test]
fn the_script_for_ci_installs_tenet_and_sees_two_pods_reach_each_other() {
    let bed = Bed::bare(2);
    let folder = bed.folder().join("bin");
    fs::create_dir_all(&folder).unwrap();
    let calls = folder.join("calls");
    let note = format!("echo \"$(basename \"$0\") $*\" >>{}", calls.display());
    let kubectl =
        format!("exec {} --kubeconfig {} \"$@\"", bed.plane.kubectl_path().display(), bed.plane.kubeconfig().display());
    for (name, line) in [("docker", &note), ("kind", &note), ("kubectl", &kubectl)] {
        let file = folder.join(name);
        fs::write(&file, format!("#!/bin/sh\n{line}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    }
    let path = format!("{}:{}", folder.display(), std::env::var("PATH").unwrap());
    let script = repository().join("examples/ci/kind.sh");
    let said = Said::of(&Command::new(script).env("PATH", path).env("GUEST_IMAGE", "guest:1").output().unwrap());
    assert!(said.ok() && said.out.contains(" 0% packet loss") && said.out.ends_with("All is well\n"), "{said:?}");

    let calls = fs::read_to_string(calls).unwrap();
    let verbs: Vec<String> = calls.lines().map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect();
    assert_eq!(verbs, ["docker build", "kind create", "kind load", "kind delete"], "{calls}");
}
