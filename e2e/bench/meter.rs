//! CPU time, memory and wake-ups, as the kernel counts them.

use std::time::Duration;

use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;

/// CPU time of the calling thread.
pub fn thread() -> Duration {
    ClockId::CLOCK_THREAD_CPUTIME_ID.now().unwrap().into()
}

/// CPU time of a process, with that of its threads that have ended.
pub fn process(pid: u32) -> Duration {
    clock_getcpuclockid(Pid::from_raw(pid.cast_signed())).unwrap().now().unwrap().into()
}

/// A line of `/proc/PID/status`.
fn status(text: &str, name: &str) -> u64 {
    let line = text.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name} in {text}"));
    line.trim_start_matches(':').split_whitespace().next().unwrap().parse().unwrap()
}

/// Memory of a process that is in RAM, MiB.
pub fn resident(pid: u32) -> f64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    status(&text, "VmRSS") as f64 / 1024.0
}

/// How often the threads of a process went to sleep.
pub fn sleeps(pid: u32) -> u64 {
    let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
    let text = |entry: std::fs::DirEntry| std::fs::read_to_string(entry.path().join("status")).unwrap();
    tasks.map(|entry| status(&text(entry.unwrap()), "voluntary_ctxt_switches")).sum()
}

/// Milliseconds.
pub fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}

/// The value below which this share of the values are.
pub fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}

/// A small generator, so that order is random and the same in every run.
pub struct Dice(pub u64);

impl Dice {
    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }

    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        (1..items.len()).rev().for_each(|i| items.swap(i, self.below(i + 1)));
    }
}
