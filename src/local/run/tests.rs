//! The loop, in this process, with a make-believe node.
#![allow(clippy::unwrap_used, clippy::panic)]
use std::collections::BTreeSet;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::BorrowedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::agent::protocol::{Answer, Request};
use crate::agent::{Error, Outcome};
use crate::dataplane::attachment::{Attachment, Attachments, Target};
use crate::local::files::Files;
use crate::local::scratch::{Scratch, network, object};
use crate::local::store::Store;
use crate::model::active::Announcement;
use crate::model::moved::Moved;
use crate::model::{Id, Key, Kind, NodeView};

/// What happened to the node.
#[derive(Default)]
struct Log {
    /// The state directory's journal, as it was when the node was changed.
    journals: Vec<String>,
    detached: Vec<Key>,
}

/// A node without a kernel.
struct Fake {
    attachments: Attachments,
    vanished: BTreeSet<Key>,
    journal: PathBuf,
    log: Arc<Mutex<Log>>,
}

impl Node for Fake {
    fn attachments(&self) -> &Attachments {
        &self.attachments
    }

    fn attach(&mut self, port: &Key, attachment: Attachment, force: bool) -> Result<(), Error> {
        if self.attachments.contains_key(port) && !force {
            return Err(Error("held by another".into()));
        }
        self.attachments.insert(port.clone(), attachment);
        Ok(())
    }

    fn detach(&mut self, port: &Key) -> Result<(), Error> {
        self.log.lock().unwrap().detached.push(port.clone());
        self.attachments.remove(port);
        Ok(())
    }

    fn routed(&self) -> &BTreeSet<Id> {
        const { &BTreeSet::new() }
    }

    fn note_routed(&mut self, _: BTreeSet<Id>) {}

    fn converge(&mut self, _: &NodeView) -> Outcome {
        self.log.lock().unwrap().journals.push(std::fs::read_to_string(&self.journal).unwrap());
        let vanished: Vec<_> = std::mem::take(&mut self.vanished).into_iter().collect();
        self.attachments.retain(|key, _| !vanished.contains(key));
        Outcome { vanished, ..Outcome::default() }
    }

    fn regroup(&mut self, _: &NodeView) -> Option<usize> {
        None
    }

    fn follow(&mut self, _: &NodeView, _: &Moved) -> Option<usize> {
        None
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn hasten(&mut self) {}

    fn watched(&self) -> Vec<BorrowedFd<'_>> {
        Vec::new()
    }

    fn disturbed(&mut self) -> bool {
        false
    }

    fn check(&mut self, _: &Key, _: &NodeView) -> Result<(), Error> {
        Ok(())
    }

    fn announced(&mut self) -> Vec<Announcement> {
        Vec::new()
    }
}

struct Bench {
    yaml: Scratch,
    state: Scratch,
    log: Arc<Mutex<Log>>,
    instance: Instance<Fake>,
}

fn begin(yaml: Scratch, state: Scratch) -> Bench {
    let log = Arc::new(Mutex::new(Log::default()));
    let node = Fake {
        attachments: Attachments::new(),
        vanished: BTreeSet::new(),
        journal: state.path().join("journal"),
        log: Arc::clone(&log),
    };
    let store = Store::open(state.path()).unwrap();
    let mut world = World::new("here", Files::new(&[yaml.path().to_owned()]).unwrap(), store, node);
    world.notes = Some(state.path().to_owned());
    let server = Server::listen(&state.path().join("socket")).unwrap();
    let instance = Instance::begin(world, server).unwrap();
    Bench { yaml, state, log, instance }
}

impl Bench {
    /// Steps until `done` holds.
    fn until(&mut self, done: impl Fn(&Self) -> bool) {
        let start = Instant::now();
        // A deadline of its own keeps the loop from sleeping for ever.
        while !done(self) {
            assert!(start.elapsed() < Duration::from_secs(10), "it never came to that");
            self.instance.look = Some(Instant::now() + Duration::from_millis(20));
            self.instance.step().unwrap();
        }
    }

    fn get(&self, kind: Kind, name: &str) -> Option<crate::model::object::Object> {
        self.instance.world.store.get(&Id::new(kind, Key::new("default", name)))
    }

    /// Whether an object is there to stay.
    fn stays(&self, kind: Kind, name: &str) -> bool {
        self.get(kind, name).is_some_and(|o| o.meta().deletion_timestamp.is_none())
    }

    fn client(&self, request: &Request) -> BufReader<UnixStream> {
        let mut stream = UnixStream::connect(self.state.path().join("socket")).unwrap();
        stream.set_nonblocking(true).unwrap();
        stream.write_all((serde_json::to_string(request).unwrap() + "\n").as_bytes()).unwrap();
        BufReader::new(stream)
    }

    /// Steps until the client has an answer that `wanted` takes.
    fn answer(&mut self, client: &mut BufReader<UnixStream>, wanted: impl Fn(&Answer) -> bool) -> Answer {
        let start = Instant::now();
        loop {
            let mut line = String::new();
            if client.read_line(&mut line).is_ok_and(|n| n > 0) {
                let answer = serde_json::from_str(&line).unwrap();
                if wanted(&answer) {
                    return answer;
                }
                continue;
            }
            assert!(start.elapsed() < Duration::from_secs(10), "no answer");
            self.instance.look = Some(Instant::now() + Duration::from_millis(20));
            self.instance.step().unwrap();
        }
    }
}

fn plug(name: &str, timeout_ms: u64) -> Request {
    let target = Target::Tap { name: "tap0".into() };
    Request::Plug { namespace: "default".into(), name: name.into(), target, timeout_ms, force: false }
}

fn port(name: &str) -> String {
    object("Port", name, "{networkRef: {name: blue}}")
}

#[test]
fn files_become_objects_at_once_and_what_is_decided_is_on_disk_before_the_node_changes() {
    let mut bench = begin(Scratch::new(), Scratch::new());
    bench.yaml.write("new/a.yaml", &network("blue"));
    bench.until(|b| b.stays(Kind::Network, "blue"));
    let log = bench.log.lock().unwrap();
    assert!(log.journals.last().unwrap().contains("\"blue\""), "{:?}", log.journals);
}

#[test]
fn an_editor_that_renames_and_writes_again_removes_nothing() {
    let yaml = Scratch::new();
    let path = yaml.write("a.yaml", &(network("a") + &network("b")));
    yaml.write("c.yaml", &network("c"));
    let mut bench = begin(yaml, Scratch::new());
    let uid = bench.get(Kind::Network, "a").unwrap().meta().uid.clone();
    std::fs::rename(&path, path.with_extension("yaml~")).unwrap();
    bench.until(|b| b.instance.world.removals.deadline().is_some());
    bench.yaml.write("a.yaml", &(network("a") + &object("Network", "b", "{mtu: 1400}")));
    bench.until(|b| b.instance.world.removals.deadline().is_none());
    assert_eq!(bench.get(Kind::Network, "a").unwrap().meta().uid, uid);
    assert_eq!(bench.get(Kind::Network, "b").unwrap().meta().generation, Some(2));
}

#[test]
fn a_removed_file_takes_its_objects_along_and_a_broken_one_does_not() {
    let yaml = Scratch::new();
    yaml.write("a.yaml", &network("a"));
    yaml.write("b.yaml", &network("b"));
    yaml.write("c.yaml", &network("c"));
    let mut bench = begin(yaml, Scratch::new());
    bench.yaml.write("a.yaml", "a: [");
    bench.yaml.remove("b.yaml");
    bench.until(|b| !b.stays(Kind::Network, "b"));
    assert!(bench.stays(Kind::Network, "a"));
    assert_eq!(bench.instance.world.complaints().len(), 1);
    // Neither does it when the instance starts with it.
    let mut bench = begin(bench.yaml, bench.state);
    assert!(bench.stays(Kind::Network, "a") && bench.stays(Kind::Network, "c"));
    // Mended without the object, the file lets go of it.
    bench.yaml.write("a.yaml", &network("a2"));
    bench.until(|b| !b.stays(Kind::Network, "a"));
    assert!(bench.instance.world.complaints().is_empty());
}

#[test]
fn a_folder_that_empties_removes_nothing_until_confirmed_also_over_a_restart() {
    let yaml = Scratch::new();
    let path = yaml.write("a.yaml", &(network("a") + &network("b")));
    let mut bench = begin(yaml, Scratch::new());
    bench.yaml.remove("a.yaml");
    bench.until(|b| !b.instance.world.removals.held().is_empty());
    assert_eq!(crate::local::held::read(bench.state.path()).into_values().collect::<Vec<_>>(), [2]);
    let mut bench = begin(bench.yaml, bench.state);
    assert!(bench.stays(Kind::Network, "a") && bench.stays(Kind::Network, "b"));
    let complaint = bench.instance.world.complaints().remove(0);
    assert!(complaint.contains("has suddenly lost 2 objects") && complaint.contains("tenet confirm"), "{complaint}");
    // Put back, nothing is held.
    std::fs::write(&path, network("a") + &network("b")).unwrap();
    bench.until(|b| b.instance.world.removals.held().is_empty());
    bench.yaml.remove("a.yaml");
    bench.until(|b| !b.instance.world.removals.held().is_empty());
    let mut client = bench.client(&Request::Confirm);
    let answer = bench.answer(&mut client, |_| true);
    assert_eq!(answer, Answer::Done(vec!["Network default/a".into(), "Network default/b".into()]));
    assert!(!bench.stays(Kind::Network, "a") && crate::local::held::read(bench.state.path()).is_empty());
}

#[test]
fn a_folder_that_is_taken_away_is_watched_again_when_it_is_back() {
    let yaml = Scratch::new();
    yaml.write("a.yaml", &network("a"));
    let mut bench = begin(yaml, Scratch::new());
    std::fs::remove_dir_all(bench.yaml.path()).unwrap();
    bench.until(|b| !b.instance.world.removals.held().is_empty());
    std::fs::create_dir(bench.yaml.path()).unwrap();
    bench.yaml.write("a.yaml", &(network("a") + &network("b")));
    bench.until(|b| b.stays(Kind::Network, "b") && b.instance.world.removals.held().is_empty());
    bench.yaml.write("c.yaml", &network("c"));
    bench.until(|b| b.stays(Kind::Network, "c"));
}

#[test]
fn plug_waits_for_the_port_and_says_why_it_gives_up() {
    let mut bench = begin(Scratch::new(), Scratch::new());
    let mut client = bench.client(&plug("web", 100));
    let answer = bench.answer(&mut client, |a| !matches!(a, Answer::Progress(_)));
    let Answer::Failed(why) = answer else { panic!("{answer:?}") };
    assert_eq!(
        why,
        "Port default/web was not plugged in time: Port default/web does not exist; declare it in one of the folders"
    );
}

#[test]
fn a_port_is_bound_when_plugged_and_free_when_unplugged_or_its_guest_vanishes() {
    let mut bench = begin(Scratch::new(), Scratch::new());
    let binding = |b: &Bench| b.instance.world.store.snapshot().ports.values().next()?.status.as_ref()?.binding.clone();
    let _plug = bench.client(&plug("web", 60_000));
    bench.yaml.write("a.yaml", &(network("blue") + &port("web")));
    bench.until(|b| binding(b).is_some_and(|b| b.node_name == "here" && b.device == "tap0"));
    let mut client = bench.client(&Request::Unplug { namespace: "default".into(), name: "web".into() });
    // The first client still waits with the stubs of other layers, so it would plug again.
    bench.instance.desk.forget();
    let answer = bench.answer(&mut client, |_| true);
    assert_eq!(answer, Answer::Done(vec!["Port default/web unplugged".into()]));
    assert_eq!(binding(&bench), None);
    let _plug = bench.client(&plug("web", 60_000));
    bench.until(|b| binding(b).is_some());
    bench.instance.desk.forget();
    bench.instance.world.node.vanished.insert(Key::new("default", "web"));
    bench.instance.dirty = true;
    bench.until(|b| binding(b).is_none());
}

#[test]
fn a_client_that_leaves_is_forgotten_with_what_it_asked() {
    let mut bench = begin(Scratch::new(), Scratch::new());
    let client = bench.client(&plug("web", 60_000));
    bench.until(|b| b.instance.desk.awaited().count() == 1);
    drop(client);
    bench.until(|b| !b.instance.desk.is_busy());
}

#[test]
fn nonsense_on_the_socket_hurts_nobody() {
    let mut bench = begin(Scratch::new(), Scratch::new());
    let path = bench.state.path().join("socket");
    let mut strangers = Vec::new();
    for text in ["\n", "{}\n", "\0\0\0\n", "{\"plug\":{}}\n", &"x".repeat(100_000)] {
        let mut stream = UnixStream::connect(&path).unwrap();
        let _ = stream.set_nonblocking(true);
        let _ = stream.write_all(text.as_bytes());
        strangers.push(stream);
    }
    let mut client = bench.client(&Request::Confirm);
    assert_eq!(bench.answer(&mut client, |_| true), Answer::Done(Vec::new()));
}

#[test]
fn a_port_that_is_gone_is_unplugged() {
    let yaml = Scratch::new();
    yaml.write("a.yaml", &(network("blue") + &network("red")));
    yaml.write("p.yaml", &port("web"));
    let mut bench = begin(yaml, Scratch::new());
    let _plug = bench.client(&plug("web", 60_000));
    bench.until(|b| !b.instance.world.node.attachments.is_empty());
    bench.instance.desk.forget();
    bench.yaml.remove("p.yaml");
    bench.until(|b| b.instance.world.node.attachments.is_empty());
    assert_eq!(bench.log.lock().unwrap().detached, [Key::new("default", "web")]);
}
