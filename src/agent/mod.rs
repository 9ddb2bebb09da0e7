//! The node side: converges one node to its view and reports.

use std::os::fd::BorrowedFd;
use std::path::PathBuf;

use crate::dataplane::attachment::{Attachments, Target};
use crate::dataplane::plan::Plan;
use crate::model::{Key, NodeView, Report, Uid};

/// Where an agent keeps things.
#[derive(Clone, Debug)]
pub struct Options {
    /// Directory of the control socket; our namespaces are pinned below it.
    pub run_dir: PathBuf,
    /// State directory; the record of what is plugged is kept there.
    pub state_dir: PathBuf,
    /// Name of the node.
    pub node: String,
}

/// What an agent cannot go on from. Each message says what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct Error(pub String);

/// One node.
pub struct Agent {
    attachments: Attachments,
}

/// What a convergence did.
#[derive(Clone, Debug, Default)]
pub struct Outcome {
    /// For the conditions.
    pub report: Report,
    /// Changes made to the kernel.
    pub changes: usize,
    /// Ports whose guest is gone (its namespace, or the tap was closed): they are unplugged now.
    pub vanished: Vec<Key>,
}

impl Agent {
    /// Checks rights and kernel features, opens the kernel, reads what is plugged. Changes nothing.
    ///
    /// # Errors
    /// What is missing, with what to do.
    pub fn open(_options: &Options) -> Result<Self, Error> {
        Ok(Self { attachments: Attachments::new() })
    }

    /// What is plugged here.
    #[must_use]
    pub fn attachments(&self) -> &Attachments {
        &self.attachments
    }

    /// Records durably that `target` is plugged into `port`; the next [`Agent::converge`] wires it.
    /// The same target again changes nothing.
    ///
    /// # Errors
    /// Another target holds the port and `force` is not set (the message names it); the target cannot be used.
    pub fn attach(&mut self, _port: &Key, _uid: Uid, _target: Target, _force: bool) -> Result<(), Error> {
        Ok(())
    }

    /// Forgets what is plugged into `port`; the next [`Agent::converge`] takes the link away.
    ///
    /// # Errors
    /// The record cannot be written.
    pub fn detach(&mut self, _port: &Key) -> Result<(), Error> {
        Ok(())
    }

    /// Render, observe, diff, apply, observe again, at most three times.
    pub fn converge(&mut self, _view: &NodeView) -> Outcome {
        Outcome::default()
    }

    /// What [`Agent::converge`] would do first. Changes nothing.
    ///
    /// # Errors
    /// The kernel could not be observed.
    pub fn plan(&mut self, _view: &NodeView) -> Result<Plan, Error> {
        Ok(Plan::default())
    }

    /// Takes away everything of ours on this host; returns what it took away.
    ///
    /// # Errors
    /// What is left and why.
    pub fn clean(&mut self) -> Result<Plan, Error> {
        Ok(Plan::default())
    }

    /// Descriptors that become readable when the kernel changed under us.
    #[must_use]
    pub fn watched(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }

    /// Empties the watched descriptors. Whether anything that concerns us may have changed since the last convergence.
    pub fn disturbed(&mut self) -> bool {
        false
    }
}
