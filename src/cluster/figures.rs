//! Figures as Prometheus reads them (text exposition format 0.0.4). Names end in their unit, counters in `_total`.

use std::fmt::{Display, Write as _};
use std::time::Duration;

/// A page of figures.
#[derive(Debug, Default)]
pub struct Page {
    text: String,
}

impl Page {
    /// A page that begins with which program this is.
    #[must_use]
    pub fn begin() -> Self {
        let mut page = Self::default();
        page.gauge("tenet_build_info", "The program: always 1.").value(&[("version", env!("CARGO_PKG_VERSION"))], 1);
        page
    }

    /// Something that goes up and down.
    pub fn gauge<'a>(&'a mut self, name: &'a str, help: &str) -> Family<'a> {
        self.family(name, help, "gauge")
    }

    /// Something that only grows while the program runs.
    pub fn counter<'a>(&'a mut self, name: &'a str, help: &str) -> Family<'a> {
        self.family(name, help, "counter")
    }

    /// How long something took, in seconds.
    pub fn durations(&mut self, name: &str, help: &str, durations: &Durations) {
        let page = self.family(name, help, "histogram").page;
        let (bucket, sum, count) = (format!("{name}_bucket"), format!("{name}_sum"), format!("{name}_count"));
        let mut below = 0;
        for (bound, counted) in BOUNDS.iter().zip(durations.counts) {
            below += counted;
            Family { page, name: &bucket }.value(&[("le", &bound.to_string())], below);
        }
        Family { page, name: &bucket }.value(&[("le", "+Inf")], durations.count);
        Family { page, name: &sum }.value(&[], durations.sum.as_secs_f64());
        Family { page, name: &count }.value(&[], durations.count);
    }

    /// The text.
    #[must_use]
    pub fn text(self) -> String {
        self.text
    }

    fn family<'a>(&'a mut self, name: &'a str, help: &str, type_: &str) -> Family<'a> {
        let _ = writeln!(self.text, "# HELP {name} {help}\n# TYPE {name} {type_}");
        Family { page: self, name }
    }
}

/// Values of one name, which differ in their labels.
#[derive(Debug)]
pub struct Family<'a> {
    page: &'a mut Page,
    name: &'a str,
}

impl Family<'_> {
    /// One value.
    pub fn value(&mut self, labels: &[(&str, &str)], value: impl Display) -> &mut Self {
        let text = &mut self.page.text;
        text.push_str(self.name);
        // No label of ours needs escaping: they are names of Kubernetes objects, and words.
        let labels: Vec<String> = labels.iter().map(|(label, value)| format!("{label}=\"{value}\"")).collect();
        if !labels.is_empty() {
            let _ = write!(text, "{{{}}}", labels.join(","));
        }
        let _ = writeln!(text, " {value}");
        self
    }
}

/// Upper bounds of what is counted together, seconds.
const BOUNDS: [f64; 8] = [0.001, 0.005, 0.02, 0.1, 0.5, 1.0, 5.0, 20.0];

/// How long something took, every time.
#[derive(Clone, Debug, Default)]
pub struct Durations {
    counts: [u64; BOUNDS.len()],
    sum: Duration,
    count: u64,
}

impl Durations {
    /// Counts one more.
    pub fn add(&mut self, took: Duration) {
        let seconds = took.as_secs_f64();
        if let Some(count) = BOUNDS.iter().position(|bound| seconds <= *bound).and_then(|at| self.counts.get_mut(at)) {
            *count += 1;
        }
        self.sum += took;
        self.count += 1;
    }

    /// How often.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count
    }
}

/// What became of writes to the API server.
#[derive(Clone, Debug, Default)]
pub struct Writes {
    /// They hold.
    pub written: u64,
    /// Somebody was first.
    pub conflicts: u64,
    /// The server refused, or could not be asked.
    pub failed: u64,
}

impl Writes {
    /// Puts them on a page.
    pub fn put(&self, page: &mut Page) {
        let mut family = page.counter("tenet_api_writes_total", "Writes to the API server by result.");
        for (result, count) in [("written", self.written), ("conflict", self.conflicts), ("failed", self.failed)] {
            family.value(&[("result", result)], count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_reads_as_prometheus_wants_it() {
        let mut page = Page::default();
        page.gauge("tenet_ports", "Ports.").value(&[("state", "bound"), ("kind", "x")], 3).value(&[], 1);
        let mut durations = Durations::default();
        for millis in [1, 4, 400, 60_000] {
            durations.add(Duration::from_millis(millis));
        }
        page.durations("tenet_x_seconds", "Time.", &durations);
        let lines = [
            "# HELP tenet_ports Ports.",
            "# TYPE tenet_ports gauge",
            "tenet_ports{state=\"bound\",kind=\"x\"} 3",
            "tenet_ports 1",
            "# HELP tenet_x_seconds Time.",
            "# TYPE tenet_x_seconds histogram",
            "tenet_x_seconds_bucket{le=\"0.001\"} 1",
            "tenet_x_seconds_bucket{le=\"0.005\"} 2",
            "tenet_x_seconds_bucket{le=\"0.02\"} 2",
            "tenet_x_seconds_bucket{le=\"0.1\"} 2",
            "tenet_x_seconds_bucket{le=\"0.5\"} 3",
            "tenet_x_seconds_bucket{le=\"1\"} 3",
            "tenet_x_seconds_bucket{le=\"5\"} 3",
            "tenet_x_seconds_bucket{le=\"20\"} 3",
            "tenet_x_seconds_bucket{le=\"+Inf\"} 4",
            "tenet_x_seconds_sum 60.405",
            "tenet_x_seconds_count 4",
        ];
        assert_eq!(page.text().lines().collect::<Vec<_>>(), lines);
    }
}
