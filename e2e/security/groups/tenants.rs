//! Groups where addresses are not what they seem: of two tenants, translated on the way, one's own from outside.

use tenet::api::Protocol::{TCP, UDP};

use crate::support::{Call, Guest, Host, until};
use crate::wire::on_both_paths;

/// A tenant with a server at 10.0.0.2 and guests at 10.0.0.5 and 10.0.0.6; `MEMBER` is in its group `clients`.
const TENANT: &str = "
Network TENANT/net
Subnet TENANT/net {networkRef: {name: net}, cidr: 10.0.0.0/24}
SecurityGroup TENANT/clients {rules: [{direction: Egress}]}
SecurityGroup TENANT/others {rules: [{direction: Egress}]}
SecurityGroup TENANT/servers {rules: [{direction: Ingress, remote: {groupRef: {name: clients, namespace: red}}},
    {direction: Ingress, remote: {groupRef: {name: clients, namespace: blue}}}]}
ReferenceGrant TENANT/all {from: [{namespace: '*'}], to: [{kind: SecurityGroup}]}
Port TENANT/server {networkRef: {name: net}, addresses: [{ip: 10.0.0.2}], securityGroupRefs: [{name: servers}]}
Port TENANT/five {networkRef: {name: net}, addresses: [{ip: 10.0.0.5}], securityGroupRefs: [{name: FIVE}]}
Port TENANT/six {networkRef: {name: net}, addresses: [{ip: 10.0.0.6}], securityGroupRefs: [{name: SIX}]}
";

fn tenant(name: &str, five: &str, six: &str) -> String {
    TENANT.replace("TENANT", name).replace("FIVE", five).replace("SIX", six)
}

/// The rules of both tenants name the groups of both, and yet an address is a member only where it is that member's.
#[test]
fn a_member_of_one_tenants_group_lets_nobody_in_at_the_others_same_address() {
    on_both_paths(|mut host| {
        host.declare("red.yaml", &tenant("red", "clients", "others"));
        host.declare("blue.yaml", &tenant("blue", "others", "clients"));
        host.start();
        let guests = |namespace: &str| {
            ["server", "five", "six"].map(|name| {
                let guest = host.plugged(&format!("{namespace}/{name}"), &format!("{namespace}-{name}"));
                guest.answers(80);
                guest
            })
        };
        let [red, blue] = ["red", "blue"].map(guests);
        let served = |five: &Guest, six: &Guest, is: [bool; 2], server: &str| {
            for (guest, is, ip) in [(five, is[0], "10.0.0.5"), (six, is[1], "10.0.0.6")] {
                if is {
                    for protocol in [TCP, UDP] {
                        guest.wait_seen(protocol, "10.0.0.2:80", &format!("{server} {ip}"));
                    }
                } else {
                    until("it is not let in", || guest.silent("10.0.0.2:80"));
                }
            }
        };
        served(&red[1], &red[2], [true, false], "red-server");
        served(&blue[1], &blue[2], [false, true], "blue-server");
        let mut call = blue[2].call(TCP, "10.0.0.2:80").unwrap();
        assert!(call.alive());
        host.declare("red.yaml", &tenant("red", "others", "clients"));
        host.declare("blue.yaml", &tenant("blue", "clients", "others"));
        call.wait_dead();
        served(&red[1], &red[2], [false, true], "red-server");
        served(&blue[1], &blue[2], [true, false], "blue-server");
    });
}

const OUTSIDE: &str = "
PhysicalNetwork public {attachments: [{interface: br-ext}]}
Network public {external: true, provider: {physicalNetwork: public, type: Flat}}
Subnet public {networkRef: {name: public}, cidr: 203.0.113.0/24, dhcp: false,
    allocationPools: [{start: 203.0.113.10, end: 203.0.113.20}]}
Network blue
Subnet web {networkRef: {name: blue}, cidr: 10.0.0.0/24}
Subnet db {networkRef: {name: blue}, cidr: 10.0.1.0/24}
Router r {interfaces: [{subnetRef: {name: web}}, {subnetRef: {name: db}}], externalGateway: {networkRef: {name: public}}}
SecurityGroup out {rules: [{direction: Egress}]}
Port a {networkRef: {name: blue}, addresses: [{ip: 10.0.0.11}], securityGroupRefs: [{name: a}]}
Port b {networkRef: {name: blue}, addresses: [{ip: 10.0.0.12}], securityGroupRefs: [{name: out}]}
Port c {networkRef: {name: blue}, addresses: [{ip: 10.0.1.11}], securityGroupRefs: [{name: out}]}
FloatingIP f {networkRef: {name: public}, ip: 203.0.113.100, portRef: {name: a}}
";

/// The group of the guest with the floating IP: it lets in one range, and goes to one.
fn group(inward: &str, outward: &str) -> String {
    let rules = |direction: &str, cidr: &str| match cidr {
        "" => String::new(),
        cidr => format!(
            "{{direction: {direction}, protocol: TCP, port: 80, remote: {{cidr: {cidr}}}}},
    {{direction: {direction}, protocol: UDP, port: 80, remote: {{cidr: {cidr}}}}},"
        ),
    };
    format!("SecurityGroup a {{rules: [{}{}]}}", rules("Ingress", inward), rules("Egress", outward))
}

fn world(host: &mut Host, group: &str) -> ([Guest; 3], Guest) {
    host.bridge("br-ext", "203.0.113.1/24");
    host.declare("all.yaml", OUTSIDE);
    host.declare("group.yaml", group);
    host.start();
    let guests = ["a", "b", "c"].map(|name| host.plugged(name, name));
    let outside = host.outside();
    guests.iter().chain([&outside]).for_each(|guest| guest.answers(80));
    (guests, outside)
}

#[test]
fn who_comes_by_a_floating_ip_is_judged_by_its_own_address() {
    on_both_paths(|mut host| {
        let ([a, b, _], outside) = world(&mut host, &group("203.0.113.1/32", ""));
        for protocol in [TCP, UDP] {
            outside.wait_seen(protocol, "203.0.113.100:80", "a 203.0.113.1");
        }
        assert!(!outside.pings("203.0.113.100"), "the group lets no ping in");
        assert!(a.silent("203.0.113.1:80"), "the guest begins nothing");
        assert!(b.silent("203.0.113.100:80"), "who comes from inside is somebody else");
        let mut calls = [TCP, UDP].map(|protocol| outside.call(protocol, "203.0.113.100:80").unwrap());
        assert!(calls.iter_mut().all(Call::alive));
        host.declare("group.yaml", &group("203.0.113.2/32", ""));
        calls.iter_mut().for_each(Call::wait_dead);
        assert!(outside.silent("203.0.113.100:80"));
    });
}

#[test]
fn what_goes_outside_is_judged_before_it_is_translated_and_its_answers_come_back() {
    on_both_paths(|mut host| {
        let ([a, b, c], outside) = world(&mut host, &group("", "203.0.113.1/32"));
        for protocol in [TCP, UDP] {
            a.wait_seen(protocol, "203.0.113.1:80", "outside 203.0.113.100");
            b.wait_seen(protocol, "203.0.113.1:80", "outside 203.0.113.10");
            c.wait_seen(protocol, "203.0.113.1:80", "outside 203.0.113.10");
        }
        assert!(!a.pings("203.0.113.1") && b.pings("203.0.113.1"), "one group allows ping");
        assert!(outside.silent("203.0.113.100:80") && b.silent("10.0.0.11:80"), "nobody is let in");
        let mut calls = [TCP, UDP].map(|protocol| a.call(protocol, "203.0.113.1:80").unwrap());
        assert!(calls.iter_mut().all(Call::alive));
        host.declare("group.yaml", &group("", "203.0.113.2/32"));
        calls.iter_mut().for_each(Call::wait_dead);
    });
}

/// Who calls a floating IP from inside comes from an address outside, for the router translates both.
#[test]
fn a_guest_reaches_its_own_floating_ip_if_its_group_lets_it_go_and_come() {
    on_both_paths(|mut host| {
        let ([a, b, c], _) = world(&mut host, &group("203.0.113.0/24", "203.0.113.0/24"));
        for protocol in [TCP, UDP] {
            a.wait_seen(protocol, "203.0.113.100:80", "a 203.0.113.100");
            for guest in [&b, &c] {
                let seen = |seen: String| seen.starts_with("a 203.0.113.");
                until(&format!("{} reaches it", guest.name), || {
                    guest.seen(protocol, "203.0.113.100:80").is_some_and(seen)
                });
            }
        }
        let mut calls = [TCP, UDP].map(|protocol| a.call(protocol, "203.0.113.100:80").unwrap());
        assert!(calls.iter_mut().all(Call::alive));
        host.declare("group.yaml", &group("", "203.0.113.0/24"));
        calls.iter_mut().for_each(Call::wait_dead);
        assert!([&a, &b, &c].iter().all(|guest| guest.silent("203.0.113.100:80")), "its group lets nobody in");
        host.declare("group.yaml", &group("203.0.113.0/24", "203.0.113.1/32"));
        until("others are let in", || b.seen(TCP, "203.0.113.100:80").is_some());
        assert!(a.silent("203.0.113.100:80"), "its group does not let it go");
    });
}
