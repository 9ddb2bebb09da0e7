//! Nobody answers: the agent is down, or dies, or the plugin does.

use nix::sys::signal::Signal;

use crate::runtime::{Pod, first, host};
use crate::support::{Said, ip, until};

#[test]
fn without_the_agent_pods_without_annotation_come_and_go_and_the_others_wait() {
    let mut host = host();
    let (a, b, c) = (host.guest("a"), host.guest("b"), host.guest("c"));
    let plugged = Pod::new(&host, &a, &[("ports", "web-0")]);
    plugged.add();
    host.stop(Signal::SIGKILL);
    let (plain, wanting) = (Pod::new(&host, &b, &[]), Pod::new(&host, &c, &[("ports", "web-1")]));
    assert_eq!(plain.add(), first());
    for command in ["CHECK", "DEL", "DEL", "STATUS"] {
        plain.quiet(command);
    }
    let (code, why) = wanting.refused("ADD");
    assert!(code == 11 && why.contains("does not answer"), "{code} {why}");
    wanting.quiet("DEL");
    for command in ["DEL", "CHECK"] {
        assert_eq!(plugged.refused(command).0, 11, "it has something of ours: only the agent takes that away");
    }
    assert_eq!(Pod::delegated(&host, &c, ("port", "web-1")).with("cniVersion", "1.1.0").refused("STATUS").0, 50);
    host.start();
    wanting.add();
    a.wait_pings("10.0.0.51");
    for pod in [&wanting, &plugged] {
        pod.quiet("CHECK");
        pod.quiet("DEL");
        pod.quiet("DEL");
    }
}

#[test]
fn a_pod_whose_namespace_is_gone_is_taken_away_and_its_port_is_free() {
    let mut host = host();
    let a = host.guest("a");
    let pod = Pod::new(&host, &a, &[("ports", "web-0")]);
    pod.add();
    // As after a reboot.
    host.stop(Signal::SIGKILL);
    ip("netns del a");
    host.start();
    let b = host.guest("b");
    let next = Pod::new(&host, &b, &[("ports", "web-0")]);
    next.add();
    let mut gone = pod.clone();
    gone.netns = String::new();
    gone.quiet("DEL");
    pod.quiet("DEL");
    next.quiet("CHECK");
    ip("netns del b");
    next.quiet("DEL");
}

#[test]
fn a_plugin_that_is_killed_leaves_nothing() {
    let host = host();
    let a = host.guest("a");
    let pod = Pod::new(&host, &a, &[("ports", "web-0, nowhere")]);
    let mut waits = pod.start("ADD", pod.config.to_string().as_bytes());
    until("the first port is plugged", || a.run("ip link show net1").ok());
    waits.kill().unwrap();
    waits.wait().unwrap();
    until("it is taken away", || !a.run("ip link show net1").ok());
    pod.quiet("DEL");
}

#[test]
fn an_agent_that_is_killed_in_the_middle_leaves_what_a_del_takes_away() {
    let mut host = host();
    let a = host.guest("a");
    let pod = Pod::new(&host, &a, &[("ports", "web-0, nowhere")]);
    let waits = pod.start("ADD", pod.config.to_string().as_bytes());
    until("the first port is plugged", || a.run("ip link show net1").ok());
    host.stop(Signal::SIGKILL);
    let said = Said::of(&waits.wait_with_output().unwrap());
    assert_eq!((said.code, crate::runtime::error(&said).0), (Some(1), 11), "{said:?}");
    assert_eq!(pod.refused("DEL").0, 11);
    host.start();
    pod.quiet("DEL");
    assert!(!a.run("ip link show net1").ok());
    Pod::new(&host, &a, &[("ports", "web-0")]).add();
}

#[test]
fn an_agent_that_is_replaced_refuses_no_pod() {
    let mut host = host();
    let a = host.guest("a");
    let pod = Pod::new(&host, &a, &[("ports", "web-0, web-1")]);
    host.stop(Signal::SIGTERM);
    let waits = pod.start("ADD", pod.config.to_string().as_bytes());
    host.start();
    let said = Said::of(&waits.wait_with_output().unwrap());
    assert!(said.ok(), "{said:?}");
    pod.quiet("DEL");

    // In the middle of it, too: what the first began is not in the second's way.
    let pod = Pod::new(&host, &a, &[("ports", "web-0, late")]);
    let waits = pod.start("ADD", pod.config.to_string().as_bytes());
    until("the first port is plugged", || a.run("ip link show net1").ok());
    host.stop(Signal::SIGKILL);
    host.declare("late.yaml", "Port late {networkRef: {name: blue}}");
    host.start();
    let said = Said::of(&waits.wait_with_output().unwrap());
    assert!(said.ok(), "{said:?}");
    pod.quiet("CHECK");
    pod.quiet("DEL");
}

#[test]
fn a_pod_that_is_given_up_is_waited_for_no_more() {
    let host = host();
    let a = host.guest("a");
    let pod = Pod::new(&host, &a, &[("ports", "web-0, nowhere")]);
    let waits = pod.start("ADD", pod.config.to_string().as_bytes());
    until("the first port is plugged", || a.run("ip link show net1").ok());
    pod.quiet("DEL");
    let said = Said::of(&waits.wait_with_output().unwrap());
    assert!(crate::runtime::error(&said).1.contains("taken away"), "{said:?}");
    assert!(!a.run("ip link show net1").ok());
}
