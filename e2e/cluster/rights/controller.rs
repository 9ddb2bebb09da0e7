//! What the controller may write, though it holds the whole.

use super::{Rights, WORLD, allowed};

const FORBIDDEN: &str = r#"
changes a spec | the controller changes its own finalizer and nothing else of what users write
    merge default:networks/blue {spec: {mtu: 1300}}
writes a label | its own finalizer and nothing else
    merge default:networks/blue {metadata: {labels: {a: b}}}
adds another's finalizer | its own finalizer and nothing else
    merge default:routers/mine {metadata: {finalizers: [a.b/c]}}
changes a security group | its own finalizer and nothing else
    merge default:securitygroups/web {spec: {rules: []}}
changes a port | cannot patch resource "ports"
    merge default:ports/mine {spec: {nodeName: node-1}}
deletes a network | cannot delete resource "networks"
    delete default:networks/blue
drains a node | cannot patch resource "agents"
    merge agents/node-2 {spec: {drain: true}}
changes an Allocation | cannot patch resource "allocations"
    merge allocations/vni.1 {metadata: {labels: {a: b}}}
ends a heartbeat | cannot delete resource "leases"
    delete tenet-agents:leases/node-2
takes another Lease of its namespace | cannot update resource "leases"
    replace tenet-system:leases/another {spec: {holderIdentity: me}}
reads a Secret | cannot get resource "secrets"
    get default:secrets/secret
"#;

const ALLOWED: &str = "
adds its finalizer
    merge default:networks/blue {metadata: {finalizers: [tenet.network/in-use]}}
removes it
    merge default:networks/blue {metadata: {finalizers: []}}
writes a status
    merge default:ports/mine/status {status: {mtu: 1400}}
says how many ports a group has
    merge default:securitygroups/web/status {status: {ports: 1}}
keeps a group that ports are in
    merge default:securitygroups/web {metadata: {finalizers: [tenet.network/in-use]}}
takes a port back
    merge default:ports/theirs/status {status: {binding: null}}
says that a node is silent
    merge agents/node-2/status {status: {conditions: [PROGRAMMED]}}
frees a value
    delete allocations/vni.1
leads
    replace tenet-system:leases/tenet-controller {spec: {holderIdentity: two}}
looks for nodes
    get nodes
looks for pods
    get pods
";

#[test]
fn the_controller_writes_statuses_and_its_finalizer_and_nothing_else_of_what_users_write() {
    let rights = Rights::start(WORLD);
    let controller = rights.account("tenet-system", "tenet-controller");
    rights.refused(&controller, FORBIDDEN);
    allowed(&controller, ALLOWED);
}
