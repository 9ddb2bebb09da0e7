//! Which physical network has an interface.

use crate::api::{ConditionType, Reason};
use crate::model::fixtures::{add, id, settle, view, world};
use crate::model::link;

#[test]
fn two_physical_networks_that_meet_on_one_interface_are_refused_wherever_the_specs_can_tell() {
    let (rack, zone) = ("nodeSelector: {matchLabels: {rack: a}}", "nodeSelector: {matchLabels: {zone: z}}");
    let both = "nodeSelector: {matchLabels: {rack: a, zone: z}}";
    let cases: [(&str, &str, bool); 11] = [
        ("{interface: eth1}", "{interface: eth2}", false),
        ("{interface: eth1}", "{interface: eth1}", true),
        ("{interface: eth1}", "{interface: eth1, mode: Shared}", true),
        (&format!("{{{rack}, interface: eth1}}"), &format!("{{{rack}, interface: eth1}}"), true),
        (&format!("{{{rack}, interface: eth1}}"), "{interface: eth1}", true),
        (&format!("{{{both}, interface: eth1}}"), &format!("{{{zone}, interface: eth1}}"), true),
        (&format!("{{{rack}, interface: eth1}}"), &format!("{{{zone}, interface: eth1}}"), false),
        // The same interface, each time on other nodes.
        (
            &format!("{{{rack}, interface: eth1}}, {{interface: eth2}}"),
            &format!("{{{rack}, interface: eth2}}, {{interface: eth1}}"),
            false,
        ),
        (&format!("{{{rack}, interface: eth1}}"), &format!("{{{both}, interface: eth2}}, {{interface: eth1}}"), true),
        ("{interface: eth1}, {interface: eth2}", "{interface: eth2}", false),
        ("{interface: eth2}", &format!("{{{rack}, interface: eth1}}, {{interface: eth2}}"), true),
    ];
    for (old, new, clash) in cases {
        // The older stays, and the younger has the smaller name.
        let world = world(&format!(
            "PhysicalNetwork old {{attachments: [{old}]}}\nPhysicalNetwork new {{attachments: [{new}]}}"
        ));
        let (_, problems) = link(&world);
        let sentences: Vec<_> =
            problems.iter().flat_map(|(id, p)| p.iter().map(move |p| (id.to_string(), p))).collect();
        match &sentences[..] {
            [] => assert!(!clash, "{old} and {new}"),
            [(id, problem)] => {
                assert!(clash && id == "PhysicalNetwork new", "{old} and {new}: {sentences:?}");
                assert_eq!(
                    (problem.condition, problem.remark.reason),
                    (ConditionType::Accepted, Reason::InterfaceInUse)
                );
                assert!(
                    problem.remark.message.contains("is PhysicalNetwork old's already: name another"),
                    "{problem:?}"
                );
            }
            _ => panic!("{old} and {new}: {sentences:?}"),
        }
    }
}

#[test]
fn an_interface_stays_with_the_physical_network_that_has_it() {
    let mut world = world("PhysicalNetwork b {attachments: [{interface: eth1}]}");
    settle(&mut world);
    add(&mut world, 0, "PhysicalNetwork a {attachments: [{interface: eth1}]}");
    add(&mut world, 1, "Network x {provider: {physicalNetwork: a, type: Flat}}");
    let (_, problems) = link(&world);
    assert_eq!(
        problems.keys().map(ToString::to_string).collect::<Vec<_>>(),
        ["Network default/x", "PhysicalNetwork a"]
    );
    assert_eq!(problems[&id("Network x")][0].remark.reason, Reason::DependencyNotReady);
    world.physical_networks.remove(&id("PhysicalNetwork b").key);
    assert!(link(&world).1.is_empty(), "once it is given up, the other has it");
}

#[test]
fn on_one_node_the_older_of_two_has_the_interface_whatever_their_selectors() {
    let world = world(
        "PhysicalNetwork b {attachments: [{nodeSelector: {matchLabels: {rack: b}}, interface: eth1}]}
         PhysicalNetwork a {attachments: [{nodeSelector: {matchLabels: {rack: a}}, interface: eth1}]}",
    );
    let view = view(&world);
    let taken = |name| view.physical_networks[&id(&format!("PhysicalNetwork {name}")).key].taken_by.clone();
    assert_eq!((taken("a"), taken("b")), (Some(id("PhysicalNetwork b").key), None));
}
