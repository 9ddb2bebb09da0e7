//! What a tenant may write: everything in its namespace that is a wish, and nothing else anywhere.

use super::{Rights, allowed};
use crate::support::until;

const WORLD: &str = include_str!("tenants.yaml");

/// What somebody with the role `edit` in `team-a` writes.
const ALLOWED: &str = "
writes a network
    create team-a:networks/red {spec: {}}
writes a subnet
    create team-a:subnets/web {spec: {networkRef: {name: red}, cidr: 10.0.0.0/24}}
writes a port
    create team-a:ports/a {spec: {networkRef: {name: red}}}
writes a router
    create team-a:routers/r {spec: {interfaces: [{subnetRef: {name: web}}]}}
writes a floating IP
    create team-a:floatingips/f {spec: {networkRef: {name: red}}}
writes a security group
    create team-a:securitygroups/g {spec: {rules: [{direction: Egress}]}}
changes a network that an operator made
    merge team-a:networks/given {spec: {mtu: 1400}}
reads grants
    get team-a:referencegrants
";

/// What is not theirs.
const FORBIDDEN: &str = r#"
puts a network on the wire | system:serviceaccount:team-a:dev may not use PhysicalNetwork public: ask an operator for the verb use on it, or leave provider and external out
    create team-a:networks/wired {spec: {provider: {physicalNetwork: public, type: Flat}}}
does so by VLAN | may not use PhysicalNetwork public
    create team-a:networks/wired {spec: {provider: {physicalNetwork: public, type: VLAN, vlan: 7}}}
makes an external network | may not use PhysicalNetworks at large, as an external Network without a provider needs
    create team-a:networks/out {spec: {external: true}}
makes its network external | may not use PhysicalNetworks at large
    merge team-a:networks/red {spec: {external: true}}
makes a network that an operator made external | may not use PhysicalNetwork other
    merge team-a:networks/given {spec: {external: true}}
writes the status of a Network | cannot patch resource "networks/status"
    merge team-a:networks/red/status {status: {vni: 1}}
writes the status of a Subnet | cannot patch resource "subnets/status"
    merge team-a:subnets/web/status {status: {free: 1}}
writes the status of a Port | cannot patch resource "ports/status"
    merge team-a:ports/a/status {status: {macAddress: "02:00:00:00:00:01"}}
writes the status of a Router | cannot patch resource "routers/status"
    merge team-a:routers/r/status {status: {gatewayNode: node-1}}
writes the status of a FloatingIP | cannot patch resource "floatingips/status"
    merge team-a:floatingips/f/status {status: {ip: 203.0.113.1}}
writes the status of a SecurityGroup | cannot patch resource "securitygroups/status"
    merge team-a:securitygroups/g/status {status: {ports: 1}}
lets others in | cannot create resource "referencegrants"
    create team-a:referencegrants/all {spec: {from: [{namespace: "*"}], to: [{kind: Network}]}}
makes a port in another namespace | cannot create resource "ports"
    create default:ports/a {spec: {networkRef: {name: blue}}}
reads another namespace | cannot list resource "networks"
    get default:networks
deletes another tenant's network | cannot delete resource "networks"
    delete default:networks/blue
makes a PhysicalNetwork | cannot create resource "physicalnetworks"
    create physicalnetworks/mine {spec: {attachments: [{interface: eth0}]}}
takes a value of a pool | cannot create resource "allocations"
    create allocations/vni.2 {spec: {pool: {kind: VNI, name: vni}, value: "2", owner: {kind: Network, name: red}}}
frees a value | cannot delete resource "allocations"
    delete allocations/vni.1
reads who has which value | cannot list resource "allocations"
    get allocations
makes an Agent | cannot create resource "agents"
    create agents/node-9 {spec: {}}
drains a node | cannot patch resource "agents"
    merge agents/node-1 {spec: {drain: true}}
takes the lead | cannot delete resource "leases"
    delete tenet-system:leases/tenet-controller
becomes an agent | cannot create resource "serviceaccounts/token"
    create tenet-system:serviceaccounts/tenet-agent/token {spec: {audiences: []}}
lifts a policy | cannot delete resource "validatingadmissionpolicies"
    delete validatingadmissionpolicies/tenet-provider-networks
"#;

/// The right to use the `PhysicalNetwork` named `public`, in one namespace.
const USE: &str = "
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: wire, namespace: team-a}
rules: [{apiGroups: [tenet.network], resources: [physicalnetworks], resourceNames: [public], verbs: [use]}]
";
/// What stays forbidden to whoever has it.
const ANOTHER_WIRE: &str = "
puts a network on another wire | may not use PhysicalNetwork other
    create team-a:networks/more {spec: {provider: {physicalNetwork: other, type: Flat}}}
makes an external network of no wire | may not use PhysicalNetworks at large
    create team-a:networks/more {spec: {external: true}}
";
const READS_ONLY: &str = r#"
deletes a port | cannot delete resource "ports"
    delete team-a:ports/a
"#;
const ADMINISTERS: &str = r#"
lets others in
    create team-a:referencegrants/all {spec: {from: [{namespace: "*"}], to: [{kind: Network}]}}
deletes a port
    delete team-a:ports/a
"#;

#[test]
fn a_tenant_writes_wishes_in_its_namespace_and_nothing_else() {
    let rights = Rights::start(WORLD);
    let tenant = rights.person("team-a", "dev", "edit");
    until("`edit` has what is ours", || tenant.ask("create team-a:networks/x", "{spec: {}}", true).is_ok());
    allowed(&tenant, ALLOWED);
    rights.refused(&tenant, FORBIDDEN);

    // An operator lets one namespace use one wire.
    rights.admin("create -f -", USE).expect_ok();
    rights.admin("create rolebinding wire -n team-a --role=wire --serviceaccount=team-a:dev", "").expect_ok();
    until("the right is known", || {
        let wired = "{spec: {external: true, provider: {physicalNetwork: public, type: Flat}}}";
        tenant.ask("create team-a:networks/wired", wired, false).is_ok()
    });
    rights.refused(&tenant, ANOTHER_WIRE);

    let (reader, head) = (rights.person("team-a", "reader", "view"), rights.person("team-a", "head", "admin"));
    until("`view` has what is ours", || reader.ask("get team-a:ports", "", false).is_ok());
    rights.refused(&reader, READS_ONLY);
    until("`admin` has what is ours", || head.ask("delete team-a:ports/a", "", true).is_ok());
    allowed(&head, ADMINISTERS);
}
