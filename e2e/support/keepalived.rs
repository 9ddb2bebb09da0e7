//! Routers in VRRP: keepalived beside a guest.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::Guest;

/// One of them.
pub struct Keepalived {
    process: Child,
    log: PathBuf,
}

impl Keepalived {
    /// Starts it by a file of which lines that begin with `@` and the guest's name are for this guest.
    pub fn start(guest: &Guest, conf: &Path) -> Self {
        let file = |end: &str| PathBuf::from(format!("/run/test/keepalived-{}.{end}", guest.name));
        let log = File::create(file("log")).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL", "nsenter", &format!("--net={}", guest.path.display()), "keepalived"]);
        command.args(["-n", "-l", "-D", "-P", "-i", &guest.name]).arg("-f").arg(conf);
        command.arg("-p").arg(file("pid")).arg("-r").arg(file("vrrp.pid"));
        let command = command.stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        Self { process: command.spawn().expect("`make deps` installs keepalived"), log: file("log") }
    }

    /// What it said.
    pub fn said(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Ends it in order: the other follows at once.
    pub fn stop(&mut self) {
        kill(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGTERM).unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Keepalived {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.said());
        }
        let _ = kill(Pid::from_raw(self.process.id().cast_signed()), Signal::SIGTERM);
        let _ = self.process.wait();
    }
}
