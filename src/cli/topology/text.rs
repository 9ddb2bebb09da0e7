//! A drawing for the terminal.

use super::tree::{Below, Branch, Item, order};
use super::words::{Card, Line, Names, network, router};
use crate::model::chart::Chart;

/// Columns by which what hangs on a box stands further in.
const STEP: usize = 4;
/// The narrowest box, columns.
const NARROW: usize = 44;

/// Draws a chart, at most `width` columns wide, but at least the narrowest box.
pub fn draw(chart: &Chart, width: usize, names: Names<'_>) -> String {
    let pen = Pen { chart, names };
    let width = width.max(NARROW);
    let mut text = String::new();
    for branch in order(chart, (width - NARROW) / STEP) {
        for line in pen.branch(&branch, width, '┌') {
            text.push_str(line.trim_end());
            text.push('\n');
        }
    }
    if !text.is_empty() {
        text.push_str("● plugged  ○ not plugged  ✗ not Ready (diagnose says why)  ⇄ floating IP\n");
    }
    text
}

struct Pen<'a> {
    chart: &'a Chart,
    names: Names<'a>,
}

impl Pen<'_> {
    /// A box with all that hangs on it, line by line. `corner`: its first character.
    fn branch(&self, branch: &Branch, width: usize, corner: char) -> Vec<String> {
        let mut lines = frame(&self.card(branch.item), width, corner, !branch.below.is_empty());
        for (place, (label, below)) in branch.below.iter().enumerate() {
            let last = place + 1 == branch.below.len();
            lines.push(fit(&format!("  │ {label}"), width));
            let (knee, rail) = if last { ("  └─", "    ") } else { ("  ├─", "  │ ") };
            let inner = match below {
                Below::Here(branch) => self.branch(branch, width - STEP, '┬'),
                Below::Elsewhere(item) => {
                    vec![fit(&format!("─ {}, drawn elsewhere", self.card(*item).title), width - STEP)]
                }
            };
            let rails = std::iter::once(knee).chain(std::iter::repeat(rail));
            lines.extend(rails.zip(inner).map(|(rail, line)| format!("{rail}{line}")));
        }
        lines
    }

    fn card(&self, item: Item) -> Card {
        match item {
            Item::Network(index) => network(&self.chart.networks[index], self.chart, self.names),
            Item::Router(index) => router(&self.chart.routers[index], self.chart, self.names),
        }
    }
}

fn frame(card: &Card, width: usize, corner: char, hangs: bool) -> Vec<String> {
    let title = if card.fault { format!("✗ {}", card.title) } else { card.title.clone() };
    let facts = if card.facts.is_empty() { String::new() } else { format!(" {} ", card.facts) };
    let head = fit(&format!("{corner} {title} "), width.saturating_sub(facts.chars().count() + 2));
    let head = head.trim_end().to_owned() + " ";
    let dashes = width.saturating_sub(head.chars().count() + facts.chars().count() + 1);
    let first = fit(&format!("{head}{}{facts}", "─".repeat(dashes)), width - 1) + "┐";
    let mut lines = vec![first];
    lines.extend(card.lines.iter().map(|line| row(line, width)));
    let foot = if hangs { "└─┬" } else { "└──" };
    lines.push(format!("{foot}{}┘", "─".repeat(width.saturating_sub(4))));
    lines
}

/// A line of a box; where both ends do not fit, the left one gives way.
fn row(line: &Line, width: usize) -> String {
    let room = width.saturating_sub(6);
    let right = fit(&line.right, line.right.chars().count().min(room / 2));
    let gap = if right.is_empty() { 0 } else { right.chars().count() + 2 };
    let left = fit(&line.left, room.saturating_sub(gap));
    let space = " ".repeat(room.saturating_sub(left.chars().count() + right.chars().count()));
    format!("│ {} {left}{space}{right} │", line.mark.sign())
}

/// Text of at most so many characters; where some are left out, it says so.
pub fn fit(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let kept: String = text.chars().take(width.saturating_sub(1)).collect();
    if width == 0 { kept } else { kept + "…" }
}
