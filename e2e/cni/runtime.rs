//! What a container runtime does for a pod's network: calls the plugin.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};

use crate::support::{Guest, Host, Said, binary};

const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Port web-0 {networkRef: {name: blue}, addresses: [{ip: 10.0.0.50}]}
Port web-1 {networkRef: {name: blue}, addresses: [{ip: 10.0.0.51}]}
Port plain {networkRef: {name: blue}}
Network red
Subnet far {networkRef: {name: red}, cidr: 10.1.0.0/24, hostRoutes: [{destination: 172.16.0.0/12, nextHop: 10.1.0.9}]}
Port a-net1 {networkRef: {name: red}, addresses: [{ip: 10.1.0.61}]}
Network green
Subnet wide {networkRef: {name: green}, cidr: 10.2.0.0/24}
Port green-0 {networkRef: {name: green}, addresses: [{ip: 10.2.0.9}]}
";

/// A host with an agent and ports for pods.
pub fn host() -> Host {
    let mut host = Host::new();
    host.declare("blue.yaml", WORLD);
    host.start();
    host
}

/// The capability that tells a pod's annotations.
const ANNOTATIONS: &str = "io.kubernetes.cri.pod-annotations";

/// One attachment of a pod: what the runtime knows of it.
#[derive(Clone)]
pub struct Pod {
    pub name: String,
    pub container: String,
    pub interface: String,
    pub netns: String,
    pub uid: Option<String>,
    pub config: Value,
}

impl Pod {
    /// A pod of namespace `default` in the namespace of a guest, with annotations of ours.
    pub fn new(host: &Host, guest: &Guest, annotations: &[(&str, &str)]) -> Self {
        let annotations: serde_json::Map<String, Value> = annotations
            .iter()
            .map(|(key, value)| (format!("tenet.network/{key}"), Value::from(*value)))
            .chain([("kubernetes.io/config.source".to_owned(), "api".into())])
            .collect();
        let config = json!({
            "cniVersion": "1.1.0",
            "name": "node",
            "type": "tenet",
            "capabilities": {ANNOTATIONS: true},
            "socket": host.socket(),
            "state": host.dir.join("state"),
            "runtimeConfig": {ANNOTATIONS: annotations},
            "prevResult": first(),
        });
        Self {
            name: guest.name.clone(),
            container: format!("c0ffee-{}", guest.name),
            interface: "eth0".into(),
            netns: format!("/var/run/netns/{}", guest.name),
            uid: None,
            config,
        }
    }

    /// The same as a meta plugin asks for it: no result before, no annotations, an interface by its name.
    pub fn delegated(host: &Host, guest: &Guest, what: (&str, &str)) -> Self {
        let mut pod = Self::new(host, guest, &[]);
        pod.config = json!({"cniVersion": "1.0.0", "name": "nad", "type": "tenet", "socket": host.socket(),
            "state": host.dir.join("state"), what.0: what.1});
        pod.interface = "net1".into();
        pod
    }

    /// Changes the configuration.
    pub fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.config[key] = value.into();
        self
    }

    /// Calls the plugin.
    pub fn call(&self, command: &str) -> Said {
        let child = self.start(command, self.config.to_string().as_bytes());
        Said::of(&child.wait_with_output().unwrap())
    }

    /// Starts a call with some input.
    pub fn start(&self, command: &str, input: &[u8]) -> Child {
        let uid = self.uid.as_ref().map(|uid| format!(";K8S_POD_UID={uid}")).unwrap_or_default();
        let args = format!(
            "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME={};K8S_POD_INFRA_CONTAINER_ID={}{uid}",
            self.name, self.container
        );
        let mut child = Command::new(binary())
            .env("CNI_COMMAND", command)
            .env("CNI_CONTAINERID", &self.container)
            .env("CNI_NETNS", &self.netns)
            .env("CNI_IFNAME", &self.interface)
            .env("CNI_PATH", "/opt/cni/bin")
            .env("CNI_ARGS", args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Whoever reads no more than it wants has closed its end.
        let _ = child.stdin.take().unwrap().write_all(input);
        child
    }

    /// Plugs; the result.
    #[track_caller]
    pub fn add(&self) -> Value {
        let said = self.call("ADD");
        assert!(said.ok(), "ADD: {said:?}");
        serde_json::from_str(&said.out).unwrap()
    }

    /// A call that fails: code and message.
    #[track_caller]
    pub fn refused(&self, command: &str) -> (u64, String) {
        let said = self.call(command);
        assert_eq!(said.code, Some(1), "{command}: {said:?}");
        error(&said)
    }

    /// A call that succeeds and says nothing.
    #[track_caller]
    pub fn quiet(&self, command: &str) {
        let said = self.call(command);
        assert!(said.ok() && said.out.is_empty(), "{command}: {said:?}");
    }
}

/// An error in the specification's form.
#[track_caller]
pub fn error(said: &Said) -> (u64, String) {
    let error: Value = serde_json::from_str(&said.out).unwrap_or_else(|why| panic!("{why}: {said:?}"));
    assert!(error["cniVersion"].is_string(), "{said:?}");
    (error["code"].as_u64().unwrap(), error["msg"].as_str().unwrap().to_owned())
}

/// What the first plugin of a chain answers.
pub fn first() -> Value {
    json!({
        "cniVersion": "1.1.0",
        "interfaces": [{"name": "veth1", "mac": "02:00:00:00:01:01"}, {"name": "eth0", "sandbox": "/run/netns/x"}],
        "ips": [{"address": "192.0.2.7/24", "gateway": "192.0.2.1", "interface": 1}],
        "routes": [{"dst": "0.0.0.0/0"}],
        "dns": {},
        "theirs": {"kept": true},
    })
}
