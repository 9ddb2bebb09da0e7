//! The plugin: this program, called by a container runtime. It sets up nothing that a pod without annotation would pay for.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use crate::agent::RECORD;
use crate::agent::protocol::{Answer, Request};
use crate::cni::args::Variables;
use crate::cni::call::{Add, Ask, Deed, PATIENCE, decide};
use crate::cni::config::{Config, LONGEST};
use crate::cni::error::{Code, Error};
use crate::config;

/// How long the agent may be silent beyond what it is asked to wait: it may be busy with a whole node.
const BUSY: Duration = Duration::from_secs(20);
/// How often an agent that is away is looked for.
const LOOK: Duration = Duration::from_millis(50);
/// The longest line of the agent's, bytes.
const ANSWER: u64 = 1 << 20;

/// Where the agent is.
struct Place {
    socket: PathBuf,
    state: PathBuf,
}

/// Answers one call.
pub fn run(variables: &Variables) -> ExitCode {
    let mut input = Vec::new();
    // One byte more than is read, so that what is too long is seen to be.
    let limit = u64::try_from(LONGEST).unwrap_or(u64::MAX).saturating_add(1);
    let (done, version) = match io::stdin().lock().take(limit).read_to_end(&mut input) {
        Ok(_) => {
            let (deed, version) = decide(variables, &input);
            (deed.and_then(|deed| act(deed, &input)), version)
        }
        Err(error) => (Err(Error::new(Code::Io, format!("standard input: {error}"))), None),
    };
    let (text, code) = match done {
        Ok(text) => (text, ExitCode::SUCCESS),
        Err(error) => (error.json(version), ExitCode::FAILURE),
    };
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => code,
        Err(_) => ExitCode::FAILURE,
    }
}

fn act(deed: Deed, input: &[u8]) -> Result<String, Error> {
    match deed {
        Deed::Say(text) => Ok(text),
        Deed::Add(wanted) => add(*wanted, &place(input)),
        Deed::Ask(wanted) => question(&wanted, &place(input)),
    }
}

fn place(input: &[u8]) -> Place {
    let config = Config::read(input).unwrap_or_default();
    Place {
        socket: config.socket.unwrap_or_else(|| config::SOCKET.into()),
        state: config.state.unwrap_or_else(|| config::STATE.into()),
    }
}

fn add(wanted: Add, place: &Place) -> Result<String, Error> {
    let netns = std::fs::metadata(&wanted.netns)
        .map_err(|error| Error::new(Code::Environment, format!("CNI_NETNS {}: {error}", wanted.netns)))?;
    let request = wanted.request(netns.ino());
    let (patience, start) = (Duration::from_millis(PATIENCE), Instant::now());
    let answer = loop {
        match ask(&place.socket, &request, patience + BUSY) {
            // It is being replaced or started again: a pod need not fail for that. What one began the next goes on with.
            Err(error) if is_away(&error) && start.elapsed() < patience => thread::sleep(LOOK),
            answer => break answer,
        }
    };
    wanted.result(answer.map_err(|error| silent(Code::Again, &place.socket, &error))?)
}

/// Whether nobody listens, or nobody any more.
fn is_away(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionRefused, ConnectionReset, NotFound, UnexpectedEof};
    matches!(error.kind(), NotFound | ConnectionRefused | ConnectionReset | BrokenPipe | UnexpectedEof)
}

fn question(wanted: &Ask, place: &Place) -> Result<String, Error> {
    let idle = wanted.record.is_some() && recorded(&place.state, wanted);
    if idle && !wanted.anyway {
        return Ok(String::new());
    }
    match ask(&place.socket, &wanted.request, BUSY) {
        Ok(answer) => wanted.result(answer),
        // Nobody lives who could have done more than the record says.
        Err(_) if idle => Ok(String::new()),
        Err(error) => Err(silent(wanted.silence, &place.socket, &error)),
    }
}

/// Whether the node's own record shows that there is nothing to ask for. A record that cannot be read shows nothing.
fn recorded(state: &Path, wanted: &Ask) -> bool {
    match std::fs::read_to_string(state.join(RECORD)) {
        Ok(text) => wanted.is_idle(&text),
        Err(error) => error.kind() == io::ErrorKind::NotFound,
    }
}

fn silent(code: Code, socket: &Path, error: &io::Error) -> Error {
    let what = format!("tenet's agent does not answer at {}: {error}", socket.display());
    Error::new(code, what).with("see the pod tenet-agent of this node; it is tried again")
}

fn ask(socket: &Path, request: &Request, patience: Duration) -> io::Result<Answer> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(patience))?;
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    stream.write_all(&line)?;
    let mut reader = BufReader::new(stream).take(ANSWER);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "it has stopped"));
        }
        match serde_json::from_str(&line)? {
            Answer::Progress(_) => {}
            answer => return Ok(answer),
        }
    }
}
