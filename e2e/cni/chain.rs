//! The link in a node's chain, in folders of one's own.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use serde_json::Value;
use tenet::cni::install::Keeper;

use crate::support::{binary, run, until};

const LIST: &str = "{\"cniVersion\": \"1.0.0\",\n \"name\": \"k8s\", \"plugins\": [{\"type\": \"ptp\"}]}\n";
const CONF: &str = "{\"cniVersion\": \"0.3.1\", \"name\": \"one\", \"type\": \"bridge\"}";

/// A node's folders.
struct Node(PathBuf);

impl Node {
    fn new(name: &str, files: &[(&str, &str)]) -> Self {
        let dir = std::env::temp_dir().join(format!("chain-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        std::fs::create_dir_all(dir.join("net.d")).unwrap();
        std::fs::create_dir_all(dir.join("bin")).unwrap();
        let node = Self(dir);
        for (name, text) in files {
            std::fs::write(node.0.join("net.d").join(name), text).unwrap();
        }
        node
    }

    fn tenet(&self, what: &str) -> String {
        let dir = self.0.display();
        run(&format!("{} cni {what} --bin-dir {dir}/bin --conf-dir {dir}/net.d", binary().display())).expect_ok()
    }

    fn keep(&self) {
        Keeper { conf_dir: self.0.join("net.d"), link: tenet::cni::chain::Link::default() }.start().unwrap();
    }

    /// All files of the node, by name.
    fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let all = ["net.d", "bin"].into_iter().flat_map(|dir| std::fs::read_dir(self.0.join(dir)).unwrap());
        let all = all.map(|entry| entry.unwrap());
        all.map(|e| (e.file_name().into_string().unwrap(), std::fs::read(e.path()).unwrap())).collect()
    }

    /// What a runtime takes: name of the file and types of its plugins.
    fn taken(&self) -> Option<(String, Vec<String>)> {
        let mut names: Vec<_> = std::fs::read_dir(self.0.join("net.d")).unwrap().map(|e| e.unwrap().path()).collect();
        names.retain(|path| path.extension().is_some_and(|e| e == "conf" || e == "conflist" || e == "json"));
        names.sort();
        let path = names.first()?;
        let list: Value = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        let plugins = list["plugins"].as_array().cloned().unwrap_or_default();
        let types = plugins.iter().map(|p| p["type"].as_str().unwrap().to_owned()).collect();
        Some((path.file_name().unwrap().to_str().unwrap().to_owned(), types))
    }

    fn write(&self, name: &str, text: &str) {
        let fresh = self.0.join("net.d").join(".fresh");
        std::fs::write(&fresh, text).unwrap();
        std::fs::rename(fresh, self.0.join("net.d").join(name)).unwrap();
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn is(node: &Node, file: &str, plugins: &[&str]) -> bool {
    node.taken().is_some_and(|(name, types)| name == file && types == plugins)
}

#[test]
fn what_is_installed_is_taken_first_and_leaves_the_node_as_it_was() {
    for (name, text, plugins) in
        [("10-k8s.conflist", LIST, ["ptp", "tenet"]), ("10-one.conf", CONF, ["bridge", "tenet"])]
    {
        let node = Node::new(name, &[(name, text), ("99-loopback.conf", "{}"), ("README", "x")]);
        let before = node.files();
        assert!(node.tenet("install").contains(name));
        assert!(is(&node, "00-tenet.conflist", &plugins), "{:?}", node.taken());
        let plugin = node.0.join("bin/tenet");
        assert_eq!(plugin.metadata().unwrap().permissions().mode() & 0o777, 0o755);
        assert_eq!(node.files().len(), before.len() + 2, "nothing else is left behind");
        let all = node.files();
        node.tenet("install");
        assert_eq!(node.files(), all);
        node.tenet("uninstall");
        assert_eq!(node.files(), before);
        node.tenet("uninstall");
    }
}

#[test]
fn a_node_without_a_network_gets_the_link_when_it_has_one() {
    let node = Node::new("late", &[]);
    assert!(node.tenet("install").contains("no network configuration"));
    node.keep();
    node.write("10-k8s.conflist", LIST);
    until("it is linked", || is(&node, "00-tenet.conflist", &["ptp", "tenet"]));
    std::fs::remove_file(node.0.join("net.d/10-k8s.conflist")).unwrap();
    until("nothing is left to link to", || node.taken().is_none());
}

#[test]
fn the_link_outlives_whoever_rewrites_the_folder() {
    let node = Node::new("kept", &[("10-k8s.conflist", LIST)]);
    node.tenet("install");
    node.keep();
    std::fs::write(node.0.join("net.d/10-k8s.conflist"), LIST.replace("ptp", "bridge")).unwrap();
    until("a file that is written in place", || is(&node, "00-tenet.conflist", &["bridge", "tenet"]));
    node.write("10-k8s.conflist", LIST);
    until("one that is renamed into place", || is(&node, "00-tenet.conflist", &["ptp", "tenet"]));
    std::fs::write(node.0.join("net.d/10-k8s.conflist"), "{\"name\": \"half").unwrap();
    std::fs::write(node.0.join("net.d/10-k8s.conflist"), LIST.replace("ptp", "macvlan")).unwrap();
    until("one that is written in two goes", || is(&node, "00-tenet.conflist", &["macvlan", "tenet"]));
    std::fs::remove_file(node.0.join("net.d/00-tenet.conflist")).unwrap();
    until("ours is taken away", || is(&node, "00-tenet.conflist", &["macvlan", "tenet"]));
    node.write("05-new.conf", CONF);
    until("another comes first", || is(&node, "00-tenet.conflist", &["bridge", "tenet"]));
    node.write("00-other.conf", CONF);
    until("one that would come before ours", || is(&node, "0-tenet.conflist", &["bridge", "tenet"]));
    assert!(!node.0.join("net.d/00-tenet.conflist").exists());
    std::fs::remove_file(node.0.join("net.d/00-other.conf")).unwrap();
    until("and goes again", || is(&node, "00-tenet.conflist", &["bridge", "tenet"]));
}

#[test]
fn multus_stays_first_and_stands_before_a_network_with_the_link() {
    let multus = "{\"cniVersion\": \"0.3.1\", \"name\": \"m\", \"type\": \"multus-shim\"}";
    let node = Node::new("multus", &[("00-multus.conf", multus), ("10-k8s.conflist", LIST)]);
    node.tenet("install");
    assert!(node.taken().is_some_and(|(name, _)| name == "00-multus.conf"));
    let ours: Value = serde_json::from_slice(&node.files()["00-tenet.conflist"]).unwrap();
    assert_eq!(ours["plugins"][0]["type"], "ptp");
}
