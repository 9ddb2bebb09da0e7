//! The order of a drawing: the outside first, below it the routers that leave to it, below these their networks. Whatever
//! is drawn already is named where it would come again.

use std::collections::BTreeSet;

use crate::model::Key;
use crate::model::chart::Chart;

/// A network or a router, by its position in the chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Item {
    /// A network.
    Network(usize),
    /// A router.
    Router(usize),
}

/// A connection of a router with a network.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Edge {
    router: usize,
    network: usize,
    label: String,
}

/// One thing in the drawing, with what hangs on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Branch {
    /// What.
    pub item: Item,
    /// What is below it: the connection in words, and the thing, or only its name where it is drawn elsewhere.
    pub below: Vec<(String, Below)>,
}

/// What hangs on a thing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Below {
    /// It is drawn here.
    Here(Branch),
    /// It is drawn elsewhere.
    Elsewhere(Item),
}

/// Puts a chart in order; nothing is deeper than `depth`.
pub fn order(chart: &Chart, depth: usize) -> Vec<Branch> {
    let mut order = Order { edges: edges(chart), drawn: BTreeSet::new(), said: BTreeSet::new() };
    let is_outside = |index: &usize| order.edges.iter().any(|e| e.network == *index) && chart.networks[*index].external;
    let (outside, inside): (Vec<_>, Vec<_>) = (0..chart.networks.len()).partition(is_outside);
    let routers = (0..chart.routers.len()).map(Item::Router);
    let all = outside.into_iter().map(Item::Network).chain(routers).chain(inside.into_iter().map(Item::Network));
    let mut roots = Vec::new();
    for item in all {
        if order.drawn.insert(item) {
            roots.push(order.branch(item, depth));
        }
    }
    roots
}

struct Order {
    edges: Vec<Edge>,
    drawn: BTreeSet<Item>,
    /// Edges that are in the drawing.
    said: BTreeSet<usize>,
}

impl Order {
    fn branch(&mut self, item: Item, depth: usize) -> Branch {
        let mut below = Vec::new();
        for index in 0..self.edges.len() {
            let Edge { router, network, label } = &self.edges[index];
            let (router, network) = (Item::Router(*router), Item::Network(*network));
            let other = if item == router { network } else { router };
            if (item != router && item != network) || !self.said.insert(index) {
                continue;
            }
            let label = label.clone();
            // What is too deep is drawn by itself, later.
            let here = depth > 0 && self.drawn.insert(other);
            let what = if here { Below::Here(self.branch(other, depth - 1)) } else { Below::Elsewhere(other) };
            below.push((label, what));
        }
        Branch { item, below }
    }
}

fn edges(chart: &Chart) -> Vec<Edge> {
    let place = |key: &Key| chart.networks.binary_search_by(|network| network.name.cmp(key)).ok();
    let mut edges = Vec::new();
    for (index, router) in chart.routers.iter().enumerate() {
        if let Some(external) = &router.external
            && let Some(network) = place(&external.network)
        {
            let addresses: Vec<_> = external.addresses.iter().map(ToString::to_string).collect();
            let addresses = if addresses.is_empty() { "no address yet".into() } else { addresses.join(", ") };
            let snat = if external.snat { ", SNAT" } else { ", no SNAT" };
            edges.push(Edge { router: index, network, label: format!("{addresses}{snat}") });
        }
        for leg in &router.legs {
            if let Some(network) = leg.network.as_ref().and_then(&place) {
                let label = leg.ip.map_or_else(|| "no address yet".into(), |ip| ip.to_string());
                edges.push(Edge { router: index, network, label });
            }
        }
    }
    edges
}
