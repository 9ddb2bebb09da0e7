//! What fails in a cluster, and what must not: each test says which fault it makes, `FAULTS.md` beside says which are made
//! nowhere. Bigger sizes and longer times with `TENET_SOAK=1`.

pub mod audit;
mod churn;
mod clock;
mod cold;
mod compaction;
mod conflicts;
mod crowd;
mod ends;
mod etcd;
mod junk;
mod kernel;
mod leaders;
mod lists;
mod namespaces;
mod node;
mod outage;
mod panic;
pub mod proxy;
mod server;
mod tokens;
mod unlisted;
pub mod writes;

use std::time::Duration;

use crate::flow::Flow;
use crate::nodes::Cluster;
use crate::support::{Guest, ip};

/// The bigger of two sizes when there is time.
pub fn sized<T>(quick: T, soak: T) -> T {
    if std::env::var_os("TENET_SOAK").is_some_and(|set| set == "1") { soak } else { quick }
}

const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Network red
Subnet same {networkRef: {name: red}, cidr: 10.0.0.0/24}
Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}]}
Port b {networkRef: {name: blue}, addresses: [{ip: 10.0.0.12}]}
Port c {networkRef: {name: blue}, addresses: [{ip: 10.0.0.13}]}
Port x {networkRef: {name: red}, addresses: [{ip: 10.0.0.99}]}
SecurityGroup shut {rules: [{direction: Egress}]}
Port shut {networkRef: {name: blue}, addresses: [{ip: 10.0.0.14}], securityGroupRefs: [{name: shut}]}
PhysicalNetwork wire {attachments: [{interface: br-ext}]}
Network public {external: true, provider: {physicalNetwork: wire, type: Flat}}
Subnet outside {networkRef: {name: public}, cidr: 203.0.113.0/24, gatewayIP: 203.0.113.1, allocationPools: [{start: 203.0.113.10, end: 203.0.113.99}]}
Router r {interfaces: [{subnetRef: {name: web}}], externalGateway: {networkRef: {name: public}}}";

/// Guests on two nodes and an outside: `a` and `c` of one network on the first, `b` of it on the second, with `shut`, whose group
/// lets nobody in; `x` of another network with the same addresses beside `a`.
struct World {
    cluster: Cluster,
    a: Guest,
    b: Guest,
    c: Guest,
    shut: Guest,
    x: Guest,
    outside: Guest,
}

/// Packets under way.
struct Flows {
    allowed: Vec<(&'static str, Flow)>,
    denied: Vec<(&'static str, Flow)>,
}

impl World {
    fn start(flags: &[&str]) -> Self {
        let cluster = Cluster::start_with(2, flags);
        let outside = cluster.wire(&[1, 2]);
        cluster.apply(WORLD);
        cluster.wait("trtr/r", "Ready");
        let [a, b, c, shut, x] =
            [(1, "a"), (2, "b"), (1, "c"), (2, "shut"), (1, "x")].map(|(node, port)| cluster.guest(node, port));
        // It knows where to send what must not arrive.
        let mac = b.run("cat /sys/class/net/eth0/address").expect_ok();
        x.ip(&format!("neigh replace 10.0.0.12 lladdr {} dev eth0", mac.trim()));
        let world = Self { cluster, a, b, c, shut, x, outside };
        world.passes();
        world
    }

    /// Waits until all that may pass does.
    fn passes(&self) {
        for to in ["10.0.0.12", "10.0.0.13", "203.0.113.1"] {
            self.a.wait_pings(to);
        }
        self.b.wait_pings("203.0.113.1");
        self.shut.wait_pings("10.0.0.11");
    }

    /// Starts a packet a millisecond on each way.
    fn flows(&self) -> Flows {
        let allowed = vec![
            ("on a node", Flow::start(&self.a, &self.c, "10.0.0.13")),
            ("between nodes", Flow::start(&self.a, &self.b, "10.0.0.12")),
            ("to the outside", Flow::start(&self.b, &self.outside, "203.0.113.1")),
        ];
        let denied = vec![
            ("between networks", Flow::start(&self.x, &self.b, "10.0.0.12")),
            ("to who lets nobody in, on a node", Flow::start(&self.b, &self.shut, "10.0.0.14")),
            ("to who lets nobody in, between nodes", Flow::start(&self.a, &self.shut, "10.0.0.14")),
        ];
        Flows { allowed, denied }
    }

    /// What both nodes hold.
    fn kernel(&self) -> Vec<String> {
        self.cluster.nodes.iter().map(crate::nodes::Node::kernel).collect()
    }

    /// The node that translates.
    fn gateway(&self) -> String {
        self.cluster.get("trtr", "r")["status"]["gatewayNode"].as_str().unwrap().to_owned()
    }

    /// A port that is made now is served on the second node.
    fn serves(&self, port: &str) {
        self.cluster.apply(&format!("Port {port} {{networkRef: {{name: blue}}}}"));
        self.cluster.guest(2, port).wait_pings("10.0.0.11");
    }
}

impl Flows {
    /// Ends them: what may pass has lost nothing, what may not has not arrived.
    #[track_caller]
    fn hold(self) {
        self.hold_but(&[]);
    }

    /// As [`Self::hold`], but for flows that the fault itself stops.
    #[track_caller]
    fn hold_but(self, stopped: &[&str]) {
        for (way, flow) in self.allowed {
            let counted = flow.end();
            println!("{way}: {counted:?}");
            assert!(counted.sent > 500 && counted.doubled == 0, "{way}: {counted:?}");
            assert!(counted.lost == 0 || stopped.contains(&way), "{way}: {counted:?}");
        }
        for (way, flow) in self.denied {
            let counted = flow.end();
            assert_eq!(counted.sent - counted.lost, 0, "{way}: {counted:?}");
        }
    }
}

/// Something in the kernel that is none of ours, so that agents hear of a change.
fn disturb(node: &crate::nodes::Node, name: &str) {
    node.station().ip(&format!("link add {name} type veth peer name {name}p"));
    for space in node.run(&format!("find {} -maxdepth 1 -type f", node.run_dir().display())).out.lines() {
        node.run(&format!("nsenter --net={space} ip link add {name} type veth peer name {name}p"));
        node.run(&format!("nsenter --net={space} ip link del {name}"));
    }
    std::thread::sleep(Duration::from_millis(200));
    ip(&format!("-n {} link del {name}", node.name));
}
