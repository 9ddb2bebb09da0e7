//! Commands and what they said; and waiting.

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// How long anything may take that is to happen, on a machine that does much else.
pub const SOON: Duration = Duration::from_secs(30);

/// What a command said.
#[derive(Debug)]
pub struct Said {
    /// Exit code; none: killed.
    pub code: Option<i32>,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl Said {
    pub fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    /// Whether it succeeded.
    pub fn ok(&self) -> bool {
        self.code == Some(0)
    }

    /// Its output, if it succeeded.
    #[track_caller]
    pub fn expect_ok(self) -> String {
        assert!(self.ok(), "failed: {self:?}");
        self.out
    }
}

/// Runs a command line (split at blanks).
pub fn run(line: &str) -> Said {
    let mut words = line.split_whitespace();
    let program = words.next().unwrap();
    let output = Command::new(program).args(words).stdin(Stdio::null()).output();
    Said::of(&output.unwrap_or_else(|error| panic!("{program}: {error}; `make deps` installs what the tests need")))
}

/// Runs lines of `ip`, all of which must succeed.
#[track_caller]
pub fn ip(lines: &str) {
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        run(&format!("ip {line}")).expect_ok();
    }
}

/// Waits until something holds.
#[track_caller]
pub fn until(what: &str, holds: impl FnMut() -> bool) -> Duration {
    within(SOON, what, holds)
}

/// Waits until something holds that takes its time by design.
#[track_caller]
pub fn within(limit: Duration, what: &str, mut holds: impl FnMut() -> bool) -> Duration {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < limit, "not within {limit:?}: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
    start.elapsed()
}
