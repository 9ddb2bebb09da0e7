//! The controller's figures.

use crate::api::ConditionType;
use crate::cluster::figures::{Durations, Page, Writes};
use crate::model::Snapshot;

/// What is counted while it runs.
#[derive(Debug, Default)]
pub struct Figures {
    /// How long each look at the whole took.
    pub decided: Durations,
    /// What became of writes.
    pub writes: Writes,
}

impl Figures {
    /// All figures. `queued`: writes that wait or are on their way.
    #[must_use]
    pub fn page(&self, snapshot: &Snapshot, leads: bool, queued: usize) -> String {
        let mut page = Page::begin();
        page.gauge("tenet_controller_leader", "Whether this instance leads.").value(&[], u8::from(leads));
        page.durations("tenet_reconcile_duration_seconds", "From a change to what is to be written.", &self.decided);
        page.gauge("tenet_queue_depth", "Writes that wait or are on their way.").value(&[], queued);
        self.writes.put(&mut page);
        addresses(&mut page, snapshot);
        ports(&mut page, snapshot);
        let Snapshot { networks, subnets, routers, floating_ips, security_groups, .. } = snapshot;
        page.gauge("tenet_objects", "Objects by kind.")
            .value(&[("kind", "Network")], networks.len())
            .value(&[("kind", "Subnet")], subnets.len())
            .value(&[("kind", "Port")], snapshot.ports.len())
            .value(&[("kind", "Router")], routers.len())
            .value(&[("kind", "FloatingIP")], floating_ips.len())
            .value(&[("kind", "SecurityGroup")], security_groups.len());
        let heard = |agent: &&std::sync::Arc<crate::api::Agent>| {
            agent.status.as_ref().is_some_and(|status| ConditionType::Ready.holds(&status.conditions))
        };
        let ready = snapshot.agents.values().filter(heard).count();
        page.gauge("tenet_agents", "Agents by whether they are heard.")
            .value(&[("state", "ready")], ready)
            .value(&[("state", "silent")], snapshot.agents.len() - ready);
        page.text()
    }
}

fn addresses(page: &mut Page, snapshot: &Snapshot) {
    let mut family = page.gauge("tenet_subnet_addresses", "Addresses in the pools of each subnet.");
    for (key, subnet) in &snapshot.subnets {
        let Some(status) = &subnet.status else { continue };
        for (state, count) in [("allocated", &status.allocated), ("free", &status.free)] {
            if let Some(count) = count {
                family.value(&[("namespace", &key.namespace), ("subnet", &key.name), ("state", state)], count);
            }
        }
    }
}

fn ports(page: &mut Page, snapshot: &Snapshot) {
    let [mut unbound, mut bound, mut programmed, mut refused] = [0; 4];
    for port in snapshot.ports.values() {
        let conditions = port.status.as_ref().map_or(&[][..], |status| &status.conditions);
        let count = if ConditionType::Accepted.find(conditions).is_some_and(|c| c.status == "False") {
            &mut refused
        } else if port.status.as_ref().is_none_or(|status| status.binding.is_none()) {
            &mut unbound
        } else if ConditionType::Programmed.holds(conditions) {
            &mut programmed
        } else {
            &mut bound
        };
        *count += 1;
    }
    page.gauge("tenet_ports", "Ports by state: nobody plugged them; plugged; packets pass; not accepted.")
        .value(&[("state", "unbound")], unbound)
        .value(&[("state", "bound")], bound)
        .value(&[("state", "programmed")], programmed)
        .value(&[("state", "refused")], refused);
}
