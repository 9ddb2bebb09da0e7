//! Faults under traffic: a numbered packet every millisecond between pods, while what serves them falls.

use crate::bed::Bed;
use crate::support::Guest;

mod agents;
mod nodes;
mod outage;
mod storm;
mod traces;

/// A network that lets everything pass, and a Port that lets nobody in.
pub const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/22}
SecurityGroup default {rules: [{direction: Ingress}, {direction: Egress}]}
SecurityGroup nobody {rules: [{direction: Egress}]}
Port closed {networkRef: {name: blue}, addresses: [{ip: 10.0.0.66}], securityGroupRefs: [{name: nobody}]}";

/// Annotations of a pod on that network.
pub const BLUE: &str = "{tenet.network/networks: blue}";

/// The address of a Port.
pub fn address(bed: &Bed, port: &str) -> String {
    bed.get("tport", port)["status"]["addresses"][0]["ip"].as_str().expect("the Port has an address").to_owned()
}

/// Pods that talk: one to a neighbour on its node, to one on another node, and to one that lets nobody in.
pub struct Talk {
    from: Guest,
    allowed: Vec<(&'static str, Guest, String)>,
    denied: Guest,
}

impl Talk {
    /// Makes the pods `one` and `near` on node 1, `far` and `shut` on node 2, and waits until they talk.
    pub fn begin(bed: &Bed) -> Self {
        bed.apply(WORLD);
        for (name, node) in [("one", 1), ("near", 1), ("far", 2)] {
            bed.pod(name, node, BLUE);
        }
        bed.pod("shut", 2, "{tenet.network/ports: closed}");
        bed.wait("pod one near far shut", "Ready");
        let talk = Self {
            from: bed.station("one"),
            allowed: ["near", "far"].map(|pod| (pod, bed.station(pod), address(bed, &format!("{pod}-net1")))).into(),
            denied: bed.station("shut"),
        };
        talk.allowed.iter().for_each(|(.., ip)| talk.from.wait_pings(ip));
        talk
    }

    /// Waits until an address answers.
    #[track_caller]
    pub fn wait_pings(&self, ip: &str) {
        self.from.wait_pings(ip);
    }

    /// What may pass loses no packet during a fault, and what may not delivers none.
    #[track_caller]
    pub fn outlives(&self, fault: &str, happens: impl FnOnce()) {
        let flows: Vec<_> = self.allowed.iter().map(|(pod, to, ip)| (pod, self.from.stream_to(to, ip))).collect();
        let denied = self.from.stream_to(&self.denied, "10.0.0.66");
        happens();
        for (pod, flow) in flows {
            let (sent, lost) = flow.end();
            println!("{fault}: {sent} packets to the pod `{pod}`, {lost} lost");
            assert_eq!(lost, 0, "{fault}: packets to the pod `{pod}`");
        }
        let (sent, lost) = denied.end();
        assert_eq!(sent - lost, 0, "{fault}: packets came where nobody is let in");
    }
}

/// A new pod on a node gets its network.
#[track_caller]
pub fn can_begin(bed: &Bed, node: usize, to: &str) {
    bed.pod("new", node, BLUE);
    bed.wait("pod new", "Ready");
    bed.station("new").wait_pings(to);
    bed.kubectl("delete pod new --wait --grace-period=1");
}
