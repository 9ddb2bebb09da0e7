//! Who may write what, tried with real tokens on a real API server. No controller and no agent runs: what is there is what
//! the test has put there, and what is refused is refused by the server.

mod agents;
mod ask;
mod controller;
mod install;
mod quota;
mod tenants;

use ask::Person;
use serde_json::Value;
use tenet::cluster::NAMESPACE;

use crate::control_plane::ControlPlane;
use crate::nodes::INSTALL;
use crate::support::{Said, until};

/// Objects of two nodes.
const WORLD: &str = include_str!("rights/world.yaml");

/// A control plane with all that is installed, and objects whose statuses an administrator wrote.
struct Rights {
    plane: ControlPlane,
}

impl Rights {
    /// Starts it. `objects`: YAML with statuses.
    fn start(objects: &str) -> Self {
        let mut plane = ControlPlane::start();
        plane.expect(&["create", "-f", INSTALL], "");
        plane.expect(&["wait", "--for=condition=Established", "crd", "--all", "--timeout=60s"], "");
        // After our types are there: it looks for new ones only every 30 s, and quotas and owners wait for that.
        plane.start_manager();
        let rights = Self { plane };
        rights.admin("apply --server-side -f -", objects).expect_ok();
        // Not all kinds have one.
        rights.admin("apply --server-side --subresource=status -f -", objects);
        rights
    }

    /// The agent of a node, which is made.
    fn agent(&self, node: &str) -> Person {
        let object = format!("{{apiVersion: v1, kind: Node, metadata: {{name: {node}}}}}");
        let uid = self.plane.expect(&["create", "-f", "-", "-o", "jsonpath={.metadata.uid}"], &object);
        self.with_token(node, &self.plane.token(NAMESPACE, "tenet-agent", Some((node, &uid))))
    }

    /// A service account.
    fn account(&self, namespace: &str, name: &str) -> Person {
        self.with_token(name, &self.plane.token(namespace, name, None))
    }

    /// Somebody new who has a role in a namespace.
    fn person(&self, namespace: &str, name: &str, role: &str) -> Person {
        self.admin(&format!("create serviceaccount {name} -n {namespace}"), "").expect_ok();
        let whom = format!("--serviceaccount={namespace}:{name}");
        self.admin(&format!("create rolebinding {name} -n {namespace} --clusterrole={role} {whom}"), "").expect_ok();
        self.account(namespace, name)
    }

    fn with_token(&self, name: &str, token: &str) -> Person {
        Person::new(self.plane.kubeconfig_for(name, token))
    }

    /// kubectl as administrator.
    fn admin(&self, line: &str, input: &str) -> Said {
        Said::of(&self.plane.kubectl(&line.split_whitespace().collect::<Vec<_>>(), input))
    }

    /// Tries what must be refused with its sentence, or one of those that `or:` parts, and leave everything as it is. The first is what a policy refuses:
    /// policies are in force a moment after they were made.
    #[track_caller]
    fn refused(&self, who: &Person, attempts: &str) {
        let attempts = read(attempts);
        until("the policies are in force", || who.ask(attempts[0].line, &attempts[0].body, true).is_err());
        let before = self.everything();
        let mut wrong = Vec::new();
        for Attempt { what, line, body, sentence } in attempts {
            match who.ask(line, &body, false) {
                Err(said) if sentence.split(" or: ").any(|one| said.contains(one)) => println!("{what} | {said}"),
                said => wrong.push(format!("{what}: {said:?}, instead of: {sentence}")),
            }
        }
        assert!(wrong.is_empty(), "not refused, or not so: {wrong:#?}");
        assert_eq!(before, self.everything(), "what was refused has changed something");
    }

    /// Every object with its version.
    fn everything(&self) -> Vec<String> {
        let all = self.admin("get tenet,allocations,leases,referencegrants,pods -A -o json", "").expect_ok();
        let all: Value = serde_json::from_str(&all).unwrap();
        let name = |object: &Value| {
            let meta = &object["metadata"];
            format!("{} {}/{} {}", object["kind"], meta["namespace"], meta["name"], meta["resourceVersion"])
        };
        // The API server's own Lease is none of ours.
        let ours = all["items"].as_array().unwrap().iter().filter(|o| o["metadata"]["namespace"] != "kube-system");
        ours.map(name).collect()
    }
}

/// Tries what must be allowed.
#[track_caller]
fn allowed(who: &Person, attempts: &str) {
    for Attempt { what, line, body, .. } in read(attempts) {
        let said = who.ask(line, &body, false);
        assert!(said.is_ok(), "{what}: {said:?}");
    }
}

/// One request, and what comes of it.
struct Attempt<'a> {
    what: &'a str,
    line: &'a str,
    body: String,
    /// Part of what the server is to say.
    sentence: &'a str,
}

/// Reads requests, two lines each: what is tried `|` what the server is to say; and, indented, the request with its body.
fn read(text: &str) -> Vec<Attempt<'_>> {
    let lines: Vec<&str> = text.lines().filter(|line| !line.is_empty()).collect();
    let attempts = lines.chunks(2).map(|pair| {
        let (what, sentence) = pair[0].split_once(" | ").unwrap_or((pair[0], ""));
        let request = pair[1].strip_prefix("    ").expect("the request is indented");
        let cut = request.match_indices(' ').nth(1).map_or(request.len(), |(at, _)| at);
        let body = WORDS.iter().fold(request[cut..].to_owned(), |body, (word, text)| body.replace(word, text));
        Attempt { what, line: &request[..cut], body, sentence }
    });
    attempts.collect()
}

/// Words of requests that stand for more.
const WORDS: [(&str, &str); 4] = [
    (
        "PROGRAMMED",
        "{type: Programmed, status: 'True', reason: Programmed, message: Yes., lastTransitionTime: '2026-01-02T00:00:00Z'}",
    ),
    (
        "ACCEPTED",
        "{type: Accepted, status: 'True', reason: Accepted, message: Yes., lastTransitionTime: '2026-01-02T00:00:00Z'}",
    ),
    ("MAKER", "{apiVersion: v1, kind: Pod, name: web, uid: u, controller: true, blockOwnerDeletion: false}"),
    ("OWNER", "{apiVersion: v1, kind: Node, name: node-1, uid: u}"),
];
