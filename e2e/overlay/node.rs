//! A node: a network namespace on the underlay, and a thread in it that holds the agent.

use std::sync::mpsc::{Sender, channel};
use std::thread;

use nix::sched::{CloneFlags, setns};
use tenet::agent::{Agent, Options, Outcome};
use tenet::dataplane::filter::Filtering;
use tenet::dataplane::plan::Plan;
use tenet::model::NodeView;

use crate::support::{Guest, ip};

type Job = Box<dyn FnOnce(&mut Agent) + Send>;

/// A node.
pub struct Node {
    pub name: String,
    /// Its place on the underlay.
    pub address: String,
    /// Its namespace.
    pub host: Guest,
    options: Options,
    jobs: Sender<Job>,
}

impl Node {
    /// A node on the bridge `underlay` of the calling thread's namespace, as `172.31.0.<n>`; its `br-ext` leads to `wire`,
    /// its `br-lan` to `lan`.
    pub fn new(n: usize, dir: &std::path::Path) -> Self {
        let (name, address) = (format!("node-{n}"), format!("172.31.0.{n}"));
        ip(&format!(
            "netns add {name}
             -n {name} link set lo up
             link add u{n} type veth peer name eth0 netns {name}
             link set u{n} master underlay up
             -n {name} addr add {address}/24 dev eth0
             -n {name} link set eth0 up
             -n {name} link add br-ext type bridge
             -n {name} link set br-ext up
             link add w{n} type veth peer name ext0 netns {name}
             link set w{n} master wire up
             -n {name} link set ext0 master br-ext up
             -n {name} link add br-lan type bridge
             -n {name} link set br-lan up
             link add l{n} type veth peer name lan0 netns {name}
             link set l{n} master lan up
             -n {name} link set lan0 master br-lan up"
        ));
        let host = Guest::named(&name);
        let at = |what: &str| dir.join(&name).join(what);
        let filtering = Filtering { fast_path: true, flows: Filtering::FLOWS };
        let options = Options { run_dir: at("run"), state_dir: at("state"), node: name.clone(), filtering };
        std::fs::create_dir_all(&options.run_dir).unwrap();
        let jobs = start(&host, &options);
        Self { name, address, host, options, jobs }
    }

    /// Does something with the agent, where it is.
    pub fn ask<T: Send + 'static>(&self, job: impl FnOnce(&mut Agent) -> T + Send + 'static) -> T {
        let (done, answer) = channel();
        self.jobs.send(Box::new(move |agent| drop(done.send(job(agent))))).unwrap();
        answer.recv().expect("the agent goes on")
    }

    /// Converges; nothing may fail, and nothing be left to do.
    #[track_caller]
    pub fn converge(&self, view: NodeView) -> Outcome {
        let (outcome, left) = self.ask(move |agent| (agent.converge(&view), agent.plan(&view).unwrap()));
        assert!(outcome.report.faults.is_empty(), "{}: {:#?}", self.name, outcome.report.faults);
        assert!(left.0.is_empty(), "{}: {left:#?}", self.name);
        outcome
    }

    /// What the agent would do.
    pub fn plan(&self, view: NodeView) -> Plan {
        self.ask(move |agent| agent.plan(&view).unwrap())
    }

    /// Whether the kernel told the agent of something.
    pub fn disturbed(&self) -> bool {
        self.ask(Agent::disturbed)
    }

    /// Ends the agent and starts another one, with no memory.
    pub fn restart(&mut self) {
        self.jobs = start(&self.host, &self.options);
    }

    /// A namespace of the agent's.
    pub fn ours(&self, prefix: &str) -> Guest {
        let entries = std::fs::read_dir(&self.options.run_dir).unwrap().map(|entry| entry.unwrap());
        let mut found = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with(prefix));
        let entry = found.next().unwrap_or_else(|| panic!("{} has no {prefix}", self.name));
        Guest { name: entry.file_name().to_string_lossy().into_owned(), path: entry.path() }
    }

    /// Prints what the agent's namespaces hold.
    pub fn show(&self) {
        for entry in std::fs::read_dir(&self.options.run_dir).into_iter().flatten().flatten() {
            let place = Guest { name: entry.file_name().to_string_lossy().into_owned(), path: entry.path() };
            for line in [
                "ip -d link",
                "ip addr",
                "ip route show table all",
                "ip rule",
                "ip neigh",
                "bridge fdb",
                "nft list ruleset",
                "conntrack -L",
            ] {
                let said = place.run(line);
                eprintln!("--- {} {}: {line}\n{}{}", self.name, place.name, said.out, said.err);
            }
        }
    }
}

fn start(host: &Guest, options: &Options) -> Sender<Job> {
    let (jobs, todo) = channel::<Job>();
    let (netns, options) = (std::fs::File::open(&host.path).unwrap(), options.clone());
    thread::spawn(move || {
        setns(netns, CloneFlags::CLONE_NEWNET).unwrap();
        let mut agent = Agent::open(&options).unwrap();
        todo.into_iter().for_each(|job| job(&mut agent));
    });
    jobs
}
