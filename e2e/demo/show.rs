//! How the demo looks: a line for each thing it shows, with its time, green or red.

use std::any::Any;
use std::io::IsTerminal as _;
use std::panic::{self, AssertUnwindSafe};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// What was shown so far.
pub struct Show {
    colour: bool,
    failed: u32,
    /// True: no further step is done.
    stop: Arc<AtomicBool>,
}

impl Show {
    /// Nothing yet. What fails in a step is told in its line, not where it happened.
    pub fn new() -> Self {
        panic::set_hook(Box::new(|_| {}));
        let plain = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self { colour: std::io::stdout().is_terminal() && !plain, failed: 0, stop: Arc::default() }
    }

    /// The same beside others, whose panics are told as ever.
    #[allow(dead_code, reason = "the demo is alone")]
    pub fn beside() -> Self {
        Self { colour: false, failed: 0, stop: Arc::default() }
    }

    /// The same as the first; once `stop` is true, the steps that are left are not done, and are failures.
    #[allow(dead_code, reason = "the demo is short")]
    pub fn stopped_by(stop: Arc<AtomicBool>) -> Self {
        Self { stop, ..Self::new() }
    }

    /// A headline.
    pub fn part(&self, text: &str) {
        println!("\n{}", self.paint("1", text));
    }

    /// What is typed.
    #[allow(dead_code, reason = "the demo on one host has no commands")]
    pub fn says(&self, line: &str) {
        println!("  {}", self.paint("36", line));
    }

    /// Lines of a file, or of what a command said.
    #[allow(dead_code, reason = "the demo on one host quotes nothing")]
    pub fn quotes(&self, text: &str) {
        text.lines().for_each(|line| println!("    {}", self.paint("2", line)));
    }

    /// Does a step and prints its line: what was seen and how long it took. None: it failed.
    pub fn step<T>(&mut self, what: &str, step: impl FnOnce() -> (T, String)) -> Option<T> {
        let start = Instant::now();
        let go = !self.stop.load(Ordering::Relaxed);
        let done = panic::catch_unwind(AssertUnwindSafe(|| if go { step() } else { panic!("stopped by a signal") }));
        let ms = start.elapsed().as_secs_f64() * 1000.0;
        match done {
            Ok((value, seen)) => {
                println!("  {} {ms:>8.1} ms  {what:<52} {}", self.paint("32", "ok    "), self.paint("2", &seen));
                Some(value)
            }
            Err(why) => {
                self.failed += 1;
                println!("  {} {ms:>8.1} ms  {what:<52} {}", self.paint("31", "failed"), why_of(why.as_ref()));
                None
            }
        }
    }

    /// How many steps failed.
    pub fn failed(&self) -> u32 {
        self.failed
    }

    /// Text in a colour of ECMA-48, on a terminal.
    pub fn paint(&self, colour: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{colour}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

fn why_of(why: &(dyn Any + Send)) -> &str {
    why.downcast_ref::<String>().map(String::as_str).or(why.downcast_ref::<&str>().copied()).unwrap_or("it panicked")
}
