//! Compiles the packet filters (eBPF, C) and tells the program which ones it carries.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::path::{Path, PathBuf};
use std::process::Command;

const SOURCES: &str = "src/dataplane/kernel/filter/bpf";

fn main() -> Result<(), String> {
    println!("cargo::rerun-if-changed={SOURCES}");
    println!("cargo::rerun-if-env-changed=TENET_CLANG");
    // Kubelet starts the network plugin for every pod. An executable that is loaded where it was linked needs none of its
    // 26 000 pointers adjusted (a third of its time), and its constants stay pages that all share. So are Kubernetes' own.
    println!("cargo::rustc-link-arg-bins=-no-pie");
    let out = std::env::var_os("OUT_DIR").map(PathBuf::from).ok_or("OUT_DIR is not set: build with cargo")?;
    let object = out.join("filter.o");
    compile(&object)?;
    // A node tells one version from another by what was compiled, not by a number that somebody forgets to raise.
    let bytes = std::fs::read(&object).map_err(|error| format!("{}: {error}", object.display()))?;
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    println!("cargo::rustc-env=TENET_FILTER={:016x}", hasher.finish());
    println!("cargo::rustc-env=TENET_FILTER_OBJECT={}", object.display());
    Ok(())
}

fn compile(object: &Path) -> Result<(), String> {
    let endian = std::env::var("CARGO_CFG_TARGET_ENDIAN").unwrap_or_default();
    let target = if endian == "big" { "bpfeb" } else { "bpfel" };
    let given = std::env::var("TENET_CLANG").ok();
    let names = given.as_deref().map_or_else(|| vec!["clang", "clang-14"], |name| vec![name]);
    for name in names {
        let mut command = Command::new(name);
        command.current_dir(SOURCES).args(["-target", target, "-mcpu=v3", "-O2", "-g", "-Wall", "-Wextra", "-Werror"]);
        match command.args(["-c", "filter.c", "-o"]).arg(object).output() {
            Ok(done) if done.status.success() => return Ok(()),
            Ok(done) => {
                return Err(format!("{name} cannot compile the filters: {}", String::from_utf8_lossy(&done.stderr)));
            }
            Err(_) => {}
        }
    }
    Err("clang is missing: it compiles the packet filters. `make deps` installs it (Debian: clang-14); TENET_CLANG names another".into())
}
