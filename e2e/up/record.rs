//! What is left to take away when a cluster was killed: written down while it is up.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::bed::{Bed, groups};
use crate::support::repository;

/// A cluster that is up.
pub struct Record {
    /// The program that runs a command inside.
    pub enter: PathBuf,
}

fn folder() -> PathBuf {
    repository().join(".cache/cluster")
}

impl Record {
    /// Writes down what is up, and a way into it.
    pub fn write(bed: &Bed) -> Self {
        let (pid, kubeconfig, kubectl) = (std::process::id(), bed.plane.kubeconfig(), bed.plane.kubectl_path());
        fs::create_dir_all(folder()).unwrap();
        let lines = [pid.to_string(), bed.cgroup().to_owned(), bed.plane.folder.display().to_string()];
        fs::write(folder().join("record"), lines.join("\n")).unwrap();
        // The program of that name finds all of Kubernetes beside it.
        let bin = kubectl.parent().unwrap().display();
        let (inside, kubeconfig) = (format!("nsenter -t {pid} --net --mount"), kubeconfig.display());
        let text = format!(
            "#!/bin/sh\n# Runs a command inside the cluster that is up, in the folder where it is called.\n\
             export KUBECONFIG={kubeconfig} PATH={bin}:\"$PATH\"\n\
             exec {inside} sh -c 'cd \"$1\" && shift && exec \"$@\"' sh \"$PWD\" \"$@\"\n"
        );
        let enter = folder().join("enter");
        fs::write(&enter, text).unwrap();
        fs::set_permissions(&enter, fs::Permissions::from_mode(0o755)).unwrap();
        Self { enter }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(folder());
    }
}

/// Ends the cluster that is written down, and takes away what it left; nothing: none is.
pub fn down() {
    let Ok(text) = fs::read_to_string(folder().join("record")) else { return };
    let lines: Vec<&str> = text.lines().collect();
    let &[pid, cgroup, plane] = &lines[..] else { return };
    let pid: i32 = pid.parse().expect("a record begins with a process id");
    let runs = || fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.file_stem().is_some_and(|n| n == "up"));
    let start = Instant::now();
    for signal in [Signal::SIGTERM, Signal::SIGKILL] {
        if runs() {
            println!("taking down the cluster of process {pid}");
            let _ = kill(Pid::from_raw(pid), signal);
        }
        while runs() && start.elapsed() < Duration::from_mins(1) {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    groups::sweep(cgroup);
    let _ = fs::remove_dir_all(plane);
    let _ = fs::remove_dir_all(folder());
}
