//! A guest, or any other station: a namespace to run things in.

use std::path::PathBuf;

use super::{Said, repository, run, until};

/// A guest.
pub struct Guest {
    /// Name of its namespace.
    pub name: String,
    /// Where its namespace is found.
    pub path: PathBuf,
}

impl Guest {
    /// The namespace of a name, as `ip netns` made it.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), path: format!("/run/netns/{name}").into() }
    }

    /// The calling thread's own namespace, as a station.
    pub fn here(name: &str) -> Self {
        Self { name: name.to_owned(), path: "/proc/thread-self/ns/net".into() }
    }

    /// Runs a command line in the guest.
    pub fn run(&self, line: &str) -> Said {
        run(&format!("nsenter --net={} {line}", self.path.display()))
    }

    /// Runs lines of `ip` in the guest, all of which must succeed.
    #[track_caller]
    pub fn ip(&self, lines: &str) {
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            self.run(&format!("ip {line}")).expect_ok();
        }
    }

    /// Gets a lease as busybox's client does; returns what it was told, as `name=value` lines.
    #[track_caller]
    pub fn lease(&self) -> String {
        let script = repository().join("examples/lease.sh");
        let ask = "-O mtu -O staticroutes -O tftp -t 5 -T 1";
        self.run(&format!("udhcpc -i eth0 -nq {ask} -s {}", script.display())).expect_ok()
    }

    /// Whether an address answers ping at once.
    pub fn pings(&self, ip: &str) -> bool {
        self.run(&format!("ping -c 1 -W 1 {ip}")).ok()
    }

    /// Waits until an address answers ping.
    #[track_caller]
    pub fn wait_pings(&self, ip: &str) {
        until(&format!("{} pings {ip}", self.name), || self.run(&format!("ping -c 1 -W 0.2 {ip}")).ok());
    }
}
