//! Edits under running calls: what is forbidden is cut, others' calls go on, what is allowed anew is let in.

use super::{ANSWER, CLIENT, CLIENTS, SERVED, SERVER, SERVERS, calls, cut, files, guests, let_in};
use crate::support::{Call, Guest, Host, until};
use crate::wire::on_both_paths;

/// Two neighbours whose calls no edit is about.
const BYSTANDERS: &str = "
SecurityGroup apart {rules: [{direction: Ingress, protocol: TCP, port: 80, remote: {cidr: 10.0.0.0/24}},
    {direction: Ingress, protocol: UDP, port: 80, remote: {groupRef: {name: apart}}}, {direction: Egress}]}
Port by {networkRef: {name: blue}, addresses: [{ip: 10.0.0.21}], securityGroupRefs: [{name: apart}]}
Port stander {networkRef: {name: blue}, addresses: [{ip: 10.0.0.22}], securityGroupRefs: [{name: apart}]}
";

/// An edit cuts the client from the server, and the next one lets it in again.
fn try_edits(host: &mut Host, what: &str, edit: impl FnOnce(&Host), back: impl FnOnce(&Host)) {
    host.declare("bystanders.yaml", BYSTANDERS);
    host.start();
    let [client, _server, _stranger] = guests(host);
    let [by, stander] = ["by", "stander"].map(|name| host.plugged(name, name));
    stander.answers(80);
    let mut others = calls(&by, "10.0.0.22:80", "stander 10.0.0.21");
    let [tcp, udp] = calls(&client, SERVED, ANSWER);
    let mut cuts = [tcp, udp];
    cut(what, &mut cuts, || edit(host));
    assert!(others.iter_mut().all(Call::alive), "others' calls go on");
    assert!(client.silent(SERVED), "and nothing new begins");
    let_in(what, &client, SERVED, ANSWER, || back(host));
    let [tcp, udp] = &mut cuts;
    assert!(tcp.dead(), "a connection that was cut was forgotten");
    assert!(udp.alive(), "datagrams begin anew");
    assert!(others.iter_mut().all(Call::alive), "others' calls go on");
}

#[test]
fn a_rule_that_goes_cuts_and_one_that_comes_lets_in() {
    on_both_paths(|mut host| {
        files(&host);
        let none = |host: &Host| host.declare("servers.yaml", "SecurityGroup server {rules: [{direction: Egress}]}");
        try_edits(&mut host, "a rule", none, |host| host.declare("servers.yaml", SERVERS));
    });
}

#[test]
fn a_rule_of_egress_that_goes_cuts() {
    on_both_paths(|mut host| {
        files(&host);
        let none = |host: &Host| host.declare("clients.yaml", "SecurityGroup client {rules: [{direction: Ingress}]}");
        try_edits(&mut host, "a rule of egress", none, |host| host.declare("clients.yaml", CLIENTS));
    });
}

#[test]
fn a_port_that_leaves_its_group_is_cut_and_one_that_joins_is_let_in() {
    on_both_paths(|mut host| {
        files(&host);
        let leave = |host: &Host| host.edit("server.yaml", "{name: server}]", "{name: stranger}]");
        try_edits(&mut host, "the server's group", leave, |host| host.declare("server.yaml", SERVER));
    });
}

#[test]
fn a_port_that_leaves_a_remote_group_is_cut_and_one_that_joins_is_let_in() {
    on_both_paths(|mut host| {
        files(&host);
        let leave = |host: &Host| host.edit("client.yaml", "{name: client}]", "{name: stranger}]");
        try_edits(&mut host, "the client's group", leave, |host| host.declare("client.yaml", CLIENT));
    });
}

#[test]
fn the_group_default_without_its_object_lets_in_its_members_only() {
    on_both_paths(|mut host| {
        files(&host);
        let open = "SecurityGroup default {rules: [{direction: Ingress}, {direction: Egress}]}";
        host.declare("default.yaml", open);
        host.edit("server.yaml", ", securityGroupRefs: [{name: server}]", "");
        try_edits(
            &mut host,
            "the group default",
            |host| host.remove("default.yaml"),
            |host| {
                host.declare("default.yaml", open);
            },
        );
    });
}

#[test]
fn a_group_in_use_stays_when_its_object_goes_and_is_gone_with_its_last_port() {
    on_both_paths(|mut host| {
        files(&host);
        host.start();
        let [client, ..] = guests(&host);
        let mut both = calls(&client, SERVED, ANSWER);
        host.remove("servers.yaml");
        until("it says that it waits", || {
            host.condition("securitygroup", "server", "Ready").is_some_and(|(_, reason, _)| reason == "InUse")
        });
        assert!(both.iter_mut().all(Call::alive), "until then it says what passes");
        cut("the group", &mut both, || host.edit("server.yaml", "{name: server}]", "{name: stranger}]"));
        until("it is gone", || host.object("securitygroup", "server").is_null());
    });
}

const GRANT: &str = "ReferenceGrant infra/to-default {from: [{namespace: default}], to: [{kind: SecurityGroup}]}\n";

#[test]
fn a_grant_that_is_withdrawn_cuts() {
    on_both_paths(|mut host| {
        files(&host);
        host.remove("servers.yaml");
        let shared = SERVERS
            .replace("SecurityGroup server", "SecurityGroup infra/server")
            .replace("groupRef: {name: client}", "groupRef: {name: client, namespace: default}");
        let back = "ReferenceGrant to-infra {from: [{namespace: infra}], to: [{kind: SecurityGroup}]}\n";
        host.declare("shared.yaml", &[&shared, back].concat());
        host.declare("grant.yaml", GRANT);
        host.edit("server.yaml", "{name: server}]", "{name: server, namespace: infra}]");
        try_edits(
            &mut host,
            "a grant of a group",
            |host| host.remove("grant.yaml"),
            |host| {
                host.declare("grant.yaml", GRANT);
            },
        );
    });
}

#[test]
fn a_grant_of_a_remote_group_that_is_withdrawn_cuts() {
    on_both_paths(|mut host| {
        files(&host);
        host.declare("clients.yaml", &CLIENTS.replace("SecurityGroup client", "SecurityGroup infra/client"));
        host.declare("grant.yaml", GRANT);
        host.edit("client.yaml", "{name: client}]", "{name: client, namespace: infra}]");
        host.declare(
            "servers.yaml",
            &SERVERS.replace("groupRef: {name: client}", "groupRef: {name: client, namespace: infra}"),
        );
        // The client keeps a group of its own, so that the rule alone is what is cut.
        host.edit("client.yaml", "namespace: infra}]", "namespace: infra}, {name: stranger}]");
        try_edits(
            &mut host,
            "a grant of a remote group",
            |host| host.remove("grant.yaml"),
            |host| {
                host.declare("grant.yaml", GRANT);
            },
        );
    });
}

/// Whoever sends from a member's address is let in, as long as somebody holds that address.
#[test]
fn an_address_is_a_members_while_the_member_is_plugged() {
    on_both_paths(|mut host| {
        files(&host);
        host.declare(
            "open.yaml",
            "Port open {networkRef: {name: blue}, addresses: [{ip: 10.0.0.30}], portSecurity: false}",
        );
        host.edit("client.yaml", "securityGroupRefs", "allowedAddressPairs: [{ip: 10.0.0.111}], securityGroupRefs");
        host.start();
        let [_client, _server, stranger] = guests(&host);
        let open: Guest = host.plugged("open", "open");
        open.ip("addr flush dev eth0\naddr add 10.0.0.111/24 dev eth0");
        let mut both = calls(&open, SERVED, "server 10.0.0.111");
        cut("a member", &mut both, || drop(host.tenet("unplug client").expect_ok()));
        assert!(open.silent(SERVED) && stranger.silent(SERVED));
        let_in("a member", &open, SERVED, "server 10.0.0.111", || {
            host.tenet("plug client --netns client --timeout 10s").expect_ok();
        });
    });
}
