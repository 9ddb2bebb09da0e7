//! What `manifests/README.md` says of capabilities: with those that it lists, guests are plugged and served; without one of them, not.

use std::os::unix::net::UnixStream;
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use crate::addresses::BLUE;
use crate::support::{Host, repository};

/// Capabilities by the table's rows, as `setpriv` calls them.
fn listed() -> Vec<String> {
    let manual = std::fs::read_to_string(repository().join("manifests/README.md")).unwrap();
    let rows = manual.lines().filter_map(|line| line.strip_prefix("| `CAP_")?.split_once('`'));
    rows.map(|(name, _)| name.to_lowercase()).collect()
}

/// A process of nobody's, in a network namespace of its own, until it is dropped.
struct Stranger(Child);

impl Stranger {
    fn new() -> Self {
        let line = "-n setpriv --reuid=65534 --regid=65534 --clear-groups sleep 60";
        let stranger = Self(Command::new("unshare").args(line.split(' ')).spawn().unwrap());
        let start = Instant::now();
        let name = format!("/proc/{}/comm", stranger.0.id());
        while std::fs::read_to_string(&name).unwrap() != "sleep\n" && start.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(5));
        }
        stranger
    }
}

impl Drop for Stranger {
    fn drop(&mut self) {
        let _ = (self.0.kill(), self.0.wait());
    }
}

/// Whether Tenet starts with no more than these, plugs a namespace and a process, and gives a lease.
fn serves(capabilities: &[String]) -> bool {
    let allowed: String = capabilities.iter().map(|name| format!(",+{name}")).collect();
    let mut host = Host::new();
    host.declare(
        "all.yaml",
        &format!("{BLUE}Port a {{networkRef: {{name: blue}}}}\nPort b {{networkRef: {{name: blue}}}}\n"),
    );
    host.through = ["setpriv", "--inh-caps=-all", &format!("--bounding-set=-all{allowed}")].map(str::to_owned).to_vec();
    host.spawn("info");
    let start = Instant::now();
    while UnixStream::connect(host.socket()).is_err() {
        if start.elapsed() > Duration::from_secs(10) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let (guest, stranger) = (host.guest("a"), Stranger::new());
    host.tenet("plug a --netns a --timeout 10s").ok()
        && host.tenet(&format!("plug b --pid {} --timeout 10s", stranger.0.id())).ok()
        && guest.run("udhcpc -i eth0 -n -q -f -t 3 -T 1 -s /bin/true").ok()
}

#[test]
fn the_capabilities_that_the_manual_lists_are_enough_and_none_is_too_many() {
    let listed = listed();
    assert_eq!(listed.len(), 4, "{listed:?}");
    let trials: Vec<_> = std::iter::once(None)
        .chain(listed.iter().map(Some))
        .map(|without| {
            let these: Vec<String> = listed.iter().filter(|name| Some(*name) != without).cloned().collect();
            (without.cloned(), std::thread::spawn(move || serves(&these)))
        })
        .collect();
    for (without, trial) in trials {
        assert_eq!(trial.join().unwrap(), without.is_none(), "without {without:?}");
    }
}
