//! The controller dies at each write it makes, three ways each; the next one finishes what it began.

use std::time::{Duration, Instant};

use super::audit;
use super::proxy::{FORMS, Form, Proxy};
use super::sized;
use crate::nodes::Cluster;
use crate::support::until;

const OUTSIDE: &str = "
PhysicalNetwork wire {attachments: [{interface: br-ext}]}
Network public {external: true, provider: {physicalNetwork: wire, type: Flat}}
Subnet outside {networkRef: {name: public}, cidr: 203.0.113.0/24, gatewayIP: 203.0.113.1}";

const WORLD: &str = "
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Port a {networkRef: {name: blue}}
Port b {networkRef: {name: blue}}
Router r {interfaces: [{subnetRef: {name: web}}], externalGateway: {networkRef: {name: public}}}
FloatingIP f {networkRef: {name: public}, portRef: {name: a}}";

pub struct Trial {
    /// What it dies in.
    pub cluster: Cluster,
    proxy: Proxy,
    lives: usize,
}

impl Trial {
    /// A cluster whose controller is to die.
    pub fn start(cluster: Cluster) -> Self {
        let proxy = Proxy::start(&cluster, cluster.kubeconfig());
        let mut trial = Self { cluster, proxy, lives: 0 };
        trial.cluster.kill_controller(0);
        trial.live();
        trial
    }

    fn live(&mut self) {
        self.cluster.start_controller_with(&self.proxy.kubeconfig, &["--identity", "one"]);
        self.lives += 1;
    }

    /// Does something of which the controller is to die at its `nth` write. Whether it did; if so, another lives.
    pub fn dies(&mut self, nth: usize, form: Form, what: impl Fn(&Cluster), done: impl Fn(&Cluster) -> bool) -> bool {
        self.proxy.arm(self.cluster.controller_pid(self.lives), nth, form);
        what(&self.cluster);
        let mut calm: Option<Instant> = None;
        let died = loop {
            if self.cluster.has_no_controller(self.lives) {
                break true;
            }
            if !done(&self.cluster) {
                calm = None;
            } else if calm.get_or_insert_with(Instant::now).elapsed() > Duration::from_millis(1200) {
                break false;
            }
        };
        let seen = self.proxy.disarm();
        println!("write {nth}, {form:?}: {} of {seen}", if died { "died" } else { "lived" });
        if died {
            self.live();
            until("the next controller finishes it", || done(&self.cluster));
        }
        audit::balances(&self.cluster);
        died
    }
}

/// All has what it is to have.
fn given(cluster: &Cluster) -> bool {
    let get = |what: &str, path: &str| cluster.kubectl(&format!("get {what} -o jsonpath={path}"));
    let ready = get("tport/a tport/b", "{.items[*].status.conditions[?(@.type==\"Ready\")].status}") == "True True";
    ready && !get("tfip/f", "{.status.ip}").is_empty() && !get("trtr/r", "{.status.externalAddresses}").is_empty()
}

fn gone(cluster: &Cluster) -> bool {
    // The outside lasts, and locks nothing.
    let left = cluster.kubectl("get tport,tsub,tnet,trtr,tfip -o name");
    let locks = cluster.kubectl("get allocations -o jsonpath={.items[*].spec.owner.name}");
    left.lines().filter(|line| line.contains('/')).count() == 2 && locks.trim().is_empty()
}

#[test]
fn a_controller_that_is_killed_at_any_write_leaves_nothing_double_and_nothing_behind() {
    let cluster = Cluster::start(0);
    cluster.apply(OUTSIDE);
    let mut trial = Trial::start(cluster);
    let all: Vec<usize> = (1..).take(sized(0, 60)).collect();
    let nths = if all.is_empty() { vec![1, 2, 4, 6, 8, 11, 14, 60] } else { all };
    for (round, nth) in nths.into_iter().enumerate() {
        let mut died = false;
        // Quickly, each write dies one way, and another one when all is deleted.
        let forms = sized(FORMS[round % 3..=round % 3].to_vec(), FORMS.to_vec());
        for form in forms {
            let delete = |cluster: &Cluster| {
                cluster.kubectl("delete --wait=false tport/a tport/b tfip/f trtr/r tsub/web tnet/blue");
            };
            died |= trial.dies(nth, form, |cluster| cluster.apply(WORLD), given);
            died |= trial.dies(nth, FORMS[(round + 1) % 3], delete, gone);
        }
        if !died {
            assert!(nth > 8, "a world of six objects takes more writes than that");
            return;
        }
    }
    panic!("it still dies: more writes than anybody would have thought");
}
