//! A drawing as a picture: the outside at the left, routers in the middle, tenants' networks at the right. It needs nothing but
//! itself, and the same chart gives the same picture.

use std::fmt::Write as _;

use super::tree::{Edge, Item, edges, order, sequence};
use super::words::{Card, Mark, Names, clean, network, router};
use crate::model::chart::Chart;

/// Pixels of one character: the font's letters are of one width.
const LETTER: usize = 8;
/// Of a line, and of a box's head.
const LINE: usize = 19;
const HEAD: usize = 28;
/// Between boxes of one column, and around all.
const GAP: usize = 26;
const EDGE: usize = 24;
/// Between two lines that end at one box.
const LANE: usize = 18;
/// The longest line of a box, characters.
const WIDE: usize = 70;

/// A box in its place.
struct Placed {
    item: Item,
    card: Card,
    x: usize,
    y: usize,
    width: usize,
    height: usize,
    /// How many lines have ended at its left and at its right side.
    ends: [usize; 2],
}

/// Draws a chart.
pub fn draw(chart: &Chart, names: Names<'_>) -> String {
    let edges = edges(chart);
    let mut columns = columns(chart, names, &edges);
    let label = |outside: bool| {
        let of = edges.iter().filter(|edge| edge.external == outside);
        of.map(|edge| edge.label.chars().count()).max().unwrap_or(0) * LETTER + 60
    };
    let mut x = EDGE;
    for (place, column) in columns.iter_mut().enumerate() {
        let width = column.iter().map(|placed| placed.width).max().unwrap_or(0);
        for placed in column.iter_mut() {
            (placed.x, placed.width) = (x, width);
        }
        let gap = if place < 2 { label(place == 0) } else { 0 };
        x += width + if width == 0 { 0 } else { gap };
    }
    stack(&mut columns[2], |_| None);
    settle(&mut columns, 1, 2, &edges);
    settle(&mut columns, 0, 1, &edges);
    let mut all: Vec<Placed> = columns.into_iter().flatten().collect();
    let height = all.iter().map(|placed| placed.y + placed.height).max().unwrap_or(0) + EDGE + LINE;
    let width = (all.iter().map(|placed| placed.x + placed.width).max().unwrap_or(0) + EDGE).max(560);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{width}\" height=\"{height}\" \
         viewBox=\"0 0 {width} {height}\" font-family=\"DejaVu Sans Mono, Menlo, Consolas, monospace\" font-size=\"13\">\n\
         <title>Networks</title>\n<rect width=\"{width}\" height=\"{height}\" fill=\"#ffffff\"/>\n"
    );
    for edge in &edges {
        connect(&mut text, &mut all, edge);
    }
    for placed in &all {
        boxed(&mut text, placed, chart);
    }
    let legend = "● plugged   ○ not plugged   ✗ not Ready   ⇄ floating IP";
    let _ = writeln!(
        text,
        "<text x=\"{EDGE}\" y=\"{}\" fill=\"#64748b\" font-size=\"11\" xml:space=\"preserve\">{legend}</text>",
        height - 14
    );
    text + "</svg>\n"
}

/// Boxes by column, in the order of the drawing for the terminal.
fn columns(chart: &Chart, names: Names<'_>, edges: &[Edge]) -> [Vec<Placed>; 3] {
    let mut columns = [Vec::new(), Vec::new(), Vec::new()];
    for item in sequence(&order(chart, 64)) {
        let (column, card) = match item {
            Item::Network(index) => {
                let of = &chart.networks[index];
                (if of.external { 0 } else { 2 }, network(of, chart, names))
            }
            Item::Router(index) => (1, router(&chart.routers[index], chart, names)),
        };
        let line = |line: &super::words::Line| line.left.chars().count() + line.right.chars().count() + 6;
        let longest = card.lines.iter().map(line).max().unwrap_or(0);
        let head = card.title.chars().count() + card.facts.chars().count() + 4;
        let ends = edges.iter().filter(|edge| edge.is_at(item)).count();
        let height = (HEAD + card.lines.len() * LINE + 10).max(ends * LANE + 14);
        let width = longest.max(head).clamp(20, WIDE) * LETTER + 16;
        columns[column].push(Placed { item, card, x: 0, y: 0, width, height, ends: [0, 0] });
    }
    columns
}

/// Puts boxes of a column one below the other, each as near as can be to where its middle is to be.
fn stack(column: &mut [Placed], wish: impl Fn(Item) -> Option<usize>) {
    let mut free = EDGE;
    for placed in column {
        let wished = wish(placed.item).map_or(0, |middle| middle.saturating_sub(placed.height / 2));
        placed.y = free.max(wished);
        free = placed.y + placed.height + GAP;
    }
}

/// Puts the boxes of a column beside those of another that they are connected with.
fn settle(columns: &mut [Vec<Placed>; 3], column: usize, beside: usize, edges: &[Edge]) {
    let middles: Vec<(Item, usize)> = columns[beside].iter().map(|p| (p.item, p.y + p.height / 2)).collect();
    let wish = |item: Item| {
        let others = edges.iter().filter(|edge| edge.is_at(item)).filter_map(|edge| {
            let other = edge.other(item);
            middles.iter().find(|(there, _)| *there == other).map(|(_, middle)| *middle)
        });
        let others: Vec<usize> = others.collect();
        (!others.is_empty()).then(|| others.iter().sum::<usize>() / others.len())
    };
    let wishes: Vec<(Item, Option<usize>)> = columns[column].iter().map(|p| (p.item, wish(p.item))).collect();
    let at = |item: Item| wishes.iter().find(|(there, _)| *there == item).and_then(|(_, wish)| *wish);
    columns[column].sort_by_key(|placed| at(placed.item).unwrap_or(usize::MAX));
    stack(&mut columns[column], at);
}

/// A line between two boxes, with its words at the end that they are about.
fn connect(text: &mut String, all: &mut [Placed], edge: &Edge) {
    let (router, network) = (Item::Router(edge.router), Item::Network(edge.network));
    let find = |item: Item| all.iter().position(|placed| placed.item == item);
    let (Some(router), Some(network)) = (find(router), find(network)) else { return };
    let (left, right) = if all[network].x < all[router].x { (network, router) } else { (router, network) };
    let mut end = |index: usize, side: usize| {
        let placed = &mut all[index];
        placed.ends[side] += 1;
        let y = placed.y + 2 + placed.ends[side] * LANE;
        (if side == 0 { placed.x } else { placed.x + placed.width }, y)
    };
    let ((x1, y1), (x2, y2)) = (end(left, 1), end(right, 0));
    // The words stand over a straight end.
    let flat = x2.saturating_sub(edge.label.chars().count() * LETTER + 12).max(x1);
    let bend = usize::midpoint(x1, flat);
    let _ = writeln!(
        text,
        "<path d=\"M{x1} {y1} C{bend} {y1} {bend} {y2} {flat} {y2} H{x2}\" fill=\"none\" stroke=\"#94a3b8\" stroke-width=\"1.6\"/>"
    );
    let (x, y, label) = (x2 - 8, y2 - 4, escape(&edge.label));
    let _ = writeln!(
        text,
        "<text x=\"{x}\" y=\"{y}\" text-anchor=\"end\" font-size=\"11\" fill=\"#334155\" stroke=\"#ffffff\" \
         stroke-width=\"3\" paint-order=\"stroke\">{label}</text>"
    );
}

fn boxed(text: &mut String, placed: &Placed, chart: &Chart) {
    let Placed { item, card, x, y, width, height, .. } = placed;
    let colour = match item {
        Item::Router(_) => "#475569",
        Item::Network(index) if chart.networks[*index].external => "#b45309",
        Item::Network(_) => "#1d4ed8",
    };
    let (colour, sign) = if card.fault { ("#b91c1c", "✗ ") } else { (colour, "") };
    let _ = writeln!(
        text,
        "<g><rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" rx=\"7\" fill=\"#f8fafc\" stroke=\"{colour}\" \
         stroke-width=\"1.4\"/>\n<path d=\"M{x} {} v-{} a7 7 0 0 1 7 -7 h{} a7 7 0 0 1 7 7 v{} z\" fill=\"{colour}\"/>",
        y + HEAD,
        HEAD - 7,
        width - 14,
        HEAD - 7,
    );
    let room = (width - 16) / LETTER;
    let title = fit(&format!("{sign}{}", card.title), room.saturating_sub(4));
    let facts = fit(&card.facts, room.saturating_sub(title.chars().count() + 2));
    let (left, right) = (x + 10, x + width - 10);
    let head = y + 19;
    write(text, left, head, "fill=\"#ffffff\" font-weight=\"bold\"", &title);
    write(text, right, head, "fill=\"#ffffff\" text-anchor=\"end\" font-size=\"11\"", &facts);
    for (index, line) in card.lines.iter().enumerate() {
        let base = y + HEAD + (index + 1) * LINE - 2;
        let (fill, sign) = match line.mark {
            Mark::None => ("#0f172a", "#0f172a"),
            Mark::Plugged => ("#0f172a", "#15803d"),
            Mark::Free => ("#475569", "#64748b"),
            Mark::Fault => ("#b91c1c", "#b91c1c"),
        };
        if line.mark != Mark::None {
            write(text, left, base, &format!("fill=\"{sign}\""), &line.mark.sign().to_string());
        }
        let ends = fit(&line.right, room / 2);
        let begins = fit(&line.left, room.saturating_sub(ends.chars().count() + 4));
        write(text, left + 18, base, &format!("fill=\"{fill}\" xml:space=\"preserve\""), &begins);
        write(text, right, base, "fill=\"#64748b\" text-anchor=\"end\"", &ends);
    }
    text.push_str("</g>\n");
}

fn write(text: &mut String, x: usize, y: usize, how: &str, words: &str) {
    if !words.is_empty() {
        let _ = writeln!(text, "<text x=\"{x}\" y=\"{y}\" {how}>{}</text>", escape(words));
    }
}

fn fit(text: &str, width: usize) -> String {
    super::text::fit(text, width)
}

/// Text as XML has it. What XML has no way to say does not come here: `clean` takes control characters away.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in clean(text).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            '\u{fffe}' | '\u{ffff}' => escaped.push('?'),
            c => escaped.push(c),
        }
    }
    escaped
}
