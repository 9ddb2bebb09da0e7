//! How much a tenant may have is said by Kubernetes' own quotas.

use super::Rights;
use crate::support::{until, yaml};

const QUOTA: &str = "
apiVersion: v1
kind: ResourceQuota
metadata: {name: networking, namespace: team-a}
spec: {hard: {count/ports.tenet.network: 2, count/floatingips.tenet.network: 0}}
";

#[test]
fn a_quota_bounds_the_ports_of_a_namespace() {
    let rights = Rights::start("{apiVersion: v1, kind: Namespace, metadata: {name: team-a}}");
    rights.admin("create -f -", QUOTA).expect_ok();
    until("the quota is counted", || {
        rights.admin("get quota networking -n team-a -o jsonpath={.status.used}", "").out.contains("ports.tenet")
    });
    let port = |name: &str| yaml(&format!("Port team-a/{name} {{networkRef: {{name: blue}}}}"));
    for name in ["a", "b"] {
        rights.admin("create -f -", &port(name)).expect_ok();
    }
    let said = rights.admin("create -f -", &port("c"));
    assert!(said.err.contains("exceeded quota: networking"), "{said:?}");
    assert!(said.err.contains("limited: count/ports.tenet.network=2"), "{said:?}");
    let said = rights.admin("create -f -", &yaml("FloatingIP team-a/f {networkRef: {name: public}}"));
    assert!(said.err.contains("exceeded quota: networking"), "{said:?}");
    rights.admin("delete port a -n team-a", "").expect_ok();
    until("what was deleted makes room", || rights.admin("create -f -", &port("c")).ok());
}
