//! An agent's figures.

use std::time::Duration;

use super::api::Failure;
use super::world::World;
use crate::agent::Outcome;
use crate::agent::node::Node;
use crate::cluster::figures::{Durations, Page, Writes};
use crate::cluster::probes::{Asked, Question};
use crate::cluster::write::Done;
use crate::model::{Kind, NodeView, Report};

/// What is counted while it runs.
#[derive(Debug, Default)]
pub struct Figures {
    /// How long each convergence took.
    converged: Durations,
    changes: u64,
    failures: u64,
    /// How long guests waited to be plugged.
    plugged: Durations,
    not_plugged: u64,
    writes: Writes,
}

impl Figures {
    /// Counts a write.
    pub fn ended(&mut self, ended: &Result<Done, Failure>) {
        *match ended {
            Ok(_) => &mut self.writes.written,
            Err(Failure::Conflict) => &mut self.writes.conflicts,
            Err(Failure::Refused(_) | Failure::Unreachable(_)) => &mut self.writes.failed,
        } += 1;
    }

    /// Counts a convergence.
    pub fn converged(&mut self, took: Duration, outcome: &Outcome) {
        self.converged.add(took);
        self.changes += u64::try_from(outcome.changes).unwrap_or(u64::MAX);
        self.failures += u64::try_from(outcome.report.faults.len()).unwrap_or(u64::MAX);
    }

    /// Counts a request to plug a guest.
    pub fn served(&mut self, passed: Option<Duration>) {
        match passed {
            Some(took) => self.plugged.add(took),
            None => self.not_plugged += 1,
        }
    }

    /// All figures. `plugged`: ports that are; `lost`: how often the kernel could not tell all its news.
    #[must_use]
    pub fn page(&self, view: &NodeView, report: &Report, plugged: usize, lost: u64) -> String {
        let mut page = Page::begin();
        page.durations("tenet_reconcile_duration_seconds", "From a change to the kernel being so.", &self.converged);
        page.counter("tenet_kernel_changes_total", "Changes made to the kernel.").value(&[], self.changes);
        page.counter("tenet_apply_failures_total", "Objects that a convergence could not make so, each time.")
            .value(&[], self.failures);
        let waited = "From a request to plug a guest, by a network plugin or by hand, to packets passing.";
        page.durations("tenet_plug_duration_seconds", waited, &self.plugged);
        let never = "Requests to plug a guest that were refused, or given up before packets passed.";
        page.counter("tenet_plug_failures_total", never).value(&[], self.not_plugged);
        page.counter(
            "tenet_kernel_notifications_lost_total",
            "How often the kernel dropped news; all is read again then.",
        )
        .value(&[], lost);
        self.writes.put(&mut page);
        let failed = report.faults.keys().filter(|id| id.kind == Kind::Port).count();
        page.gauge("tenet_node_ports", "Ports plugged here by state: packets pass, or they cannot be wired.")
            .value(&[("state", "programmed")], plugged.saturating_sub(failed))
            .value(&[("state", "failed")], failed);
        page.gauge("tenet_node_objects", "What this node has of others: networks and routers by kind.")
            .value(&[("kind", "Network")], view.networks.len())
            .value(&[("kind", "Router")], view.routers.len());
        page.gauge("tenet_node_faults", "Objects that this node cannot make so now.").value(&[], report.faults.len());
        page.text()
    }
}

impl<N: Node> World<N> {
    /// Answers a probe. `lost`: how often the kernel could not tell all its news.
    pub fn answer(&self, Asked { question, answer }: Asked, lost: u64) {
        let text = match question {
            Question::Healthy => Ok("ok\n".into()),
            Question::Ready if self.figures.converged.count() > 0 => Ok("ok\n".into()),
            Question::Ready => Err("not all objects have been read from the API server yet".into()),
            Question::Figures => {
                let plugged = self.node.attachments().len();
                Ok(self.figures.page(&self.view, &self.report, plugged, lost))
            }
        };
        // Who asked may be gone.
        drop(answer.send(text));
    }
}
