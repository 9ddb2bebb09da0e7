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
pub struct Edge {
    /// Position of the router.
    pub router: usize,
    /// Position of the network.
    pub network: usize,
    /// The router's addresses there.
    pub label: String,
    /// Whether it leads to the outside.
    pub external: bool,
}

impl Edge {
    /// Whether it ends at a thing.
    pub fn is_at(&self, item: Item) -> bool {
        item == Item::Router(self.router) || item == Item::Network(self.network)
    }

    /// Its other end.
    pub fn other(&self, item: Item) -> Item {
        let (router, network) = (Item::Router(self.router), Item::Network(self.network));
        if item == router { network } else { router }
    }
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

/// All things of a drawing, in its order.
pub fn sequence(roots: &[Branch]) -> Vec<Item> {
    let mut items = Vec::new();
    let mut open: Vec<&Branch> = roots.iter().rev().collect();
    while let Some(branch) = open.pop() {
        items.push(branch.item);
        let below = branch.below.iter().rev().filter_map(|(_, below)| match below {
            Below::Here(branch) => Some(branch),
            Below::Elsewhere(_) => None,
        });
        open.extend(below);
    }
    items
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
            let edge = &self.edges[index];
            if !edge.is_at(item) || !self.said.insert(index) {
                continue;
            }
            let (label, other) = (edge.label.clone(), edge.other(item));
            // What is too deep is drawn by itself, later.
            let here = depth > 0 && self.drawn.insert(other);
            let what = if here { Below::Here(self.branch(other, depth - 1)) } else { Below::Elsewhere(other) };
            below.push((label, what));
        }
        Branch { item, below }
    }
}

/// All connections.
pub fn edges(chart: &Chart) -> Vec<Edge> {
    let place = |key: &Key| chart.networks.binary_search_by(|network| network.name.cmp(key)).ok();
    let mut edges = Vec::new();
    for (index, router) in chart.routers.iter().enumerate() {
        if let Some(external) = &router.external
            && let Some(network) = place(&external.network)
        {
            let addresses: Vec<_> = external.addresses.iter().map(ToString::to_string).collect();
            let addresses = if addresses.is_empty() { "no address yet".into() } else { addresses.join(", ") };
            let snat = if external.snat { ", SNAT" } else { ", no SNAT" };
            edges.push(Edge { router: index, network, label: format!("{addresses}{snat}"), external: true });
        }
        for leg in &router.legs {
            if let Some(network) = leg.network.as_ref().and_then(&place) {
                let label = leg.ip.map_or_else(|| "no address yet".into(), |ip| ip.to_string());
                edges.push(Edge { router: index, network, label, external: false });
            }
        }
    }
    edges
}
