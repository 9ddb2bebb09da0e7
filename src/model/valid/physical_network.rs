//! A `PhysicalNetwork` by itself.

use super::{Valid, Verdict, name, size, within};
use crate::api::PhysicalNetwork;

impl Valid for PhysicalNetwork {
    fn valid(&self) -> Verdict {
        name::object(&self.metadata)?;
        self.spec.mtu.map_or(Ok(()), |mtu| within("mtu", mtu, 68, 65535))?;
        size("attachments", self.spec.attachments.len(), 1, 64)?;
        for attachment in &self.spec.attachments {
            name::device("attachments.interface", &attachment.interface)?;
            let Some(selector) = &attachment.node_selector else { continue };
            size("attachments.nodeSelector.matchLabels", selector.match_labels.len(), 0, 16)?;
            for (key, value) in &selector.match_labels {
                name::label("attachments.nodeSelector.matchLabels", key, value)?;
            }
        }
        Ok(())
    }
}
