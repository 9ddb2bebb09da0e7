//! What the loop asks of a node: an [`Agent`], or in tests a make-believe one.

use std::collections::BTreeSet;
use std::os::fd::BorrowedFd;
use std::time::Instant;

use super::{Agent, Error, Outcome};
use crate::dataplane::attachment::{Attachment, Attachments};
use crate::model::active::Announcement;
use crate::model::moved::Moved;
use crate::model::{Id, Key, NodeView};

/// The node side of the loop; every method is [`Agent`]'s method of that name.
pub trait Node {
    /// What is plugged.
    fn attachments(&self) -> &Attachments;
    /// Records what is plugged into `port`.
    ///
    /// # Errors
    /// Another target holds the port, or the target cannot be used.
    fn attach(&mut self, port: &Key, attachment: Attachment, force: bool) -> Result<(), Error>;
    /// Forgets what is plugged into `port`.
    ///
    /// # Errors
    /// The record cannot be written.
    fn detach(&mut self, port: &Key) -> Result<(), Error>;
    /// Routers and floating IPs that it may hold.
    fn routed(&self) -> &BTreeSet<Id>;
    /// Notes which of them it is about to hold.
    fn note_routed(&mut self, ids: BTreeSet<Id>);
    /// Makes the node like `view`.
    fn converge(&mut self, view: &NodeView) -> Outcome;
    /// Brings into force what only rules of security groups have changed.
    fn regroup(&mut self, view: &NodeView) -> Option<usize>;
    /// Brings into force what only ports of other nodes have changed.
    fn follow(&mut self, view: &NodeView, moved: &Moved) -> Option<usize>;
    /// When something is to be done that waits for a moment of rest.
    fn deadline(&self) -> Option<Instant>;
    /// Does the next such thing.
    fn hasten(&mut self);
    /// Descriptors to poll.
    fn watched(&self) -> Vec<BorrowedFd<'_>>;
    /// Empties them; whether the node may differ from the view.
    fn disturbed(&mut self) -> bool;
    /// Whether a pod's interface is as it was made.
    ///
    /// # Errors
    /// What is different.
    fn check(&mut self, port: &Key, view: &NodeView) -> Result<(), Error>;
    /// What guests have announced.
    fn announced(&mut self) -> Vec<Announcement>;
}

impl Node for Agent {
    fn attachments(&self) -> &Attachments {
        Self::attachments(self)
    }

    fn attach(&mut self, port: &Key, attachment: Attachment, force: bool) -> Result<(), Error> {
        Self::attach(self, port, attachment, force)
    }

    fn detach(&mut self, port: &Key) -> Result<(), Error> {
        Self::detach(self, port)
    }

    fn routed(&self) -> &BTreeSet<Id> {
        Self::routed(self)
    }

    fn note_routed(&mut self, ids: BTreeSet<Id>) {
        Self::note_routed(self, ids);
    }

    fn converge(&mut self, view: &NodeView) -> Outcome {
        Self::converge(self, view)
    }

    fn regroup(&mut self, view: &NodeView) -> Option<usize> {
        Self::regroup(self, view)
    }

    fn follow(&mut self, view: &NodeView, moved: &Moved) -> Option<usize> {
        Self::follow(self, view, moved)
    }

    fn deadline(&self) -> Option<Instant> {
        Self::deadline(self)
    }

    fn hasten(&mut self) {
        Self::hasten(self);
    }

    fn watched(&self) -> Vec<BorrowedFd<'_>> {
        Self::watched(self)
    }

    fn disturbed(&mut self) -> bool {
        Self::disturbed(self)
    }

    fn check(&mut self, port: &Key, view: &NodeView) -> Result<(), Error> {
        Self::check(self, port, view)
    }

    fn announced(&mut self) -> Vec<Announcement> {
        Self::announced(self)
    }
}
