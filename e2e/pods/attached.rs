//! Pods with annotations, from kubelet to packets.

use crate::bed::Bed;

const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
SecurityGroup default {rules: [{direction: Ingress}, {direction: Egress}]}
Port web-0 {networkRef: {name: blue}, addresses: [{ip: 10.0.0.50}]}";

const BLUE: &str = "{tenet.network/networks: blue}";

/// The address of a Port.
fn address(bed: &Bed, port: &str) -> String {
    bed.get("tport", port)["status"]["addresses"][0]["ip"].as_str().unwrap().to_owned()
}

/// Files of network configurations and plugins on a node.
fn files(bed: &Bed, node: usize) -> String {
    bed.nodes[node - 1].run("find /etc/cni/net.d /opt/cni/bin -type f -exec cksum {} ;").expect_ok()
}

#[test]
fn the_example_does_what_its_first_lines_say() {
    let bed = Bed::start(1);
    bed.apply_yaml(&std::fs::read_to_string(crate::support::repository().join("examples/12-pods/pods.yaml")).unwrap());
    bed.wait("pod client server", "Ready");
    let (shown, said) =
        (bed.kubectl("exec client -- ip addr show net1"), bed.kubectl("exec client -- ping -c 1 -W 5 10.0.0.10"));
    assert!(shown.contains("inet 10.0.0.") && said.contains(" 0% packet loss"), "{shown} {said}");
}

#[test]
fn annotated_pods_reach_each_other_and_a_port_outlives_its_pod_and_all_goes_without_a_trace() {
    let bed = Bed::bare(2);
    let before = [files(&bed, 1), files(&bed, 2)];
    bed.install();
    bed.apply(WORLD);
    bed.pod("one", 1, BLUE);
    bed.pod("two", 2, "{tenet.network/networks: blue@data, tenet.network/default-route: blue}");
    bed.pod("plain", 1, "{}");
    bed.wait("pod one two plain", "Ready");
    let one = bed.station("one");
    let two = address(&bed, "two-data");
    one.wait_pings(&two);
    let said = bed.kubectl(&format!("exec one -- ping -c 1 -W 2 {two}"));
    assert!(said.contains(" 0% packet loss"), "{said}");
    assert!(bed.station("two").run("ip route show default").out.contains("dev data"));
    // The first network is as it was, and says the pod's address in the cluster.
    one.wait_pings(bed.get("pod", "plain")["status"]["podIP"].as_str().unwrap());
    assert!(bed.get("pod", "one")["status"]["podIP"].as_str().unwrap().starts_with("10.244."));
    bed.until("the pod says what it has", || {
        let status = &bed.get("pod", "one")["metadata"]["annotations"]["k8s.v1.cni.cncf.io/network-status"];
        status.as_str().is_some_and(|text| text.contains(&address(&bed, "one-net1")) && text.contains("net1"))
    });

    bed.pod("web", 1, "{tenet.network/ports: web-0}");
    bed.wait("pod web", "Ready");
    one.wait_pings("10.0.0.50");
    let mac = bed.get("tport", "web-0")["status"]["macAddress"].clone();
    bed.kubectl("delete pod web --wait --grace-period=1");
    bed.pod("web", 2, "{tenet.network/ports: web-0}");
    bed.wait("pod web", "Ready");
    one.wait_pings("10.0.0.50");
    assert_eq!(bed.get("tport", "web-0")["status"]["macAddress"], mac);
    assert!(bed.station("web").run("ip addr show dev net1").out.contains("10.0.0.50/24"));

    // A reason is told where people look for it, and once it is gone the pod runs.
    bed.pod("early", 1, "{tenet.network/networks: later}");
    let told = |pod: &str, words: &str| {
        let line = format!("get events --field-selector involvedObject.name={pod} -o jsonpath={{.items[*].message}}");
        bed.until(&format!("an Event says `{words}`"), || bed.kubectl(&line).contains(words));
    };
    told("early", "Network default/later does not exist");
    bed.apply("Network later\nSubnet late {networkRef: {name: later}, cidr: 10.9.0.0/24}");
    bed.wait("pod early", "Ready");

    // No agent: pods without annotations come and go, others wait for it.
    let nowhere = r#"{"spec":{"template":{"spec":{"nodeSelector":{"nowhere":"true"}}}}}"#;
    let patch = |text: &str| {
        let said = bed.kubectl(&format!("-n tenet-system patch daemonset tenet-agent --type=merge -p {text}"));
        assert!(said.contains("patched"), "{said}");
    };
    let agents = || bed.kubectl("-n tenet-system get pods -l app.kubernetes.io/component=agent -o name");
    patch(nowhere);
    bed.until("no agent runs", || agents().trim().is_empty());
    bed.pod("calm", 1, "{}");
    bed.pod("waits", 1, BLUE);
    bed.wait("pod calm", "Ready");
    bed.wait("nodes --all", "Ready");
    bed.kubectl("delete pod calm --wait --grace-period=1");
    told("waits", "agent does not answer");
    one.wait_pings("10.0.0.50");
    patch(r#"{"spec":{"template":{"spec":{"nodeSelector":null}}}}"#);
    bed.wait("pod waits", "Ready");
    bed.station("waits").wait_pings("10.0.0.50");

    bed.kubectl("delete pod one two plain web early waits --wait --grace-period=1");
    bed.until("their Ports are gone", || bed.kubectl("get tport -o name").trim() == "port.tenet.network/web-0");
    bed.kubectl("-n tenet-system delete daemonset tenet-agent --cascade=foreground --wait");
    let uninstall = std::fs::read_to_string(crate::support::repository().join("manifests/uninstall.yaml")).unwrap();
    bed.apply_yaml(&uninstall);
    bed.kubectl("-n kube-system rollout status daemonset/tenet-uninstall --timeout=60s");
    assert_eq!([files(&bed, 1), files(&bed, 2)], before);
    bed.pod("after", 1, BLUE);
    bed.wait("pod after", "Ready");
}
