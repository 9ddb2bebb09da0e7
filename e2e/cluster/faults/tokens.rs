//! Tokens in files, as kubelet keeps them for pods: a new one is there before the old one is worth nothing any more.

use std::fs;
use std::path::{Path, PathBuf};

use tenet::cluster::NAMESPACE;

use super::World;
use super::clock::{Clock, Leavings};
use crate::page::converged;
use crate::support::until;

/// A pod by name, of a service account and on a node, and a token that is worth something for as long as it is there.
fn token(world: &World, pod: &str, account: &str) -> String {
    let object = format!(
        "{{apiVersion: v1, kind: Pod, metadata: {{name: {pod}, namespace: {NAMESPACE}}}, \
         spec: {{serviceAccountName: {account}, nodeName: node-2, containers: [{{name: c, image: none}}]}}}}"
    );
    world.cluster.plane.expect(&["create", "-f", "-"], &object);
    let bound = format!("--bound-object-kind=Pod --bound-object-name={pod} --duration=24h");
    world.cluster.kubectl(&format!("create token {account} -n {NAMESPACE} {bound}")).trim().to_owned()
}

/// Puts a token into its file as kubelet does, at once.
fn put(file: &Path, token: &str) {
    let next = file.with_extension("next");
    fs::write(&next, format!("{token}\n")).unwrap();
    fs::rename(next, file).unwrap();
}

/// The same way to the server, with the token of a file.
fn by_file(kubeconfig: &Path, file: &Path) -> PathBuf {
    let text = fs::read_to_string(kubeconfig).unwrap();
    let at = text.find("token: ").unwrap();
    let end = at + text[at..].find('}').unwrap();
    let way = kubeconfig.with_extension("by-file");
    fs::write(&way, format!("{}tokenFile: {}{}", &text[..at], file.display(), &text[end..])).unwrap();
    way
}

#[test]
fn a_token_file_that_is_replaced_is_read_anew_also_while_the_clock_stands_an_hour_back() {
    let _last = Leavings;
    let mut world = World::start(&[]);
    let clock = Clock::new(&world.cluster, "all");
    let words = clock.words();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let accounts = ["tenet-controller", "tenet-agent"];
    let files = accounts.map(|account| world.cluster.plane.folder.join(format!("{account}.token")));
    let olds = accounts.map(|account| token(&world, &format!("{account}-old"), account));
    files.iter().zip(&olds).for_each(|(file, old)| put(file, old));
    let ways = [world.cluster.kubeconfig(), world.cluster.nodes[1].kubeconfig()];
    let ways = [by_file(ways[0], &files[0]), by_file(ways[1], &files[1])];
    world.cluster.stop_controller(0);
    world.cluster.start_controller_under(&words, &ways[0], &[]);
    world.cluster.nodes[1].kill_agent();
    world.cluster.nodes[1].takes(Some(&ways[1]));
    world.cluster.nodes[1].start_agent_under(&words);
    converged(&world.cluster.nodes[1]);
    world.serves("by-the-old");
    let (gateway, flows) = (world.gateway(), world.flows());

    clock.step("-3600");
    for (account, file) in accounts.iter().zip(&files) {
        put(file, &token(&world, &format!("{account}-new"), account));
        world.cluster.kubectl(&format!("delete pod -n {NAMESPACE} {account}-old --force --grace-period=0"));
    }
    let refused =
        |token: &String| !world.cluster.plane.kubectl_as(token, &["get", "--raw", "/api"], "").status.success();
    // The server itself remembers for ten seconds what it has once believed.
    until("the old ones are worth nothing", || olds.iter().all(refused));
    world.serves("by-the-new");
    assert_eq!(world.gateway(), gateway);
    assert!(!world.cluster.said().contains("Unauthorized"), "somebody came with an old one");
    flows.hold();
    world.passes();
}
