//! `manifests/install.yaml` holds what its parts and the code say.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use serde_json::Value;
use tenet::api::crds_yaml;
use tenet::cluster::{AGENTS, CONTROLLER, NAMESPACE};

pub fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("manifests")
}

fn base() -> PathBuf {
    folder().join("base")
}

/// The parts, as `kustomization.yaml` lists them.
pub fn parts() -> Vec<String> {
    let list = fs::read_to_string(base().join("kustomization.yaml")).unwrap();
    list.lines().filter_map(|line| line.strip_prefix("- ")).map(str::to_owned).collect()
}

/// What a part says.
pub fn part(name: &str) -> String {
    match name {
        "../../crds" => crds_yaml().unwrap(),
        file => fs::read_to_string(base().join(file)).unwrap(),
    }
}

/// What the install file is to say.
pub fn install() -> String {
    let text = parts().iter().map(|name| part(name)).collect::<Vec<_>>().join("---\n");
    format!(
        "# Everything of Tenet's in a cluster: `kubectl apply -f install.yaml`. Made by `make manifests`; edit its parts.\n{text}"
    )
}

#[test]
fn the_install_file_is_what_its_parts_say() {
    let (path, text) = (folder().join("install.yaml"), install());
    if env::var_os("TENET_WRITE_MANIFESTS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let found = fs::read_to_string(path).unwrap_or_default();
    assert!(found == text, "manifests/install.yaml is stale: run `make manifests` and commit the result");
}

#[test]
fn every_part_is_listed() {
    let parts = parts();
    for entry in fs::read_dir(base()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let made = name == "kustomization.yaml";
        assert!(made || parts.contains(&name), "manifests/base/kustomization.yaml does not list {name}");
    }
}

#[test]
fn the_parts_name_what_the_code_names() {
    let text = install();
    let image = format!("image: tenet:{}\n", env!("CARGO_PKG_VERSION"));
    assert_eq!(text.matches("image:").count(), text.matches(&image).count(), "another image than {image}");
    for (what, line) in [
        ("the controller's namespace", format!("name: {NAMESPACE}\n")),
        ("the namespace of heartbeats", format!("name: {AGENTS}\n")),
        ("the leader's Lease", format!("resourceNames: [{CONTROLLER}]\n")),
        ("where heartbeats are allowed", format!("request.namespace == '{AGENTS}'")),
        ("the finalizer", format!("f != '{}'", tenet::cluster::FINALIZER)),
    ] {
        assert!(text.contains(&line), "no `{}` for {what}", line.trim());
    }
}

/// The commands of all containers, with what Kubernetes fills in.
fn commands() -> Vec<Vec<String>> {
    let mut commands = Vec::new();
    for part in ["base/controller.yaml", "base/agent.yaml", "uninstall.yaml"] {
        let text = fs::read_to_string(folder().join(part)).unwrap();
        for document in text.split("\n---\n") {
            let object: Value = serde_saphyr::from_str(document).unwrap();
            let pod = &object["spec"]["template"]["spec"];
            let lists = ["initContainers", "containers"].into_iter().filter_map(|list| pod[list].as_array());
            for container in lists.flatten() {
                let words = ["command", "args"].into_iter().flat_map(|field| container[field].as_array().unwrap());
                let fill = |word: &Value| word.as_str().unwrap().replace("$(HOST_IP)", "192.0.2.1");
                commands.push(words.map(fill).collect());
            }
        }
    }
    commands
}

#[test]
fn containers_run_commands_that_there_are() {
    let commands = commands();
    assert_eq!(commands.len(), 5, "{commands:?}");
    for command in commands {
        // What comes before --help is read first, and complained about.
        let output = Command::new(env!("CARGO_BIN_EXE_tenet")).args(&command[1..]).arg("--help").output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    let wrong = ["controller", "--metrics=nowhere", "--help"];
    assert!(!Command::new(env!("CARGO_BIN_EXE_tenet")).args(wrong).output().unwrap().status.success());
}
