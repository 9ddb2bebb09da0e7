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
makes a port that nobody owns | that a Pod owns, and no others
    create default:ports/loose {spec: {networkRef: {name: blue}}}
makes a port that something else owns | that a Pod owns, and no others
    create default:ports/loose {metadata: {ownerReferences: [OWNER]}, spec: {networkRef: {name: blue}}}
makes a port that a Pod does not own alone | that a Pod owns, and no others
    create default:ports/loose {metadata: {ownerReferences: [MAKER, OWNER]}, spec: {networkRef: {name: blue}}}
makes a port that a Pod holds only | that a Pod owns, and no others
    create default:ports/loose {metadata: {ownerReferences: [{apiVersion: v1, kind: Pod, name: a, uid: u}]}, spec: {networkRef: {name: blue}}}
chooses the address of a Pod's port | says the network, and nothing else
    create default:ports/loose {metadata: {ownerReferences: [MAKER]}, spec: {networkRef: {name: blue}, addresses: [{ip: 10.0.0.9}]}}
takes the filter off a Pod's port | says the network, and nothing else
    create default:ports/loose {metadata: {ownerReferences: [MAKER]}, spec: {networkRef: {name: blue}, portSecurity: false}}
deletes a user's port | that a Pod owns, and no others
    delete default:ports/mine
changes what runs in a Pod | network-status, and nothing else
    json default:pods/web [{op: replace, path: /spec/containers/0/image, value: other}]
writes another annotation of a Pod | network-status, and nothing else
    merge default:pods/web {metadata: {annotations: {a.b/c: d}}}
removes an annotation of a Pod | network-status, and nothing else
    merge default:pods/web {metadata: {annotations: {tenet.network/networks: null}}}
changes an annotation of a Pod | network-status, and nothing else
    merge default:pods/web {metadata: {annotations: {tenet.network/networks: red}}}
labels a Pod | network-status, and nothing else
    merge default:pods/web {metadata: {labels: {a: b}}}
keeps a Pod | network-status, and nothing else
    merge default:pods/web {metadata: {finalizers: [a.b/c]}}
gives a Pod away | network-status, and nothing else
    merge default:pods/web {metadata: {ownerReferences: [OWNER]}}
says that a Pod has failed | cannot patch resource "pods/status"
    merge default:pods/web/status {status: {phase: Failed}}
deletes a Pod | cannot delete resource "pods"
    delete default:pods/web
makes a Pod | cannot create resource "pods"
    create default:pods/more {spec: {containers: [{name: c, image: i}]}}
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
makes a Pod's port
    create default:ports/web-net1 {metadata: {ownerReferences: [MAKER], annotations: {tenet.network/interface: net1}}, spec: {networkRef: {name: blue}}}
deletes it
    delete default:ports/web-net1
says on a Pod what came of it
    merge default:pods/web {metadata: {annotations: {k8s.v1.cni.cncf.io/network-status: '[]'}}}
says it anew
    merge default:pods/web {metadata: {annotations: {k8s.v1.cni.cncf.io/network-status: '[{}]'}}}
takes it back
    merge default:pods/web {metadata: {annotations: {k8s.v1.cni.cncf.io/network-status: null}}}
tells of a Pod
    create default:events/web.1 {regarding: {apiVersion: v1, kind: Pod, namespace: default, name: web}, eventTime: '2026-01-01T00:00:00.000000Z', action: Reconcile, reason: Invalid, type: Warning, note: No., reportingController: tenet.network/tenet-controller, reportingInstance: one}
";

#[test]
fn the_controller_writes_statuses_and_its_finalizer_and_nothing_else_of_what_users_write() {
    let rights = Rights::start(WORLD);
    let controller = rights.account("tenet-system", "tenet-controller");
    rights.refused(&controller, FORBIDDEN);
    allowed(&controller, ALLOWED);
}
