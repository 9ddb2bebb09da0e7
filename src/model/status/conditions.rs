//! The conditions of one object: from what is known of it to what is written.
//!
//! Most objects stay as they are, so what is wanted is compared with what is recorded before anything is allocated.

use std::sync::LazyLock;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;

use crate::api::{Condition, ConditionType, Conditions, Reason};
use crate::model::report::Remark;

/// How far the nodes are with an object.
#[derive(Clone, Copy, Debug)]
pub enum Progress<'a> {
    /// No node says anything: what is recorded stays, else it is pending.
    Unheard,
    /// All is done.
    Done,
    /// All is done, and there is something to know.
    Remarked(&'a Remark),
    /// It cannot be done.
    Fault(&'a Remark),
    /// A port that nobody has plugged.
    Unbound,
    /// Nothing is to be done: the object has no part in the topology.
    Nothing,
}

impl Progress<'_> {
    /// The same, where somebody else knows whether it is done.
    pub fn unheard(self) -> Self {
        match self {
            Progress::Done | Progress::Remarked(_) => Progress::Unheard,
            other => other,
        }
    }
}

/// What is known of an object.
#[derive(Clone, Copy, Debug)]
pub struct Known<'a> {
    /// `metadata.generation`.
    pub generation: Option<i64>,
    /// Whether it was looked at beyond its own fields.
    pub judged: bool,
    /// Whether the kind refers to others.
    pub refers: bool,
    /// Why it is not accepted.
    pub refused: Option<&'a Remark>,
    /// What does not resolve.
    pub unresolved: Option<&'a Remark>,
    /// Who its deletion waits for.
    pub in_use: Option<&'a str>,
    /// How far the nodes are.
    pub progress: Progress<'a>,
}

/// A condition that is wanted.
#[derive(Clone, Copy, Debug)]
struct Want<'a> {
    type_: ConditionType,
    status: &'a str,
    reason: &'a str,
    message: &'a str,
    generation: Option<i64>,
}

/// All conditions that are wanted, in the order in which they are written.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a>([Option<Want<'a>>; 6]);

const TRUE: &str = "True";
const FALSE: &str = "False";
const UNKNOWN: &str = "Unknown";
/// What is said of an object that has no part in the topology.
const NOTHING: &str = "Nothing is realised until the object is accepted and resolved.";

impl<'a> Wanted<'a> {
    /// What an object's conditions have to say.
    pub fn of(known: &Known<'a>, recorded: &'a [Condition]) -> Self {
        use ConditionType::{Accepted, Programmed, Ready, Reconciling, ResolvedRefs, Stalled};
        let new = |type_, status, reason: Reason, message| Want {
            type_,
            status,
            reason: word(reason),
            message,
            generation: known.generation,
        };
        let plain = |type_, status, reason| new(type_, status, reason, meaning(reason));
        let told = |type_, status, remark: &'a Remark| new(type_, status, remark.reason, remark.message.as_str());
        let accepted =
            known.refused.map_or_else(|| plain(Accepted, TRUE, Reason::Accepted), |r| told(Accepted, FALSE, r));
        let resolved = match known.unresolved {
            Some(remark) => told(ResolvedRefs, FALSE, remark),
            None if known.judged => plain(ResolvedRefs, TRUE, Reason::ResolvedRefs),
            None => new(ResolvedRefs, UNKNOWN, Reason::Pending, "Not looked at until the object is accepted."),
        };
        let wrong = known.refused.or(known.unresolved);
        let programmed = match known.progress {
            Progress::Done => plain(Programmed, TRUE, Reason::Programmed),
            Progress::Remarked(remark) => told(Programmed, TRUE, remark),
            Progress::Fault(remark) => told(Programmed, FALSE, remark),
            Progress::Unbound => plain(Programmed, FALSE, Reason::Unbound),
            Progress::Nothing => {
                let reason = wrong.map_or(Reason::Pending, |r| r.reason);
                new(Programmed, FALSE, reason, NOTHING)
            }
            Progress::Unheard => heard_before(recorded).unwrap_or_else(|| plain(Programmed, UNKNOWN, Reason::Pending)),
        };
        let again = |of: Want<'a>, type_, status| Want { type_, status, generation: known.generation, ..of };
        let waits = known.in_use.map(|who| new(Ready, FALSE, Reason::InUse, who));
        let ready = match (known.refused, known.unresolved) {
            (Some(_), _) => again(accepted, Ready, FALSE),
            (None, Some(_)) => again(resolved, Ready, FALSE),
            (None, None) => waits.unwrap_or_else(|| match programmed.status {
                TRUE => plain(Ready, TRUE, Reason::Ready),
                _ if matches!(known.progress, Progress::Unbound) => plain(Ready, TRUE, Reason::Unbound),
                _ => again(programmed, Ready, FALSE),
            }),
        };
        // kstatus: what heals by itself or by somebody else's doing is in progress, what needs an edit has stalled.
        let stuck =
            known.refused.is_some() || known.unresolved.is_none() && waits.is_none() && programmed.status == FALSE;
        let summary = (ready.status != TRUE).then(|| again(ready, if stuck { Stalled } else { Reconciling }, TRUE));
        Self([Some(accepted), known.refers.then_some(resolved), Some(programmed), Some(ready), summary, None])
    }

    /// Whether that is what is recorded.
    pub fn same(&self, recorded: &[Condition]) -> bool {
        let mut recorded = recorded.iter().filter(|c| ours(c));
        let wanted = self.0.iter().flatten().all(|want| recorded.next().is_some_and(|c| want.is(c)));
        wanted && recorded.next().is_none()
    }

    /// The conditions to write. Those of types that are not ours stay.
    pub fn write(&self, recorded: &[Condition], now: Timestamp) -> Conditions {
        let since = |want: &Want| {
            let before = recorded.iter().find(|c| c.type_ == want.type_.as_str() && c.status == want.status);
            before.map_or(Time(now), |c| c.last_transition_time.clone())
        };
        let wanted = self.0.iter().flatten().map(|want| Condition {
            type_: want.type_.as_str().to_owned(),
            status: want.status.to_owned(),
            reason: want.reason.to_owned(),
            message: want.message.to_owned(),
            observed_generation: want.generation,
            last_transition_time: since(want),
        });
        wanted.chain(recorded.iter().filter(|c| !ours(c)).cloned()).collect()
    }
}

impl Want<'_> {
    fn is(&self, c: &Condition) -> bool {
        c.type_ == self.type_.as_str()
            && c.status == self.status
            && c.observed_generation == self.generation
            && c.reason == self.reason
            && c.message == self.message
    }
}

/// What a node said of the object the last time, if it had anything to say. Of an object in force parts may be refused, or
/// lead nowhere, while the rest is done.
fn heard_before(recorded: &[Condition]) -> Option<Want<'_>> {
    let programmed = ConditionType::Programmed.find(recorded)?;
    let said = programmed.reason != word(Reason::Unbound) && programmed.message != NOTHING;
    said.then_some(Want {
        type_: ConditionType::Programmed,
        status: &programmed.status,
        reason: &programmed.reason,
        message: &programmed.message,
        generation: programmed.observed_generation,
    })
}

fn ours(condition: &Condition) -> bool {
    use ConditionType::{Accepted, Programmed, Ready, Reconciling, ResolvedRefs, Stalled};
    [Accepted, ResolvedRefs, Programmed, Ready, Reconciling, Stalled].iter().any(|t| condition.type_ == t.as_str())
}

/// A reason as it is written.
fn word(reason: Reason) -> &'static str {
    static WORDS: LazyLock<Vec<String>> = LazyLock::new(|| Reason::ALL.iter().map(ToString::to_string).collect());
    WORDS.get(reason as usize).map_or("Unknown", String::as_str)
}

fn meaning(reason: Reason) -> &'static str {
    reason.meaning().trim()
}
