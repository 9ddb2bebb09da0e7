//! The filters on a port: which they are, and for whom they judge.

use std::sync::Arc;

use crate::model::security::Number;

/// Which filters this program carries: a name made of what was compiled, so that two versions never go by one.
pub const PROGRAM: &str = concat!("tenet-", env!("TENET_FILTER"));

/// The filters on a link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filter {
    /// Which; [`PROGRAM`] are ours.
    pub program: Arc<str>,
    /// The port that they judge for; none: they pass nothing.
    pub port: Option<Number>,
}

impl Filter {
    /// Our own filters, judging for `port`.
    #[must_use]
    pub fn of(port: Number) -> Self {
        Self { program: PROGRAM.into(), port: Some(port) }
    }
}
