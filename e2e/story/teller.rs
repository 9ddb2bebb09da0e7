//! Who tells: says each command as people would type it, and runs it.

use crate::bed::Bed;
use crate::show::Show;
use crate::support::Said;

/// The address of the outside's host.
pub const OUTSIDE: &str = "203.0.113.1";

/// Somebody who types.
#[derive(Clone, Copy)]
pub struct User {
    /// By this name; empty: the administrator.
    pub name: &'static str,
    /// In this namespace; empty: none is said.
    pub namespace: &'static str,
}

impl User {
    /// The line without what was typed.
    fn flags(self) -> String {
        let flag = |flag: &str, value: &str| if value.is_empty() { String::new() } else { format!("{flag} {value} ") };
        [flag("--as", self.name), flag("-n", self.namespace)].concat()
    }

    /// Says a line of kubectl.
    pub fn says(self, show: &Show, line: &str) {
        show.says(&format!("$ kubectl {}{line}", self.flags()));
    }

    /// Runs a line of kubectl.
    pub fn runs(self, bed: &Bed, line: &str) -> Said {
        bed.try_kubectl(&format!("{}{line}", self.flags()))
    }

    /// Says a line and what is in the file.
    pub fn shows(self, show: &Show, file: &str, text: &str) {
        self.says(show, &format!("apply -f {file}"));
        show.quotes(text);
    }

    /// Applies YAML; what kubectl says.
    pub fn applies(self, bed: &Bed, text: &str) -> Said {
        let line = format!("{}apply -f -", self.flags());
        Said::of(&bed.plane.kubectl(&line.split_whitespace().collect::<Vec<_>>(), text))
    }
}

/// The two lines of ping that tell how it went.
pub fn ping_words(said: &str) -> String {
    let lines = said.lines().filter_map(|line| {
        let counts = line.contains(" packet loss").then(|| line.to_owned());
        counts.or_else(|| line.split_once(" = ").map(|(_, times)| format!("min/avg/max {times}")))
    });
    lines.collect::<Vec<_>>().join("; ")
}
