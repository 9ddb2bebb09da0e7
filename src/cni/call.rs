//! What a call comes to, by its environment and its input alone.

use serde_json::{Map, Value};

use super::args::{About, Command, Variables};
use super::config::Config;
use super::error::{Code, Error};
use super::result;
use crate::agent::protocol::{Answer, Plugged, PodPort, Request};
use crate::api::BoundPod;
use crate::api::pod::{Attachments, Entry, What};
use crate::dataplane::attachment::{Sandbox, Target};

/// How long an ADD waits for its ports, milliseconds.
pub const PATIENCE: u64 = 10_000;

/// What is to be done for a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Deed {
    /// Nothing: this is the answer, which may be empty.
    Say(String),
    /// Plug a pod. `inode`, of its namespace, is not known yet.
    Add(Box<Add>),
    /// Ask the agent, unless [`Ask::record`] says that there is nothing to ask for.
    Ask(Ask),
}

/// A pod to be plugged.
#[derive(Clone, Debug, PartialEq)]
pub struct Add {
    config: Config,
    version: usize,
    /// Path of the pod's namespace.
    pub netns: String,
    said: String,
    ports: Vec<PodPort>,
}

/// A question to the agent that is not an ADD.
#[derive(Clone, Debug, PartialEq)]
pub struct Ask {
    /// What it is asked.
    pub request: Request,
    /// What the node's own record has to hold for the question to be of use; none: it is asked anyway.
    pub record: Option<String>,
    /// Whether the question is asked though the record does not hold that, if somebody answers.
    pub anyway: bool,
    /// What it means that nobody answers.
    pub silence: Code,
    /// Whether something has to be plugged.
    pub needed: bool,
}

/// Decides. The second value: the version that the answer is in.
pub fn decide(variables: &Variables, input: &[u8]) -> (Result<Deed, Error>, Option<&'static str>) {
    let command = match variables.command() {
        Ok(Command::Version) => return (Ok(Deed::Say(result::versions())), None),
        command => command,
    };
    let config = match Config::read(input) {
        Ok(config) => config,
        Err(error) => return (Err(error), None),
    };
    let version = match config.version() {
        Ok(version) => version,
        Err(error) => return (Err(error), None),
    };
    let said = super::VERSIONS.get(version).copied();
    (command.and_then(|command| deed(command, variables, config, version)), said)
}

fn deed(command: Command, variables: &Variables, config: Config, version: usize) -> Result<Deed, Error> {
    let since = |first: usize| {
        let what = format!("cniVersion {} has no {}", super::VERSIONS.get(version).unwrap_or(&""), variables.command);
        if version < first { Err(Error::new(Code::Version, what)) } else { Ok(()) }
    };
    match command {
        Command::Add => add(variables, config, version),
        Command::Del => {
            let About { container, interface } = variables.about()?;
            let (record, anyway) = (Some(quoted(&container)), config.asks());
            let request = Request::UnplugPod { container, interface };
            Ok(Deed::Ask(Ask { request, record, anyway, silence: Code::Again, needed: false }))
        }
        Command::Check => {
            since(1)?;
            let About { container, interface } = variables.about()?;
            let needed = config.is_direct();
            let record = (!needed).then(|| quoted(&container));
            let request = Request::CheckPod { container, interface };
            Ok(Deed::Ask(Ask { request, record, anyway: false, silence: Code::Again, needed }))
        }
        Command::Gc => {
            since(3)?;
            let request = Request::KeepPods { network: config.name.clone(), living: config.living()? };
            let record = Some("\"container\":".to_owned());
            Ok(Deed::Ask(Ask { request, record, anyway: false, silence: Code::Again, needed: false }))
        }
        Command::Status => {
            since(3)?;
            // What this says of a chain, kubelet says of the node: that it is not ready, and then its pods count as dead. They
            // live without the agent, and so do new ones that have no annotation of ours.
            if !config.is_direct() {
                return Ok(Deed::Say(String::new()));
            }
            let (silence, request) = (Code::Unavailable, Request::Hello);
            Ok(Deed::Ask(Ask { request, record: None, anyway: true, silence, needed: false }))
        }
        Command::Version => Ok(Deed::Say(result::versions())),
    }
}

/// How a container is written in the record.
fn quoted(container: &str) -> String {
    format!("\"container\":\"{container}\"")
}

fn add(variables: &Variables, config: Config, version: usize) -> Result<Deed, Error> {
    let about = variables.about()?;
    if !config.asks() {
        return Ok(Deed::Say(Value::Object(result::passed(config.prev_result, version)?).to_string()));
    }
    let (netns, pod) = (variables.netns()?, variables.pod()?);
    let refused = |why: String| Error::new(Code::Config, why);
    let wanted = if config.is_direct() {
        Attachments { entries: vec![direct(&config, &about, &pod.namespace)?], default_route: None }
    } else {
        // Before anything is done for it: the answer has to have something to begin with.
        result::passed(config.prev_result.clone(), version)?;
        let annotations = config.annotations().cloned().unwrap_or_default();
        Attachments::of(&annotations, &pod.namespace).map_err(|refusal| refused(refusal.to_string()))?
    };
    if let Some(taken) = wanted.entries.iter().find(|entry| !config.is_direct() && entry.interface == about.interface) {
        return Err(refused(format!("interface {} is the pod's first: name another by @name", taken.interface)));
    }
    let port = |(position, entry): (usize, &Entry)| PodPort {
        namespace: pod.namespace.clone(),
        name: entry.port(&pod.name),
        owner: pod.uid.clone().filter(|_| matches!(entry.what, What::Network { .. })),
        target: Target::Netns { path: netns.clone(), inode: 0, device: entry.interface.clone() },
        pod: Sandbox {
            container: about.container.clone(),
            interface: about.interface.clone(),
            network: config.name.clone(),
            default_route: wanted.default_route == Some(position),
            pod: pod.uid.clone().map(|uid| BoundPod { name: pod.name.clone(), uid }),
        },
    };
    let ports = wanted.entries.iter().enumerate().map(port).collect();
    Ok(Deed::Add(Box::new(Add { said: variables.netns.clone(), config, version, netns, ports })))
}

/// What a meta plugin asks for: one interface, by the name that it gives.
fn direct(config: &Config, about: &About, namespace: &str) -> Result<Entry, Error> {
    let wrong = |why: &str| Error::new(Code::Config, why);
    let what = match (&config.network, &config.port) {
        (Some(_), Some(_)) => return Err(wrong("the configuration names a network and a port: name one of them")),
        (None, Some(port)) => What::Port { name: port.clone() },
        (network, None) => {
            let network = network.as_deref().unwrap_or_default();
            let (namespace, name) = network.split_once('/').unwrap_or((namespace, network));
            What::Network { namespace: namespace.into(), name: name.into() }
        }
    };
    let label = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let is_name = |name: &str| (1..=253).contains(&name.len()) && name.bytes().all(|b| label(b) || b == b'.');
    let is_namespace = |name: &str| (1..=63).contains(&name.len()) && name.bytes().all(label);
    let fits = match &what {
        What::Network { namespace, name } => is_namespace(namespace) && is_name(name),
        What::Port { name } => is_name(name),
    };
    if !fits {
        return Err(wrong("the configuration's network or port is the name of no object"));
    }
    Ok(Entry { what, interface: about.interface.clone() })
}

impl Add {
    /// What the agent is asked. `inode`: of the pod's namespace.
    #[must_use]
    pub fn request(&self, inode: u64) -> Request {
        let mut ports = self.ports.clone();
        for port in &mut ports {
            if let Target::Netns { inode: there, .. } = &mut port.target {
                *there = inode;
            }
        }
        Request::PlugPod { ports, timeout_ms: PATIENCE }
    }

    /// The result, of what the agent says.
    ///
    /// # Errors
    /// The agent's reason.
    pub fn result(self, answer: Answer) -> Result<String, Error> {
        let plugged: Vec<Plugged> = match answer {
            Answer::Pod(plugged) => plugged,
            other => return Err(no(other)),
        };
        let result: Map<String, Value> = if self.config.prev_result.is_none() {
            result::own(self.version, &self.said, &plugged)
        } else {
            result::appended(self.config.prev_result, self.version, &self.said, &plugged)?
        };
        Ok(Value::Object(result).to_string())
    }
}

impl Ask {
    /// Whether the agent need not be asked, by the node's own record.
    #[must_use]
    pub fn is_idle(&self, record: &str) -> bool {
        self.record.as_ref().is_some_and(|text| !record.contains(text))
    }

    /// What the agent says.
    ///
    /// # Errors
    /// The agent's reason.
    pub fn result(&self, answer: Answer) -> Result<String, Error> {
        match answer {
            Answer::Done(lines) if lines.is_empty() && self.needed => {
                Err(Error::new(Code::Changed, "nothing is plugged for this container"))
            }
            Answer::Done(_) => Ok(String::new()),
            Answer::Failed(why) if matches!(self.request, Request::CheckPod { .. }) => {
                Err(Error::new(Code::Changed, why))
            }
            other => Err(no(other)),
        }
    }
}

fn no(answer: Answer) -> Error {
    match answer {
        Answer::Failed(why) => {
            Error::new(Code::Refused, why).with("the conditions of the Port say more: kubectl get tport -o yaml")
        }
        _ => Error::new(Code::Again, "the agent answers something else: it is of another version"),
    }
}
