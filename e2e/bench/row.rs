//! Rows: what, target, figure, verdict.

use std::fmt;

/// Units of figures.
#[derive(Clone, Copy, Debug)]
pub enum Unit {
    /// Milliseconds.
    Ms,
    /// Seconds.
    S,
    /// Mebibytes.
    MiB,
    /// A number of things.
    Count,
    /// One cost by another.
    Ratio,
    /// Wake-ups a second.
    PerSecond,
}

/// One row. What is measured is to be at most the target.
#[derive(Debug)]
pub struct Row {
    /// Short name; several rows of one run share it.
    pub name: &'static str,
    /// What was measured.
    pub what: String,
    /// The most that it may be.
    pub target: f64,
    /// What it is.
    pub figure: f64,
    /// Of both.
    pub unit: Unit,
    /// What the figure is made of, for who wonders.
    pub note: String,
}

impl Row {
    pub fn new(name: &'static str, what: &str, target: f64, figure: f64, unit: Unit) -> Self {
        Self { name, what: what.into(), target, figure, unit, note: String::new() }
    }

    pub fn note(mut self, note: String) -> Self {
        self.note = note;
        self
    }

    pub fn ok(&self) -> bool {
        self.figure <= self.target
    }

    fn verdict(&self) -> &'static str {
        if self.ok() { "ok" } else { "missed" }
    }

    /// One line of JSON.
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({"name": self.name, "what": self.what, "target": self.target, "figure": self.figure,
            "unit": self.unit.word(), "ok": self.ok(), "note": self.note})
    }
}

impl Unit {
    fn word(self) -> &'static str {
        match self {
            Self::Ms => "ms",
            Self::S => "s",
            Self::MiB => "MiB",
            Self::Count => "",
            Self::Ratio => "x",
            Self::PerSecond => "/s",
        }
    }

    fn text(self, value: f64) -> String {
        match self {
            Self::Count => format!("{value:.0}"),
            Self::Ratio => format!("{value:.3}x"),
            Self::Ms if value < 0.1 => format!("{value:.3} ms"),
            Self::Ms | Self::MiB => format!("{value:.1} {}", self.word()),
            Self::S => format!("{value:.2} s"),
            Self::PerSecond => format!("{value:.2}/s"),
        }
    }
}

impl fmt::Display for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (target, figure) = (self.unit.text(self.target), self.unit.text(self.figure));
        write!(f, "{:<70} {target:>9} {figure:>11}  {:<7}", format!("{}: {}", self.name, self.what), self.verdict())?;
        if self.note.is_empty() { Ok(()) } else { write!(f, " {}", self.note) }
    }
}
