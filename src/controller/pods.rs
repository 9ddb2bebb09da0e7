//! What the controller does for pods: what is to be written, and what was told already.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::cluster::pods::{Came, Chore, PodNews};
use crate::cluster::write::Write;
use crate::model::pod::{self, Complaint, Settled, Shown};
use crate::model::{Key, Snapshot};

/// What is remembered of pods.
#[derive(Debug, Default)]
pub struct Pods {
    /// What was told to whom, with its UID: it saves asking the server, which knows too.
    told: HashMap<Key, (Arc<str>, HashSet<Complaint>)>,
    settled: Settled,
}

/// What is to be written for pods.
#[derive(Debug, Default)]
pub struct Chores {
    /// What somebody waits for.
    pub first: Vec<Write>,
    /// The rest.
    pub last: Vec<Write>,
}

impl Pods {
    /// All that is to be written.
    pub fn decide(&mut self, snapshot: &Snapshot) -> Chores {
        let pods = &snapshot.pods.known;
        self.told.retain(|key, (uid, _)| pods.get(key).is_some_and(|pod| pod.uid == *uid));
        let pod::Chores { wanted, left, complaints, shown } = pod::chores(snapshot, &mut self.settled);
        let is_new = |(who, complaint): &(pod::Who, Complaint)| {
            self.told.get(&who.key).is_none_or(|(_, told)| !told.contains(complaint))
        };
        let told = complaints.into_iter().filter(is_new).map(|(who, complaint)| Chore::Tell(who, complaint));
        // A new pod waits also for what has the name of its Port.
        let first = wanted.into_iter().map(Chore::Make).chain(left.into_iter().map(Chore::Collect));
        let last = shown.into_iter().map(Chore::Show).chain(told);
        Chores { first: first.map(Write::Pod).collect(), last: last.map(Write::Pod).collect() }
    }

    /// Takes in what came of it.
    pub fn done(&mut self, came: &Came) {
        if let Came::Told(who, complaint) = came {
            let (uid, told) = self.told.entry(who.key.clone()).or_default();
            if *uid != who.uid {
                (*uid, *told) = (who.uid.clone(), HashSet::new());
            }
            told.insert(complaint.clone());
        }
    }
}

/// Takes in news of pods. Whether something is different.
pub fn take_in(snapshot: &mut Snapshot, news: PodNews) -> bool {
    let pods = &mut snapshot.pods;
    match news {
        PodNews::Is(key, pod) => {
            let same = pods.known.get(&key).is_some_and(|known| known.same(&pod));
            pods.known.insert(key, pod);
            !same
        }
        PodNews::Gone(key) => pods.known.remove(&key).is_some(),
        PodNews::Whole => !std::mem::replace(&mut pods.whole, true),
    }
}

/// What was written on a pod is there: the watch will tell of it, too.
pub fn write_down(snapshot: &mut Snapshot, shown: Shown) {
    if let Some(pod) = snapshot.pods.known.get_mut(&shown.pod.key).filter(|pod| pod.uid == shown.pod.uid) {
        let pod = Arc::make_mut(pod);
        (pod.version, pod.shown) = (shown.version, Some(shown.text));
    }
}
