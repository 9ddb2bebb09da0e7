//! A way to the API server on which somebody dies: it counts the writes that pass and kills who sent the one that is meant.
//! It is read in plain HTTP, for `kubectl proxy` behind it speaks TLS, with the same rights as the sender has.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::nodes::Cluster;
use crate::support::until;

/// Where `kubectl proxy` listens.
const BEHIND: (&str, u16) = ("127.0.0.1", 8001);

/// Where a write is when its sender dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// It never reaches the server.
    Unsent,
    /// It is done, and its sender never learns of it.
    Landed,
    /// Its sender has the answer.
    Answered,
}

/// All of them.
pub const FORMS: [Form; 3] = [Form::Unsent, Form::Landed, Form::Answered];

/// Whom to kill, and at which write from now.
#[derive(Debug, Default)]
struct Trap {
    armed: Option<(u32, Form)>,
    left: usize,
    seen: usize,
}

impl Trap {
    /// A write comes by; whether its sender is to die of it.
    fn springs(&mut self) -> Option<(u32, Form)> {
        self.seen += 1;
        self.armed?;
        self.left -= 1;
        if self.left == 0 { self.armed.take() } else { None }
    }
}

pub struct Proxy {
    /// For whoever is to be counted.
    pub kubeconfig: PathBuf,
    trap: Arc<Mutex<Trap>>,
    behind: Child,
}

impl Proxy {
    /// Begins to listen, on a way to the server with the rights of `kubeconfig`.
    pub fn start(cluster: &Cluster, rights: &Path) -> Self {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(cluster.plane.kubectl_path());
        command.args(["proxy", "--disable-filter=true", &format!("--port={}", BEHIND.1), "--kubeconfig"]).arg(rights);
        let behind = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("kubectl proxies", || TcpStream::connect(BEHIND).is_ok());
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let text = fs::read_to_string(rights).unwrap();
        let at = text.find("server: '").unwrap();
        let end = at + text[at..].find(", certificate").unwrap();
        let authority = end + text[end..].find('}').unwrap();
        let kubeconfig = rights.with_extension("counted");
        fs::write(&kubeconfig, format!("{}server: '{server}'{}", &text[..at], &text[authority..])).unwrap();
        let trap = Arc::new(Mutex::new(Trap::default()));
        let shared = trap.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let trap = shared.clone();
                thread::spawn(move || drop(pass(client, &trap)));
            }
        });
        Self { kubeconfig, trap, behind }
    }

    /// Kills `victim` at the `nth` write from now on.
    pub fn arm(&self, victim: u32, nth: usize, form: Form) {
        *self.trap.lock().unwrap() = Trap { armed: Some((victim, form)), left: nth, seen: 0 };
    }

    /// Kills nobody any more; how many writes came by since it was armed.
    pub fn disarm(&self) -> usize {
        let mut trap = self.trap.lock().unwrap();
        trap.armed = None;
        trap.seen
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.behind.kill();
        let _ = self.behind.wait();
    }
}

fn strike(pid: u32) {
    let _ = kill(Pid::from_raw(pid.cast_signed()), Signal::SIGKILL);
}

/// Passes the requests of one connection on, and the answers back.
fn pass(mut client: TcpStream, trap: &Mutex<Trap>) -> std::io::Result<()> {
    let mut server = TcpStream::connect(BEHIND)?;
    let dies: Arc<Mutex<Option<(u32, Form)>>> = Arc::default();
    let (mut answers, mut back, doomed) = (server.try_clone()?, client.try_clone()?, dies.clone());
    thread::spawn(move || {
        let mut buffer = [0; 16384];
        while let Ok(len @ 1..) = answers.read(&mut buffer) {
            let doomed = *doomed.lock().unwrap();
            if let Some((victim, Form::Landed)) = doomed {
                return strike(victim);
            }
            if back.write_all(&buffer[..len]).is_err() {
                break;
            }
            if let Some((victim, _)) = doomed {
                return strike(victim);
            }
        }
        let _ = back.shutdown(Shutdown::Both);
        let _ = answers.shutdown(Shutdown::Both);
    });
    let (mut held, mut buffer) = (Vec::new(), [0; 16384]);
    loop {
        while let Some(len) = request(&held) {
            if is_write(&held)
                && let Some((victim, form)) = trap.lock().unwrap().springs()
            {
                if form == Form::Unsent {
                    strike(victim);
                    return server.shutdown(Shutdown::Both);
                }
                *dies.lock().unwrap() = Some((victim, form));
            }
            server.write_all(&held[..len])?;
            held.drain(..len);
        }
        match client.read(&mut buffer) {
            Ok(0) | Err(_) => return server.shutdown(Shutdown::Both),
            Ok(len) => held.extend_from_slice(&buffer[..len]),
        }
    }
}

/// Length of the request that the octets begin with; none: it is not whole yet.
fn request(held: &[u8]) -> Option<usize> {
    let prelude = held.windows(4).position(|end| end == b"\r\n\r\n")? + 4;
    let text = String::from_utf8_lossy(&held[..prelude]).to_lowercase();
    assert!(!text.contains("transfer-encoding"), "the client says how long its requests are: {text}");
    let length = text.lines().find_map(|line| line.strip_prefix("content-length:"));
    let whole = prelude + length.map_or(0, |digits| digits.trim().parse().unwrap());
    (held.len() >= whole).then_some(whole)
}

/// Whether a request writes something; Leases are renewed whatever happens and do not count.
fn is_write(held: &[u8]) -> bool {
    let line = held.split(|octet| *octet == b'\r').next().unwrap_or_default();
    !line.starts_with(b"GET ") && !String::from_utf8_lossy(line).contains("/leases")
}
