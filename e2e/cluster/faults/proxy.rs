//! A way to the API server that is no good one: somebody dies on it, for it counts the writes that pass and kills who sent the
//! one that is meant; or answers are late, cut short, or somebody else's. It is read in plain HTTP, for `kubectl proxy` behind it speaks TLS, with the same rights as the sender has.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::nodes::{Cluster, SERVER};
use crate::support::until;

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

/// How a request is treated.
#[derive(Clone, Debug)]
pub enum Manner {
    /// It is passed on.
    Pass,
    /// It is passed on after a while.
    Late(Duration),
    /// It is answered here: status with reason, headers that end in a line's end each, and a body.
    Say(&'static str, &'static str, String),
    /// Of the answer, only the first half of what comes first is passed on; then the connection ends.
    Half,
    /// Nobody ever answers.
    Never,
}

/// Says how a request is treated, by its first line.
type Treat = Box<dyn Fn(&str) -> Manner + Send>;

/// What all connections share.
struct Way {
    /// Where `kubectl proxy` listens.
    behind: SocketAddr,
    trap: Mutex<Trap>,
    treat: Mutex<Treat>,
    requests: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
}

pub struct Proxy {
    /// For whoever is to be counted.
    pub kubeconfig: PathBuf,
    way: Arc<Way>,
    behind: Child,
}

impl Proxy {
    /// Begins to listen, on a way to the server with the rights of `kubeconfig`.
    pub fn start(cluster: &Cluster, rights: &Path) -> Self {
        let behind = TcpListener::bind("127.0.0.1:0").and_then(|free| free.local_addr()).unwrap();
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "KILL"]).arg(cluster.plane.kubectl_path());
        command
            .args(["proxy", "--disable-filter=true", &format!("--port={}", behind.port()), "--kubeconfig"])
            .arg(rights);
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("kubectl proxies", || TcpStream::connect(behind).is_ok());
        // Nodes reach it, too.
        let listener = TcpListener::bind((SERVER, 0)).unwrap();
        let server = format!("http://{}", listener.local_addr().unwrap());
        let text = fs::read_to_string(rights).unwrap();
        let at = text.find("server: '").unwrap();
        let end = at + text[at..].find(", certificate").unwrap();
        let authority = end + text[end..].find('}').unwrap();
        let kubeconfig = rights.with_extension("counted");
        fs::write(&kubeconfig, format!("{}server: '{server}'{}", &text[..at], &text[authority..])).unwrap();
        let (trap, treat) = (Mutex::default(), Mutex::new(Box::new(|_: &str| Manner::Pass) as Treat));
        let way = Arc::new(Way { behind, trap, treat, requests: AtomicUsize::new(0), open: Mutex::default() });
        let shared = way.clone();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let way = shared.clone();
                thread::spawn(move || drop(pass(client, &way)));
            }
        });
        Self { kubeconfig, way, behind: child }
    }

    /// Treats requests so from now on; what is under way ends, so that all is asked for again.
    pub fn treat(&self, how: impl Fn(&str) -> Manner + Send + 'static) {
        self.treat_later(how);
        for stream in self.way.open.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Treats requests so from now on; what is under way goes on as it is.
    pub fn treat_later(&self, how: impl Fn(&str) -> Manner + Send + 'static) {
        *self.way.treat.lock().unwrap() = Box::new(how);
    }

    /// How many requests came by so far.
    pub fn requests(&self) -> usize {
        self.way.requests.load(Ordering::Relaxed)
    }

    /// Kills `victim` at the `nth` write from now on.
    pub fn arm(&self, victim: u32, nth: usize, form: Form) {
        *self.way.trap.lock().unwrap() = Trap { armed: Some((victim, form)), left: nth, seen: 0 };
    }

    /// Kills nobody any more; how many writes came by since it was armed.
    pub fn disarm(&self) -> usize {
        let mut trap = self.way.trap.lock().unwrap();
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
fn pass(mut client: TcpStream, way: &Way) -> std::io::Result<()> {
    let mut server = TcpStream::connect(way.behind)?;
    way.open.lock().unwrap().push(client.try_clone()?);
    let dies: Arc<Mutex<Option<(u32, Form)>>> = Arc::default();
    let half = Arc::new(AtomicBool::new(false));
    let (mut answers, mut back, doomed, cut) = (server.try_clone()?, client.try_clone()?, dies.clone(), half.clone());
    thread::spawn(move || {
        let mut buffer = [0; 8192];
        while let Ok(len @ 1..) = answers.read(&mut buffer) {
            let doomed = *doomed.lock().unwrap();
            if let Some((victim, Form::Landed)) = doomed {
                return strike(victim);
            }
            let cut = cut.load(Ordering::Relaxed);
            if back.write_all(&buffer[..if cut { len / 2 } else { len }]).is_err() || cut {
                break;
            }
            if let Some((victim, _)) = doomed {
                return strike(victim);
            }
        }
        let _ = back.shutdown(Shutdown::Both);
        let _ = answers.shutdown(Shutdown::Both);
    });
    let (mut held, mut buffer) = (Vec::new(), [0; 8192]);
    loop {
        while let Some(len) = request(&held) {
            way.requests.fetch_add(1, Ordering::Relaxed);
            let line =
                String::from_utf8_lossy(held.split(|octet| *octet == b'\r').next().unwrap_or_default()).into_owned();
            let manner = way.treat.lock().unwrap()(&line);
            match manner {
                Manner::Pass => {}
                Manner::Late(wait) => thread::sleep(wait),
                Manner::Half => half.store(true, Ordering::Relaxed),
                Manner::Never => {
                    held.drain(..len);
                    continue;
                }
                Manner::Say(status, headers, body) => {
                    let length = body.len();
                    let text = format!(
                        "HTTP/1.1 {status}\r\n{headers}Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
                    );
                    client.write_all(text.as_bytes())?;
                    held.drain(..len);
                    continue;
                }
            }
            if is_write(&line)
                && let Some((victim, form)) = way.trap.lock().unwrap().springs()
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
fn is_write(line: &str) -> bool {
    !line.starts_with("GET ") && !line.contains("/leases")
}
