//! The board and the alerts of `manifests/monitoring` use the figures that there are, and the board shows them all.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use serde_json::Value;
use tenet::controller::figures::Figures as Decided;
use tenet::model::{NodeView, Report, Snapshot};
use tenet::node::figures::Figures as Converged;

use crate::manifests::folder;

/// The pages that a controller and an agent serve.
fn pages() -> String {
    let world = "apiVersion: tenet.network/v1alpha1\nkind: Subnet\nmetadata: {name: web, namespace: blue}\n\
                 spec: {networkRef: {name: blue}, cidr: 10.0.0.0/24}\nstatus: {allocated: 1, free: 9}\n";
    let subnet: tenet::api::Subnet = serde_saphyr::from_str(world).unwrap();
    let mut snapshot = Snapshot::default();
    snapshot.subnets.insert(tenet::model::Key::new("blue", "web"), subnet.into());
    let controller = Decided::default().page(&snapshot, true, 0);
    controller + &Converged::default().page(&NodeView::default(), &Report::default(), 0, 0)
}

/// The figures by name, each with the labels and values that it has. A histogram is one figure.
fn figures() -> BTreeMap<String, BTreeSet<(String, String)>> {
    let (pages, mut all) = (pages(), BTreeMap::<_, BTreeSet<_>>::new());
    for line in pages.lines() {
        if let Some(line) = line.strip_prefix("# TYPE ") {
            all.entry(line.split(' ').next().unwrap().to_owned()).or_default();
        } else if let Some((name, rest)) = line.split_once('{') {
            let labels = rest.split_once('}').unwrap().0.split(',').map(|label| label.split_once('=').unwrap());
            let labels = labels.map(|(label, value)| (label.to_owned(), value.trim_matches('"').to_owned()));
            all.entry(figure(name).to_owned()).or_default().extend(labels);
        }
    }
    all
}

/// The figure that a series is of.
fn figure(series: &str) -> &str {
    ["_bucket", "_sum", "_count"].iter().find_map(|end| series.strip_suffix(end)).unwrap_or(series)
}

/// Names of figures in an expression, each with what follows up to the next.
fn named(expression: &str) -> Vec<(&str, &str)> {
    let starts = expression.match_indices("tenet_").map(|(at, _)| &expression[at..]);
    starts
        .map(|text| {
            let end = text.find(|c: char| !c.is_ascii_lowercase() && c != '_').unwrap_or(text.len());
            (figure(&text[..end]), &text[end..])
        })
        .collect()
}

/// Every figure that is named exists, and has the labels by which it is picked.
fn check(expression: &str, figures: &BTreeMap<String, BTreeSet<(String, String)>>) {
    for (name, rest) in named(expression) {
        let labels = figures.get(name).unwrap_or_else(|| panic!("there is no figure {name}: {expression}"));
        let picked = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')).map_or("", |(picked, _)| picked);
        for pick in picked.split(',').filter(|pick| !pick.is_empty()) {
            let (label, value) = pick.split_once('=').unwrap();
            let pair = (label.to_owned(), value.trim_matches('"').to_owned());
            assert!(labels.contains(&pair), "{name} is never {pick}: {expression}");
        }
    }
}

fn board() -> Vec<String> {
    let board: Value =
        serde_json::from_str(&fs::read_to_string(folder().join("monitoring/board.json")).unwrap()).unwrap();
    let targets = board["panels"].as_array().unwrap().iter().flat_map(|panel| panel["targets"].as_array().unwrap());
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_board_shows_every_figure_and_none_that_there_is_not() {
    let (figures, board) = (figures(), board());
    for expression in &board {
        check(expression, &figures);
    }
    let shown: BTreeSet<&str> = board.iter().flat_map(|expression| named(expression)).map(|(name, _)| name).collect();
    for name in figures.keys() {
        assert!(shown.contains(name.as_str()), "manifests/monitoring/board.json does not show {name}");
    }
}

#[test]
fn alerts_and_the_table_of_the_manual_use_figures_that_there_are() {
    let (figures, read) = (figures(), |file: &str| fs::read_to_string(folder().join(file)).unwrap());
    let alerts: Value = serde_saphyr::from_str(&read("monitoring/alerts.yaml")).unwrap();
    let rules = alerts["spec"]["groups"][0]["rules"].as_array().unwrap();
    assert!(rules.len() > 3);
    for rule in rules {
        check(rule["expr"].as_str().unwrap(), &figures);
        assert!(rule["annotations"]["description"].is_string(), "{rule}");
    }
    let table = read("README.md");
    let told: BTreeSet<&str> = table
        .lines()
        .filter(|line| line.starts_with("| `tenet_"))
        .flat_map(|line| named(line.split_once(" | ").unwrap().0))
        .map(|(name, _)| name)
        .collect();
    let there: BTreeSet<&str> = figures.keys().map(String::as_str).filter(|name| *name != "tenet_build_info").collect();
    assert_eq!(told, there, "the table of manifests/README.md");
}
