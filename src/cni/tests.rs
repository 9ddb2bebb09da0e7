#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::args::Variables;
use super::call::{Deed, decide};
use super::chain::{Link, Made, make};
use super::config::LONGEST;
use super::error::Code;
use super::{NEWEST, VERSIONS};
use crate::agent::protocol::{Address, Answer, Plugged, Request};

fn variables(command: &str) -> Variables {
    Variables {
        command: command.into(),
        container: "c0ffee".into(),
        netns: "/var/run/netns/a".into(),
        interface: "eth0".into(),
        args: "IgnoreUnknown=1;K8S_POD_NAMESPACE=team;K8S_POD_NAME=a;K8S_POD_UID=u-1".into(),
    }
}

fn linked(annotations: &Value) -> Value {
    json!({"cniVersion": "1.1.0", "name": "node", "type": "tenet",
        "runtimeConfig": {"io.kubernetes.cri.pod-annotations": annotations},
        "prevResult": {"cniVersion": "1.1.0", "ips": [{"address": "192.0.2.7/24"}], "more": 1}})
}

fn deed(command: &str, config: &Value) -> Result<Deed, Code> {
    decide(&variables(command), config.to_string().as_bytes()).0.map_err(|error| error.code)
}

fn said(command: &str, config: &Value) -> String {
    match deed(command, config) {
        Ok(Deed::Say(text)) => text,
        other => panic!("{other:?}"),
    }
}

fn plugged() -> Plugged {
    Plugged {
        namespace: "team".into(),
        name: "a-net1".into(),
        device: "net1".into(),
        mac_address: "02:00:00:00:00:05".parse().unwrap(),
        mtu: 1450,
        addresses: vec![Address {
            ip: [10, 0, 0, 5].into(),
            prefix_length: 24,
            gateway_ip: Some([10, 0, 0, 1].into()),
        }],
        routes: [("0.0.0.0/0".parse().unwrap(), [10, 0, 0, 1].into())].into(),
    }
}

#[test]
fn without_an_annotation_the_result_passes_as_it_is_and_nobody_is_asked() {
    for annotations in [json!({}), json!({"app": "web", "tenet.network": "x"}), Value::Null] {
        let config = linked(&annotations);
        assert_eq!(serde_json::from_str::<Value>(&said("ADD", &config)).unwrap(), config["prevResult"]);
    }
    let mut bare = linked(&json!({}));
    bare.as_object_mut().unwrap().remove("runtimeConfig");
    assert_eq!(serde_json::from_str::<Value>(&said("ADD", &bare)).unwrap(), bare["prevResult"]);
}

#[test]
fn an_annotation_names_ports_of_the_pod_and_of_the_user() {
    let config = linked(&json!({
        "tenet.network/networks": "blue, infra/red@eth2", "tenet.network/ports": "web-0",
        "tenet.network/default-route": "blue"}));
    let Ok(Deed::Add(add)) = deed("ADD", &config) else { panic!() };
    let Request::PlugPod { ports, .. } = add.request(7) else { panic!() };
    let shown: Vec<_> = ports
        .iter()
        .map(|p| (p.name.as_str(), p.target.device(), p.owner.as_deref(), p.pod.default_route, p.pod.network.as_str()))
        .collect();
    assert_eq!(
        shown,
        [
            ("a-net1", "net1", Some("u-1"), true, "node"),
            ("a-eth2", "eth2", Some("u-1"), false, "node"),
            ("web-0", "net3", None, false, "node"),
        ]
    );
    assert!(ports.iter().all(|p| p.namespace == "team" && p.target.to_string().ends_with("in /run/netns/a")));
}

#[test]
fn a_meta_plugin_names_a_network_or_a_port_and_is_answered_in_its_version() {
    let mut pod = variables("ADD");
    pod.interface = "net1".into();
    for (version, with_family, with_mtu) in
        [("0.3.1", true, false), ("0.4.0", true, false), ("1.0.0", false, false), ("1.1.0", false, true)]
    {
        for (what, name, owner) in [("network", "a-net1", Some("u-1")), ("port", "blue", None)] {
            let config = json!({"cniVersion": version, "name": "nad", "type": "tenet", what: "blue"});
            let Ok(Deed::Add(add)) = decide(&pod, config.to_string().as_bytes()).0 else { panic!() };
            let Request::PlugPod { ports, .. } = add.request(7) else { panic!() };
            let [port] = ports.as_slice() else { panic!("{ports:?}") };
            assert_eq!((port.name.as_str(), port.owner.as_deref(), port.target.device()), (name, owner, "net1"));
            let result: Value = serde_json::from_str(&add.result(Answer::Pod(vec![plugged()])).unwrap()).unwrap();
            let mut ip = json!({"address": "10.0.0.5/24", "gateway": "10.0.0.1", "interface": 0});
            let mut interface = json!({"name": "net1", "mac": "02:00:00:00:00:05", "sandbox": "/var/run/netns/a"});
            if with_family {
                ip["version"] = "4".into();
            }
            if with_mtu {
                interface["mtu"] = 1450.into();
            }
            let routes = json!([{"dst": "0.0.0.0/0", "gw": "10.0.0.1"}]);
            let wanted =
                json!({"cniVersion": version, "interfaces": [interface], "ips": [ip], "routes": routes, "dns": {}});
            assert_eq!(result, wanted);
        }
    }
}

#[test]
fn del_and_check_are_decided_by_the_record_and_garbage_by_the_name_of_the_network() {
    let record = r#"[{"namespace":"team","pod":{"container":"c0ffee","interface":"eth0"}}]"#;
    let annotated = linked(&json!({"tenet.network/networks": "blue"}));
    for (config, anyway) in [(linked(&json!({})), false), (annotated, true)] {
        let Ok(Deed::Ask(ask)) = deed("DEL", &config) else { panic!() };
        assert_eq!((ask.is_idle(record), ask.is_idle("[]"), ask.anyway), (false, true, anyway));
        assert!(ask.is_idle(&record.replace("c0ffee", "c0ffee1")), "another container");
        let Ok(Deed::Ask(ask)) = deed("CHECK", &config) else { panic!() };
        assert_eq!((ask.is_idle(record), ask.is_idle("[]"), ask.anyway), (false, true, false));
    }
    let mut gc = json!({"cniVersion": "1.1.0", "name": "node", "type": "tenet"});
    assert_eq!(deed("GC", &gc), Err(Code::Config), "nobody said who lives: nothing is garbage");
    gc["cni.dev/valid-attachments"] = json!([{"containerID": "a", "ifname": "eth0"}]);
    let Ok(Deed::Ask(ask)) = deed("GC", &gc) else { panic!() };
    let living = [("a".to_owned(), "eth0".to_owned())].into();
    assert_eq!(ask.request, Request::KeepPods { network: "node".into(), living });
}

#[test]
fn a_node_is_ready_without_the_agent_and_a_delegate_is_not() {
    let mut config = json!({"cniVersion": "1.1.0", "name": "node", "type": "tenet"});
    assert_eq!(deed("STATUS", &config), Ok(Deed::Say(String::new())));
    config["network"] = "blue".into();
    let Ok(Deed::Ask(ask)) = deed("STATUS", &config) else { panic!() };
    assert_eq!((ask.request, ask.silence), (Request::Hello, Code::Unavailable));
}

#[test]
fn what_cannot_be_meant_is_an_error_of_the_specification() {
    let annotated = |text: &str| linked(&json!({"tenet.network/networks": text}));
    let with = |key: &str, value: Value| {
        let mut config = annotated("blue");
        config[key] = value;
        config
    };
    let cases = [
        ("ADD", annotated("Blue"), Code::Config),
        ("ADD", annotated("blue@eth0"), Code::Config),
        ("ADD", annotated(&"a,".repeat(100_000)), Code::Config),
        ("ADD", with("cniVersion", "0.2.0".into()), Code::Version),
        ("ADD", with("cniVersion", Value::Null), Code::Version),
        ("ADD", with("cniVersion", "9.9.9".into()), Code::Version),
        ("ADD", with("cniVersion", 1.into()), Code::Decode),
        ("ADD", with("prevResult", Value::Null), Code::Config),
        ("ADD", with("prevResult", "x".into()), Code::Decode),
        ("ADD", with("runtimeConfig", 4.into()), Code::Decode),
        ("ADD", with("network", "../x".into()), Code::Config),
        ("ADD", with("network", "".into()), Code::Config),
        ("CHECK", with("cniVersion", "0.3.1".into()), Code::Version),
        ("GC", with("cniVersion", "1.0.0".into()), Code::Version),
        ("STATUS", with("cniVersion", "1.0.0".into()), Code::Version),
        ("add", annotated("blue"), Code::Environment),
    ];
    for (command, config, code) in cases {
        assert_eq!(deed(command, &config), Err(code), "{command} {config}");
    }
    let config = annotated("blue").to_string();
    let wrong: [fn(&mut Variables); 9] = [
        |v| v.container = "-rf".into(),
        |v| v.container = "a/../b".into(),
        |v| v.container = "a\"b".into(),
        |v| v.container = String::new(),
        |v| v.interface = "..".into(),
        |v| v.interface = "a/b".into(),
        |v| v.interface = "sixteen-letters-".into(),
        |v| v.netns = "netns".into(),
        |v| v.args = "K8S_POD_NAME=a;K8S_POD_NAMESPACE=../b".into(),
    ];
    for change in wrong {
        let mut variables = variables("ADD");
        change(&mut variables);
        let error = decide(&variables, config.as_bytes()).0.unwrap_err();
        assert_eq!(error.code, Code::Environment, "{variables:?}");
    }
    let deep = format!("{{\"prevResult\": {}1{}}}", "[".repeat(5000), "]".repeat(5000));
    for input in [deep.into_bytes(), vec![b' '; LONGEST + 1], b"\xff".to_vec(), b"".to_vec(), b"[]".to_vec()] {
        assert_eq!(decide(&variables("ADD"), &input).0.unwrap_err().code, Code::Decode);
    }
}

#[test]
fn version_is_answered_whatever_is_asked() {
    let text = match decide(&variables("VERSION"), b"\xff\xff").0 {
        Ok(Deed::Say(text)) => text,
        other => panic!("{other:?}"),
    };
    let answer: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(answer, json!({"cniVersion": NEWEST, "supportedVersions": VERSIONS}));
}

proptest! {
    #[test]
    fn no_input_and_no_environment_is_too_much(
        command in "ADD|DEL|CHECK|STATUS|GC|VERSION|.{0,8}",
        words in proptest::collection::vec(".{0,20}", 4),
        lines in proptest::collection::btree_map(
            "cniVersion|name|prevResult|runtimeConfig|network|port|cni.dev/valid-attachments",
            prop_oneof![
                Just(json!("1.1.0")), Just(json!({})), Just(json!([])), Just(Value::Null),
                any::<i64>().prop_map(Value::from), ".{0,30}".prop_map(Value::from),
                ("tenet.network/(networks|ports|default-route)", ".{0,40}|blue(,red@.{0,4})?").prop_map(
                    |(key, value)| json!({"io.kubernetes.cri.pod-annotations": {key: value}})),
                Just(json!({"interfaces": 3})), Just(json!({"interfaces": [1]})),
                Just(json!([{"containerID": "a", "ifname": "b"}])),
            ],
            0..7),
        noise in proptest::collection::vec(any::<u8>(), 0..40), cut in 0usize..400,
    ) {
        let [container, netns, interface, args] = words.try_into().unwrap();
        let odd = Variables { command: command.clone(), container, netns, interface, args };
        let mut text = json!(lines).to_string().into_bytes();
        for input in [text.clone(), { text.truncate(cut); text.extend(&noise); text }, noise] {
            for variables in [&odd, &variables(&command)] {
                match decide(variables, &input) {
                    (Err(error), version) => {
                        let form: Value = serde_json::from_str(&error.json(version)).unwrap();
                        prop_assert!(form["code"].as_u64().unwrap() > 0 && !form["msg"].as_str().unwrap().is_empty());
                        prop_assert!(VERSIONS.contains(&form["cniVersion"].as_str().unwrap()));
                    }
                    (Ok(Deed::Add(add)), _) => {
                        let _ = add.request(1);
                        let _ = add.result(Answer::Pod(vec![plugged()]));
                    }
                    (Ok(_), _) => {}
                }
            }
        }
    }

    #[test]
    fn no_file_of_the_node_is_too_much(text in ".{0,80}", plugins in ".{0,30}", noise in proptest::collection::vec(any::<u8>(), 0..60)) {
        let list = json!({"name": text.clone(), "plugins": [{"type": plugins}], "cniVersion": text.clone()}).to_string();
        for input in [list.as_bytes(), text.as_bytes(), noise.as_slice()] {
            if let Made::File(ours) = make("10-x.conf", input, Some(&noise), &Link::default()) {
                prop_assert_eq!(make("10-x.conf", input, Some(&ours), &Link::default()), Made::Same);
            }
        }
    }
}

#[test]
fn ours_says_what_the_nodes_file_says_and_has_the_link_at_the_end() {
    let list =
        br#"{"cniVersion": "1.0.0", "name": "k8s", "disableCheck": true, "plugins": [{"type": "ptp", "mtu": 9000}]}"#;
    let conf = br#"{"cniVersion": "0.2.0", "name": "old", "type": "bridge", "ipam": {"type": "host-local"}}"#;
    let link = Link { socket: Some("/run/x.sock".into()), state: None };
    let ours = |text: &[u8]| match make("10-x", text, None, &link) {
        Made::File(text) => serde_json::from_slice::<Value>(&text).unwrap(),
        other => panic!("{other:?}"),
    };
    let tenet =
        json!({"type": "tenet", "capabilities": {"io.kubernetes.cri.pod-annotations": true}, "socket": "/run/x.sock"});
    let made = ours(list);
    assert_eq!(made["plugins"], json!([{"type": "ptp", "mtu": 9000}, tenet]));
    assert_eq!(
        (&made["cniVersion"], &made["name"], &made["disableCheck"]),
        (&json!("1.0.0"), &json!("k8s"), &json!(true))
    );
    let made = ours(conf);
    assert_eq!(made["plugins"][0], serde_json::from_slice::<Value>(conf).unwrap());
    assert_eq!((&made["cniVersion"], &made["name"], &made["plugins"][1]), (&json!("0.3.1"), &json!("old"), &tenet));
}

#[test]
fn ours_is_made_anew_when_the_nodes_file_changes_and_else_left_to_whoever_adds_to_it() {
    let list =
        |mtu: u32| json!({"cniVersion": "1.0.0", "name": "k8s", "plugins": [{"type": "ptp", "mtu": mtu}]}).to_string();
    let link = Link::default();
    let Made::File(first) = make("10-x", list(1).as_bytes(), None, &link) else { panic!() };
    let mut added: Value = serde_json::from_slice(&first).unwrap();
    added["plugins"].as_array_mut().unwrap().push(json!({"type": "istio-cni"}));
    let added = added.to_string();
    assert_eq!(make("10-x", list(1).as_bytes(), Some(added.as_bytes()), &link), Made::Same);
    assert!(matches!(make("10-x", list(2).as_bytes(), Some(added.as_bytes()), &link), Made::File(_)));
    assert_eq!(make("10-x", b"{\"name\": \"ha", Some(added.as_bytes()), &link), Made::Same, "it is being written");
    assert!(matches!(make("11-x", b"{\"name\": \"ha", Some(added.as_bytes()), &link), Made::Skipped(_)));
    let Made::File(other) = make("11-x", list(1).as_bytes(), Some(added.as_bytes()), &link) else { panic!() };
    assert_ne!(first, other);
    for text in
        ["", "[]", "{}", r#"{"name": "m", "type": "multus"}"#, r#"{"name": "t", "plugins": [{"type": "tenet"}]}"#]
    {
        assert!(matches!(make("10-x", text.as_bytes(), None, &link), Made::Skipped(_)), "{text}");
    }
}
