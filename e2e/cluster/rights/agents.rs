//! What an agent may write, tried with the token that its pod would have.

use super::{Rights, WORLD, allowed};
use crate::support::until;

/// What the agent of `node-1` must not do.
const FORBIDDEN: &str = r#"
takes a port that is plugged on another node | Port default/theirs is plugged on node node-2: unplug it there first, or say with spec.nodeName that it moves to node-1
    merge default:ports/theirs/status {status: {binding: {nodeName: node-1, device: eth0}}}
the same by server-side apply | is plugged on node node-2
    apply default:ports/theirs/status {status: {binding: {nodeName: node-1, device: eth0}}}
the same by JSON patch | is plugged on node node-2
    json default:ports/theirs/status [{op: replace, path: /status/binding/nodeName, value: node-1}]
unplugs another node's port | is plugged on node node-2
    merge default:ports/theirs/status {status: {binding: null}}
speaks of another node's port | is plugged on node node-2
    apply default:ports/theirs/status {status: {conditions: [PROGRAMMED]}}
claims a free port for another node | Port default/free cannot be bound to node-2 by the agent of node-1: each claims for its own node
    merge default:ports/free/status {status: {binding: {nodeName: node-2, device: eth0}}}
gives its port to another node | cannot be bound to node-2 by the agent of node-1
    merge default:ports/mine/status {status: {binding: {nodeName: node-2, device: eth0}}}
claims a port that only another node may have | Port default/for-them is for node node-2 only (spec.nodeName): plug it there
    merge default:ports/for-them/status {status: {binding: {nodeName: node-1, device: eth0}}}
says that an address is at another node's port | is plugged on node node-2
    apply default:ports/theirs/status {status: {activePairs: [{ip: 10.0.0.100, macAddress: "02:00:00:00:00:04"}]}}
says that an address is at a port that nobody has plugged | activePairs of a Port are said by the node that it is plugged on
    merge default:ports/free/status {status: {activePairs: [{ip: 10.0.0.100, macAddress: "02:00:00:00:00:02"}]}}
prepares a port that nobody said moves here | Port default/theirs is prepared on the node that spec.migrationNodeName names, by that node alone, and on one: node-1 may not write status.migration or: is plugged on node node-2
    merge default:ports/theirs/status {status: {migration: {nodeName: node-1, device: tap0}}}
prepares a free port that nobody said moves here | may not write status.migration
    merge default:ports/free/status {status: {migration: {nodeName: node-1, device: tap0}}}
takes over a port that is to move here and is not prepared | is plugged on node node-2
    merge default:ports/named/status {status: {binding: {nodeName: node-1, device: tap0}}}
prepares and takes over in one | is plugged on node node-2
    merge default:ports/named/status {status: {migration: {nodeName: node-1, device: tap0}, binding: {nodeName: node-1, device: tap0}}}
says more of a port while it prepares it | is plugged on node node-2
    merge default:ports/named/status {status: {migration: {nodeName: node-1, device: tap0}, activePairs: [{ip: 10.0.0.100, macAddress: "02:00:00:00:00:04"}]}}
prepares a port for another node | may not write status.migration or: is plugged on node node-2
    merge default:ports/named/status {status: {migration: {nodeName: node-3, device: tap0}}}
takes over a port that is not to move here any more | is plugged on node node-2
    merge default:ports/unnamed/status {status: {binding: {nodeName: node-1, device: tap0}, migration: null}}
unplugs a port that it has prepared | is plugged on node node-2
    merge default:ports/prepared/status {status: {binding: null}}
gives a port that it has prepared to another | is plugged on node node-2
    merge default:ports/prepared/status {status: {binding: {nodeName: node-3, device: eth0}}}
prepares a port that is prepared elsewhere | may not write status.migration
    merge default:ports/elsewhere/status {status: {migration: {nodeName: node-1, device: tap0}}}
takes over a port that is prepared elsewhere | is plugged on node node-2
    merge default:ports/elsewhere/status {status: {binding: {nodeName: node-1, device: tap0}}}
says that its port is prepared elsewhere no more | may not write status.migration
    merge default:ports/going/status {status: {migration: null}}
takes an address | addresses, macAddress, mtu and networkUID of a Port are the controller's: an agent leaves them as they are
    merge default:ports/mine/status {status: {addresses: [{subnetRef: {name: web}, ip: 10.0.0.99}]}}
drops an address while it claims | of a Port are the controller's
    merge default:ports/free/status {status: {addresses: null, binding: {nodeName: node-1, device: eth0}}}
changes a MAC address | of a Port are the controller's
    merge default:ports/mine/status {status: {macAddress: "02:00:00:00:00:99"}}
changes an MTU | of a Port are the controller's
    merge default:ports/mine/status {status: {mtu: 9000}}
moves a port to another network | of a Port are the controller's
    merge default:ports/mine/status {status: {networkUID: other}}
says that a port is accepted | whether an object is Accepted, and what it refers to, is said by the controller alone
    apply default:ports/mine/status {status: {conditions: [ACCEPTED]}}
changes a port's spec | cannot patch resource "ports"
    merge default:ports/mine {spec: {nodeName: node-1}}
deletes a port | cannot delete resource "ports"
    delete default:ports/mine
creates a port | cannot create resource "ports"
    create default:ports/new {spec: {networkRef: {name: blue}}}
writes the status of a Network | cannot patch resource "networks/status"
    merge default:networks/blue/status {status: {vni: 99}}
writes the status of a Subnet | cannot patch resource "subnets/status"
    merge default:subnets/web/status {status: {free: 99}}
writes the status of a PhysicalNetwork | cannot patch resource "physicalnetworks/status"
    merge physicalnetworks/wire/status {status: {nodes: [node-1]}}
speaks of a router of another gateway | Router default/theirs is reported on by its gateway node (status.gatewayNode), which node-1 is not
    apply default:routers/theirs/status {status: {conditions: [PROGRAMMED]}}
makes itself a router's gateway | is reported on by its gateway node
    merge default:routers/theirs/status {status: {gatewayNode: node-1}}
gives its router away | interfaces, externalAddresses, vni and gateway nodes of a Router are the controller's
    merge default:routers/mine/status {status: {gatewayNode: node-2}}
takes an external address | of a Router are the controller's
    merge default:routers/mine/status {status: {externalAddresses: [203.0.113.99]}}
changes a router's segment | of a Router are the controller's
    merge default:routers/mine/status {status: {vni: 1}}
says who follows | of a Router are the controller's
    merge default:routers/mine/status {status: {nextGatewayNode: node-2}}
says that nobody hands over to it any more | of a Router are the controller's
    merge default:routers/mine/status {status: {formerGatewayNode: node-2}}
is ready though nobody asked | preparedNode of a Router is written by the node that is next
    merge default:routers/mine/status {status: {preparedNode: node-1}}
is ready for a router of others | is reported on by its gateway node
    merge default:routers/theirs/status {status: {preparedNode: node-1}}
says that another is ready | preparedNode of a Router is written by the node that is next
    merge default:routers/next/status {status: {preparedNode: node-2}}
speaks of a router before it has it | of a Router's conditions its gateway node speaks alone
    apply default:routers/next/status {status: {preparedNode: node-1, conditions: [PROGRAMMED]}}
makes itself the gateway that it is to be | of a Router are the controller's
    merge default:routers/next/status {status: {gatewayNode: node-1}}
takes another's word back | preparedNode of a Router is written by the node that is next
    merge default:routers/leaving/status {status: {preparedNode: null}}
speaks of a floating IP of another node | FloatingIP default/theirs is reported on by the node that translates it (status.nodeName), which node-1 is not
    apply default:floatingips/theirs/status {status: {conditions: [PROGRAMMED]}}
changes a floating IP's address | ip, routerRef and nodeName of a FloatingIP are the controller's
    merge default:floatingips/mine/status {status: {ip: 203.0.113.99}}
creates another node's Agent | Agent node-9 is of another node: the agent of node-1 writes its own only
    create agents/node-9 {spec: {}}
creates its Agent with a spec | the spec of an Agent is the operator's
    create agents/node-1 {spec: {gateway: true}}
writes another Agent's status | Agent node-2 is of another node
    merge agents/node-2/status {status: {ports: 0}}
drains another node | cannot patch resource "agents"
    merge agents/node-2 {spec: {drain: true}}
deletes an Agent | cannot delete resource "agents"
    delete agents/node-2
takes the leader's Lease | cannot update resource "leases" in API group "coordination.k8s.io" in the namespace "tenet-system"
    replace tenet-system:leases/tenet-controller {spec: {holderIdentity: node-1}}
shows another node's heartbeat | Lease tenet-agents/node-2 is not the heartbeat of node-1: an agent writes its own only
    replace tenet-agents:leases/node-2 {spec: {holderIdentity: node-1}}
makes a heartbeat for another node | Lease tenet-agents/node-9 is not the heartbeat of node-1
    create tenet-agents:leases/node-9 {spec: {holderIdentity: node-9}}
makes a Lease elsewhere | cannot create resource "leases"
    create default:leases/node-1 {spec: {holderIdentity: node-1}}
ends a heartbeat | cannot delete resource "leases"
    delete tenet-agents:leases/node-2
takes a value of a pool | cannot create resource "allocations"
    create allocations/vni.2 {spec: {pool: {kind: VNI, name: vni}, value: "2", owner: {kind: Network, name: blue}}}
frees a value | cannot delete resource "allocations"
    delete allocations/vni.1
reads who has which value | cannot list resource "allocations"
    get allocations
reads a Secret | cannot get resource "secrets"
    get default:secrets/secret
labels its Node | cannot patch resource "nodes"
    merge nodes/node-1 {metadata: {labels: {a: b}}}
reads pods | cannot list resource "pods"
    get pods
makes itself a controller's token | cannot create resource "serviceaccounts/token"
    create tenet-system:serviceaccounts/tenet-controller/token {spec: {audiences: []}}
lifts a policy | cannot delete resource "validatingadmissionpolicybindings"
    delete validatingadmissionpolicybindings/tenet-agent-ports
"#;

/// What it must be able to do, in this order.
const ALLOWED: &str = r"
claims a free port
    merge default:ports/free/status {status: {binding: {nodeName: node-1, device: eth0}}}
unplugs it again
    merge default:ports/free/status {status: {binding: null}}
claims by server-side apply
    apply default:ports/free/status {status: {binding: {nodeName: node-1, device: eth0}, conditions: [PROGRAMMED]}}
takes over what is said to move here
    merge default:ports/coming/status {status: {binding: {nodeName: node-1, device: eth0}}}
lets go of what is for another node now
    merge default:ports/leaving/status {status: {binding: null}}
prepares what is to move here
    merge default:ports/named/status {status: {migration: {nodeName: node-1, device: tap0}}}
prepares it no more
    merge default:ports/named/status {status: {migration: null}}
takes over what it has prepared
    merge default:ports/prepared/status {status: {binding: {nodeName: node-1, device: tap0}, migration: null}}
takes back what it has prepared though it is not to move here any more
    merge default:ports/unnamed/status {status: {migration: null}}
speaks of its port while another prepares it
    apply default:ports/going/status {status: {binding: {nodeName: node-1, device: eth0}, conditions: [PROGRAMMED]}}
lets go of its port while another prepares it
    merge default:ports/going/status {status: {binding: null}}
says that an address is at its port
    apply default:ports/mine/status {status: {binding: {nodeName: node-1, device: eth0}, activePairs: [{ip: 10.0.0.100, macAddress: '02:00:00:00:00:03', transitions: 2}]}}
takes that back
    apply default:ports/mine/status {status: {binding: {nodeName: node-1, device: eth0}}}
speaks of a router that it translates for
    apply default:routers/mine/status {status: {conditions: [PROGRAMMED]}}
is ready to follow
    merge default:routers/next/status {status: {preparedNode: node-1}}
is ready no more
    merge default:routers/next/status {status: {preparedNode: null}}
takes its word back though nobody asks any more
    merge default:routers/undone/status {status: {preparedNode: null}}
takes its word back once it has taken over
    merge default:routers/taken/status {status: {preparedNode: null}}
speaks of a floating IP that it translates
    apply default:floatingips/mine/status {status: {conditions: [PROGRAMMED]}}
makes its Agent
    create agents/node-1 {spec: {}}
writes its status
    merge agents/node-1/status {status: {ports: 1}}
begins its heartbeat
    create tenet-agents:leases/node-1 {spec: {holderIdentity: node-1, leaseDurationSeconds: 20}}
goes on with it
    replace tenet-agents:leases/node-1 {spec: {holderIdentity: node-1, leaseDurationSeconds: 2}}
reads its Node
    get nodes/node-1
";

/// What it must not do to its own.
const OWN: &str = r#"
lets another hold its heartbeat | the heartbeat of a node is held by its own agent
    replace tenet-agents:leases/node-1 {spec: {holderIdentity: node-2}}
changes its Agent's spec | cannot patch resource "agents"
    merge agents/node-1 {spec: {gateway: true}}
deletes its Agent | cannot delete resource "agents"
    delete agents/node-1
"#;

/// The same account without a node.
const NOWHERE: &str = "
has no node and unplugs | the token of this agent names no node: use one that is bound to a Pod or a Node
    merge default:ports/mine/status {status: {binding: null}}
has no node and claims | the token of this agent names no node
    merge default:ports/free/status {status: {binding: {nodeName: node-1, device: eth0}}}
";

/// What the policies refuse even if somebody gives agents every right there is. Of two that refuse, either may speak.
const WITH_EVERY_RIGHT: &str = "
writes the status of a Network | an agent creates its Agent and writes statuses of Ports, Routers, FloatingIPs and of its Agent, nothing else
    merge default:networks/blue/status {status: {vni: 99}}
changes a port's spec | nothing else
    merge default:ports/mine {spec: {nodeName: node-1}}
deletes a port | nothing else
    delete default:ports/mine
takes a value of a pool | nothing else
    create allocations/vni.2 {spec: {pool: {kind: VNI, name: vni}, value: '2', owner: {kind: Network, name: blue}}}
drains another node | nothing else or: is of another node: the agent of node-1 writes its own only
    merge agents/node-2 {spec: {drain: true}}
ends another node's heartbeat | is not the heartbeat of node-1
    delete tenet-agents:leases/node-2
takes the leader's Lease | Lease tenet-system/tenet-controller is not the heartbeat of node-1
    replace tenet-system:leases/tenet-controller {spec: {holderIdentity: node-1}}
";

/// A write of a status that carries metadata, too.
const METADATA: &str = "
writes metadata with a status
    merge default:ports/mine/status {metadata: {labels: {a: b}, finalizers: [a.b/c], ownerReferences: [OWNER]}}
";

#[test]
fn an_agent_writes_what_its_node_does_and_nothing_else() {
    let rights = Rights::start(WORLD);
    let (agent, _) = (rights.agent("node-1"), rights.agent("node-2"));
    rights.refused(&agent, FORBIDDEN);
    rights.refused(&rights.account("tenet-system", "tenet-agent"), NOWHERE);

    // Nothing is tied to an object, and nothing is cut off it, through its status (CVE-2025-5187).
    allowed(&agent, METADATA);
    let port = agent.ask("get default:ports/mine", "", false).unwrap();
    for field in ["labels", "finalizers", "ownerReferences"] {
        assert!(port["metadata"][field].is_null(), "{port}");
    }

    allowed(&agent, ALLOWED);
    rights.refused(&agent, OWN);

    let everything =
        "create clusterrolebinding all --clusterrole=cluster-admin --serviceaccount=tenet-system:tenet-agent";
    rights.admin(everything, "").expect_ok();
    until("it has every right", || agent.ask("get default:secrets", "", false).is_ok());
    rights.refused(&agent, WITH_EVERY_RIGHT);

    rights.admin("delete node node-1", "").expect_ok();
    until("the token of a node that is gone is good for nothing", || {
        agent.ask("get default:ports/mine", "", false) == Err("Unauthorized".into())
    });
}
