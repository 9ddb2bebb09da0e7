//! What serves pods falls or is replaced, and the node goes on.

use std::fs;
use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Instant;

use super::{Talk, address, can_begin};
use crate::bed::Bed;
use crate::support::until;

const AGENTS: &str = "-n tenet-system rollout status daemonset/tenet-agent --timeout=120s";

/// The agent's container on a node: restarts, and why the last one ended.
fn restarts(bed: &Bed, node: usize) -> (i64, String) {
    let pod: serde_json::Value =
        serde_json::from_str(&bed.kubectl(&format!("-n tenet-system get {} -o json", bed.agent_pod(node)))).unwrap();
    let status = &pod["status"]["containerStatuses"][0];
    let reason = status["lastState"]["terminated"]["reason"].as_str().unwrap_or_default().to_owned();
    (status["restartCount"].as_i64().unwrap_or_default(), reason)
}

/// The process of a node's agent, as this machine counts it.
fn agent(bed: &Bed, node: usize) -> u32 {
    let space = bed.nodes[node - 1].run("readlink /proc/self/ns/net").expect_ok();
    let name = format!("--node={}", bed.nodes[node - 1].name);
    let is = |pid: &u32| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let there = fs::read_link(format!("/proc/{pid}/ns/net")).unwrap_or_default();
        line.starts_with("tenet\0agent\0") && line.contains(&name) && there.display().to_string() == space.trim()
    };
    let pids = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.into_iter().find(is).expect("the agent runs")
}

/// Leaves the agent less memory than it needs for what it is asked next: the kernel ends it.
fn starve(bed: &Bed, node: usize) {
    let groups = fs::read_to_string(format!("/proc/{}/cgroup", agent(bed, node))).unwrap();
    let group = |line: &str| {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?.trim_start_matches('/'));
        let root = PathBuf::from("/sys/fs/cgroup");
        match controllers {
            "" if root.join("cgroup.controllers").exists() => Some((root.join(path), "memory.current", "memory.max")),
            "memory" => Some((root.join("memory").join(path), "memory.usage_in_bytes", "memory.limit_in_bytes")),
            _ => None,
        }
    };
    let (group, usage, limit) = groups.lines().find_map(group).expect("the agent is in a group that counts memory");
    let used: u64 = fs::read_to_string(group.join(usage)).unwrap().trim().parse().unwrap();
    fs::write(group.join(limit), (used + (4 << 20)).to_string()).unwrap();
    // Requests that do not end are kept until they do, up to a mebibyte each.
    let (socket, begun) = (bed.nodes[node - 1].path("/run/tenet/tenet.sock"), vec![b' '; 1_000_000]);
    let mut clients: Vec<UnixStream> = Vec::new();
    until("the kernel ends the agent", || {
        let Ok(mut client) = UnixStream::connect(&socket) else { return true };
        client.set_write_timeout(Some(std::time::Duration::from_secs(2))).unwrap();
        let ended = client.write_all(&begun).is_err();
        clients.push(client);
        ended
    });
}

/// Gives the agents' image another name on all nodes.
fn name_image(bed: &Bed, tag: &str) {
    for node in &bed.nodes {
        let image = "docker.io/library/tenet";
        node.ctr(&format!("images tag {image}:0.1.0 {image}:{tag}")).expect_ok();
    }
}

/// All agents are replaced by those of an image, one node after the other.
fn roll(bed: &Bed, tag: &str) {
    let start = Instant::now();
    let set = format!("-n tenet-system set image daemonset/tenet-agent cni=tenet:{tag} agent=tenet:{tag}");
    bed.kubectl(&set);
    bed.kubectl(AGENTS);
    bed.wait("tagent --all", "Ready");
    println!("rolled to {tag} after {:.1} s", start.elapsed().as_secs_f64());
}

#[test]
fn no_packet_is_lost_when_agent_kubelet_or_containerd_falls_or_is_replaced() {
    let mut bed = Bed::start(2);
    let talk = Talk::begin(&bed);
    let near = address(&bed, "near-net1");

    talk.outlives("agents deleted", || {
        for node in [1, 2] {
            bed.kubectl(&format!("-n tenet-system delete --wait {}", bed.agent_pod(node)));
        }
        bed.kubectl(AGENTS);
        bed.wait("tagent --all", "Ready");
    });
    can_begin(&bed, 2, &near);

    talk.outlives("agent out of memory", || {
        let (before, _) = restarts(&bed, 1);
        starve(&bed, 1);
        bed.until("the agent is started again", || restarts(&bed, 1) == (before + 1, "OOMKilled".into()));
        bed.kubectl(AGENTS);
    });
    can_begin(&bed, 1, &near);

    talk.outlives("kubelets killed", || {
        bed.nodes.iter_mut().for_each(|node| {
            node.kill_kubelet();
            node.start_kubelet();
        });
        can_begin(&bed, 1, &near);
    });

    talk.outlives("containerd killed", || {
        bed.nodes.iter_mut().for_each(|node| {
            node.kill_containerd();
            node.start_containerd();
        });
        can_begin(&bed, 2, &near);
    });

    name_image(&bed, "next");
    talk.outlives("agents rolled to another image and back", || {
        roll(&bed, "next");
        can_begin(&bed, 1, &near);
        roll(&bed, "0.1.0");
    });
    can_begin(&bed, 2, &near);
}
