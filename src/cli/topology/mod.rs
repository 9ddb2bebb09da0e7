//! `tenet topology`: networks, and what hangs on them, as a drawing.

pub mod svg;
pub mod text;
mod tree;
pub mod words;

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests;

use std::io::{self, Write as _};

use super::Ended;
use super::args::{Drawing, Topology};
use super::seen::{read, wait};
use crate::config;
use crate::model::chart::Chart;
use words::Names;

/// Columns where there is no terminal, and the most that a drawing takes of one.
const COLUMNS: (usize, usize) = (80, 120);

/// `tenet topology`
pub fn run(args: &Topology, plugin: bool) -> Ended {
    let world = wait(read(&args.source, plugin))?;
    let chart = world.topology.chart();
    let chart = if args.all_namespaces { chart } else { chart.of_namespace(&world.namespace) };
    let names = Names { home: (!args.all_namespaces).then_some(&world.namespace) };
    if chart == Chart::default() && args.output != Drawing::Json {
        let place = names.home.map_or(String::new(), |home| format!(" in namespace {home}"));
        writeln!(io::stderr(), "there are no networks{place}")?;
        return Ok(0);
    }
    let text = match args.output {
        Drawing::Text => text::draw(&chart, args.width.map_or_else(columns, usize::from), names),
        Drawing::Svg => svg::draw(&chart, names),
        Drawing::Json => serde_json::to_string_pretty(&chart)? + "\n",
    };
    io::stdout().write_all(text.as_bytes())?;
    Ok(0)
}

fn columns() -> usize {
    config::columns().map_or(COLUMNS.0, |columns| columns.clamp(40, COLUMNS.1))
}
