use proptest::prelude::*;

use super::*;

fn of(annotations: &[(&str, &str)]) -> Result<Attachments, String> {
    let annotations = annotations.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Attachments::of(&annotations, "team-a").map_err(|refusal| refusal.to_string())
}

fn network(namespace: &str, name: &str, interface: &str) -> Entry {
    let what = What::Network { namespace: namespace.into(), name: name.into() };
    Entry { what, interface: interface.into() }
}

#[test]
fn entries_count_networks_first_and_interfaces_are_numbered_over_all() {
    let all = of(&[(PORTS, "web-0"), (NETWORKS, " blue , infra/red@eth2"), (DEFAULT_ROUTE, "blue")]);
    let port = Entry { what: What::Port { name: "web-0".into() }, interface: "net3".into() };
    let entries = vec![network("team-a", "blue", "net1"), network("infra", "red", "eth2"), port];
    let names: Vec<String> = entries.iter().map(|entry| entry.port("db-0")).collect();
    assert_eq!(all, Ok(Attachments { entries, default_route: Some(0) }));
    assert_eq!(names, ["db-0-net1", "db-0-eth2", "web-0"]);
}

#[test]
fn without_annotations_a_pod_asks_for_nothing() {
    for annotations in [&[][..], &[("other", "blue")], &[(NETWORKS, " "), (PORTS, ""), (DEFAULT_ROUTE, " ")]] {
        assert_eq!(of(annotations), Ok(Attachments::default()));
    }
}

#[test]
fn the_default_route_leads_through_one_entry() {
    let route = |networks, ports, word| {
        of(&[(NETWORKS, networks), (PORTS, ports), (DEFAULT_ROUTE, word)]).map(|all| all.default_route)
    };
    assert_eq!(route("blue, infra/blue", "", "infra/blue"), Ok(Some(1)));
    assert_eq!(route("blue, infra/blue", "", "team-a/blue"), Ok(Some(0)));
    assert_eq!(route("blue, infra/blue", "", "blue"), Ok(Some(0)));
    assert_eq!(route("blue, blue", "", "blue@net2"), Ok(Some(1)));
    assert_eq!(route("blue, blue", "", "@net2"), Ok(Some(1)));
    assert_eq!(route("blue", "web-0", "web-0"), Ok(Some(1)));
    assert!(route("blue, blue", "", "blue").is_err_and(|why| why.contains("`blue` means several")));
    assert!(route("blue", "", "red").is_err_and(|why| why.contains("`red` is no entry")));
    assert!(route("infra/blue", "", "blue").is_err());
    assert!(route("", "", "blue").is_err());
}

#[test]
fn a_refusal_quotes_what_is_wrong_and_says_what_to_do() {
    for (annotation, value, quoted, todo) in [
        (NETWORKS, "blue,,red", "`blue,,red`", "remove the comma"),
        (NETWORKS, "Blue", "`Blue`", "lower case"),
        (NETWORKS, "a/b/c", "`a/b/c`", "lower case"),
        (NETWORKS, "a.b/c", "`a.b/c`", "name of a namespace"),
        (NETWORKS, "/blue", "`/blue`", "name of a namespace"),
        (NETWORKS, "blue@", "`blue@`", "after the '@'"),
        (NETWORKS, "blue@eth0", "`blue@eth0`", "choose another name"),
        (NETWORKS, "blue@a/b", "`blue@a/b`", "no blank"),
        (NETWORKS, "blue@net%d", "`blue@net%d`", "no blank"),
        (NETWORKS, "blue@sixteen-letters-", "`blue@sixteen-letters-`", "at most 15"),
        (NETWORKS, "blue@net2, red", "`red`", "by @name"),
        (NETWORKS, "blue\u{7}", "`blue\\u{7}`", "lower case"),
        (PORTS, "web-0, web-0", "`web-0`", "remove one"),
        (PORTS, "infra/web-0", "`infra/web-0`", "without a namespace"),
    ] {
        let why = of(&[(annotation, value)]).err().unwrap_or_default();
        assert!(why.contains(quoted) && why.contains(todo) && why.starts_with(annotation), "{why}");
    }
    let many = ["blue"; MOST + 1].join(",");
    assert!(of(&[(NETWORKS, &many)]).is_err_and(|why| why.contains("17 entries")));
    assert!(of(&[(NETWORKS, &"x".repeat(9999))]).is_err_and(|why| why.len() < 400));
}

#[test]
fn a_port_is_called_after_pod_and_interface_and_never_after_two_of_them() {
    assert_eq!(port_name("web-0", "net1"), "web-0-net1");
    let mut names = BTreeSet::new();
    let long = "a".repeat(253);
    for (pod, interface) in [
        ("web-0", "net1"),
        ("web", "0-net1"),
        ("web", "net1"),
        ("web", "Net1"),
        ("web", "NET1"),
        ("web", "net.1"),
        ("web", "net_1"),
        ("web", "net-1"),
        (&long, "net1"),
        (&long, "net2"),
        (&long[..252], "net1"),
    ] {
        let name = port_name(pod, interface);
        assert!(is_name(&name), "{name}");
        assert!(names.insert(name), "{pod} {interface}");
    }
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_or_refused(networks in ".{0,60}", ports in "[a-z@/, .0-9-]{0,60}", route in ".{0,20}") {
        let read = of(&[(NETWORKS, &networks), (PORTS, &ports), (DEFAULT_ROUTE, &route)]);
        for entry in read.iter().flat_map(|all| &all.entries) {
            prop_assert!(interface_name(&entry.interface).is_ok());
            prop_assert!(is_name(&entry.port("web-0")));
        }
    }

    #[test]
    fn what_is_read_has_interfaces_and_new_ports_of_its_own(networks in "([a-c]/)?[ab](@[a-c1])?(, ?([a-c]/)?[ab](@[a-cA-C.-]{1,3})?){0,6}") {
        let Ok(all) = of(&[(NETWORKS, &networks)]) else { return Ok(()) };
        let interfaces: BTreeSet<&str> = all.entries.iter().map(|entry| &*entry.interface).collect();
        let ports: BTreeSet<String> = all.entries.iter().map(|entry| entry.port("web-0")).collect();
        prop_assert_eq!((interfaces.len(), ports.len()), (all.entries.len(), all.entries.len()));
    }

    #[test]
    fn names_of_ports_are_valid_and_distinct(a in ("[a-z0-9.-]{1,260}", "[!-~]{1,15}"), b in ("[a-z0-9-]{1,9}", "[a-z0-9-]{1,9}"), other in ".{0,20}") {
        let (one, two) = (port_name(&a.0, &a.1), port_name(&b.0, &b.1));
        prop_assert!(is_name(&one) && is_name(&two) && is_name(&port_name(&other, &other)), "{} {}", one, two);
        prop_assert!(one != two || a == b);
    }
}
