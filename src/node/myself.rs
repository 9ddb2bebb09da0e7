//! What an agent says of its own node.

use std::collections::BTreeMap;
use std::net::IpAddr;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use crate::api::{Agent, AgentFailure, AgentKernel, AgentStatus, Condition, ConditionType, Reason};
use crate::model::{Id, Kind, NodeView, Remark, Report};

/// An API object has room for so many failures.
const FAILURES: usize = 64;
/// The longest message, characters.
const MESSAGE: usize = 1024;

/// What stays the same while the agent runs.
#[derive(Clone, Debug)]
pub struct Myself {
    /// Name of the node.
    pub node: String,
    /// Address at which other nodes reach its tunnels.
    pub tunnel: IpAddr,
    /// MTU of the way there, bytes.
    pub mtu: u32,
    /// The kernel.
    pub kernel: AgentKernel,
}

impl Myself {
    /// What the Agent's status is to say; none: it says so already.
    #[must_use]
    pub fn status(
        &self,
        recorded: Option<&Agent>,
        view: &NodeView,
        report: &Report,
        unreachable: impl Iterator<Item = AgentFailure>,
        ports: usize,
        now: Timestamp,
    ) -> Option<AgentStatus> {
        let attached = view.physical_networks.keys();
        let attached =
            attached.filter(|key| !report.faults.contains_key(&Id::new(Kind::PhysicalNetwork, (*key).clone())));
        let before = recorded.and_then(|agent| agent.status.as_ref());
        let mut status = AgentStatus {
            tunnel_address: Some(self.tunnel),
            tunnel_mtu: Some(self.mtu),
            physical_networks: attached.map(|key| key.name.to_string()).collect(),
            kernel: Some(self.kernel.clone()),
            version: Some(env!("CARGO_PKG_VERSION").into()),
            ports: i64::try_from(ports).ok(),
            failures: unreachable
                .chain(failures(&report.faults))
                .chain(failures(&report.remarks))
                .take(FAILURES)
                .collect(),
            conditions: Vec::new(),
        };
        let was = before.and_then(|s| ConditionType::Ready.find(&s.conditions));
        let since = was.filter(|c| c.status == "True").map_or(Time(now), |c| c.last_transition_time.clone());
        status.conditions.push(Condition {
            type_: ConditionType::Ready.to_string(),
            status: "True".into(),
            reason: Reason::Ready.to_string(),
            message: "The agent runs.".into(),
            observed_generation: recorded.and_then(|agent| agent.metadata.generation),
            last_transition_time: since,
        });
        (before != Some(&status)).then_some(status)
    }
}

/// Kinds that no node speaks of itself: the controller hears of their failures here.
fn failures(list: &BTreeMap<Id, Remark>) -> impl Iterator<Item = AgentFailure> {
    let others = |(id, _): &(&Id, &Remark)| !matches!(id.kind, Kind::Port | Kind::FloatingIP);
    list.iter().filter(others).map(|(id, remark)| AgentFailure {
        kind: id.kind.to_string(),
        namespace: id.kind.namespaced().then(|| id.key.namespace.to_string()),
        name: id.key.name.to_string(),
        reason: remark.reason,
        message: remark.message.chars().take(MESSAGE).collect(),
    })
}
