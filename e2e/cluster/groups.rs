//! Security groups in a cluster: who is in them, and what is said of what is missing.

use crate::nodes::Cluster;
use crate::support::until;

const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
SecurityGroup app {rules: [{direction: Ingress, remote: {groupRef: {name: clients}}}, {direction: Egress}]}
SecurityGroup infra/shared {rules: [{direction: Ingress, protocol: TCP, port: 22}]}
ReferenceGrant infra/to-default {from: [{namespace: default}], to: [{kind: SecurityGroup, name: shared}]}
Port a {networkRef: {name: blue}, securityGroupRefs: [{name: app}, {name: late}]}
Port b {networkRef: {name: blue}, securityGroupRefs: [{name: app}, {name: shared, namespace: infra}]}
Port plain {networkRef: {name: blue}}";

/// A condition: its status, reason and message.
fn condition(cluster: &Cluster, kind: &str, name: &str, type_: &str) -> String {
    let object = cluster.get(kind, name);
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let found = conditions.iter().find(|c| c["type"] == type_).cloned().unwrap_or_default();
    ["status", "reason", "message"].map(|field| found[field].as_str().unwrap_or_default().to_owned()).join(" ")
}

#[test]
fn groups_count_their_ports_and_what_is_missing_heals_when_it_appears() {
    let cluster = Cluster::bare(1);
    cluster.kubectl("create namespace infra");
    cluster.apply(WORLD);
    let ports = |of: &str, name: &str| -> Option<i64> {
        cluster.kubectl(&format!("get tsg -n {of} {name} -o jsonpath={{.status.ports}}")).trim().parse().ok()
    };
    until("both groups count their ports", || {
        (ports("default", "app"), ports("infra", "shared")) == (Some(2), Some(1))
    });
    until("the port says which group is missing", || {
        condition(&cluster, "tport", "a", "ResolvedRefs")
            .starts_with("False NotFound SecurityGroup default/late is left out")
    });
    until("the group says which rule leads nowhere", || {
        condition(&cluster, "tsg", "app", "ResolvedRefs")
            .starts_with("False NotFound A rule that names SecurityGroup default/clients")
    });
    cluster.wait("tport/plain tport/b", "Ready");
    // It is plugged all the same, and works with what resolves.
    let guest = cluster.guest(1, "a");
    let up = || guest.run("ip -br link show eth0").out.contains("UP");
    assert!(up());
    assert!(condition(&cluster, "tport", "a", "Programmed").starts_with("True"));
    cluster.apply("SecurityGroup late {rules: [{direction: Egress}]}\nSecurityGroup clients");
    cluster.wait("tport/a tsg/app tsg/late tsg/clients", "Ready");

    cluster.kubectl("delete -n infra tgrant/to-default");
    until("without a grant the port is in it no more", || {
        condition(&cluster, "tport", "b", "ResolvedRefs")
            .starts_with("False RefNotPermitted SecurityGroup infra/shared is left out")
    });
    until("and the group has no port", || ports("infra", "shared") == Some(0));
    assert!(cluster.get("tport", "b")["status"]["addresses"][0]["ip"].is_string(), "it keeps its address");

    // A group that ports are in waits for them; one that only rules name does not.
    cluster.kubectl("delete tsg/app --wait=false");
    until("the group says who is in it", || {
        condition(&cluster, "tsg", "app", "Ready").contains("InUse Still used by Port default/a, Port default/b")
    });
    cluster.kubectl("delete tsg/clients --timeout=20s");
    assert!(up());
    drop(guest);
    cluster.kubectl("delete tport/a tport/b --timeout=20s");
    until("the group goes", || !cluster.kubectl("get tsg -o name").contains("/app"));
}
