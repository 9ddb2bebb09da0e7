use proptest::prelude::*;

use super::svg;
use super::text::draw;
use super::words::Names;
use crate::model::Key;
use crate::model::chart::{Chart, ExternalChart, Fault, LegChart, NetworkChart, PortChart, RouterChart};
use crate::model::fixtures::{EVERY_KIND, plug, settle, world};

const HOME: Names = Names { home: Some("default") };

fn chart() -> Chart {
    let mut snapshot = world(EVERY_KIND);
    settle(&mut snapshot);
    plug(&mut snapshot, "p");
    settle(&mut snapshot).0.chart()
}

#[test]
fn a_world_is_drawn_from_the_outside_in() {
    let text = draw(&chart(), 60, HOME);
    println!("{text}");
    for word in ["Network public", "203.0.113.2, SNAT", "Router r", "⇄ p 10.0.0.2  (f)", "● p  10.0.0.2  ⇄ 203.0.113.3"]
    {
        assert!(text.contains(word), "{word}: {text}");
    }
}

#[test]
fn a_network_of_two_routers_is_drawn_once_and_named_again() {
    let mut snapshot = world(
        "
        Network mid
        Subnet mid {networkRef: {name: mid}, cidr: 10.0.0.0/24}
        Network end
        Subnet end {networkRef: {name: end}, cidr: 10.0.1.0/24}
        Router r1 {interfaces: [{subnetRef: {name: mid}}, {subnetRef: {name: end}}]}
        Router r2 {interfaces: [{subnetRef: {name: mid}, ip: 10.0.0.254}, {subnetRef: {name: end}, ip: 10.0.1.254}]}",
    );
    // A topology knows what was recorded before it was linked.
    settle(&mut snapshot);
    let text = draw(&settle(&mut snapshot).0.chart(), 80, HOME);
    assert_eq!(text.matches("┬ Network mid").count() + text.matches("┌ Network mid").count(), 1, "{text}");
    assert!(text.contains("drawn elsewhere") && text.matches("10.0.1.254").count() == 1, "{text}");
}

#[test]
fn a_picture_is_the_same_each_time_and_has_no_foreign_words() {
    let mut chart = chart();
    chart.networks[0].fault =
        Some(Fault { reason: "<script>".into(), message: "\"quoted\" & 'so' \u{1b}[31m \u{202e}".into() });
    let picture = svg::draw(&chart, HOME);
    assert_eq!(picture, svg::draw(&chart, HOME));
    assert!(picture.contains("&lt;script&gt;") && !picture.contains("<script"), "{picture}");
    assert!(!picture.contains(['\u{1b}', '\u{202e}']), "{picture}");
    assert!(!draw(&chart, 80, HOME).contains(['\u{1b}', '\u{202e}']));
}

fn charts() -> impl Strategy<Value = Chart> {
    let key = |text: String| Key::new("default", &text);
    let fault =
        proptest::option::of(("[A-Za-z<]{1,6}", ".{0,80}").prop_map(|(reason, message)| Fault { reason, message }));
    let port = (".{0,20}", fault.clone(), proptest::option::of("n[0-9]")).prop_map(move |(name, fault, node)| {
        PortChart { name: key(name), addresses: vec!["10.0.0.1".parse().unwrap()], node, pod: None, fault }
    });
    let network = (any::<bool>(), fault.clone(), proptest::collection::vec(port, 0..40));
    let networks = proptest::collection::vec(network, 0..8).prop_map(move |all| {
        let of = |(number, (external, fault, ports)): (usize, (bool, Option<Fault>, Vec<PortChart>))| NetworkChart {
            name: key(format!("n{number}")),
            known: true,
            external,
            provider: None,
            vni: Some(7),
            mtu: None,
            fault,
            subnets: Vec::new(),
            ports,
        };
        all.into_iter().enumerate().map(of).collect::<Vec<_>>()
    });
    let legs = proptest::collection::vec(0..10usize, 0..6);
    let router = (legs, proptest::option::of(0..10usize), ".{0,30}", fault);
    (networks, proptest::collection::vec(router, 0..12)).prop_map(move |(networks, routers)| {
        let network = move |number: usize| key(format!("n{number}"));
        let router = |(legs, outside, name, fault): (Vec<usize>, Option<usize>, String, Option<Fault>)| RouterChart {
            name: key(name),
            legs: legs
                .into_iter()
                .map(|n| LegChart { subnet: key("s".into()), network: Some(network(n)), ip: None })
                .collect(),
            external: outside.map(|n| ExternalChart { network: network(n), addresses: Vec::new(), snat: true }),
            gateway_node: None,
            routes: Vec::new(),
            fault,
        };
        Chart { networks, routers: routers.into_iter().map(router).collect(), floating_ips: Vec::new() }
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn any_chart_is_drawn_and_no_line_is_too_long(chart in charts(), width in 40..200usize) {
        let text = draw(&chart, width, HOME);
        for line in text.lines().filter(|line| !line.starts_with('●')) {
            prop_assert!(line.chars().count() <= width.max(44), "{} is longer than {width}: {text}", line);
        }
        let titles = text.matches("┬ Router").count() + text.matches("┌ Router").count()
            + text.matches("┬ ✗ Router").count() + text.matches("┌ ✗ Router").count();
        prop_assert!(titles >= chart.routers.len(), "{text}");
        let picture = svg::draw(&chart, HOME);
        prop_assert!(!picture.chars().any(|c| c.is_control() && c != '\n'));
    }
}
