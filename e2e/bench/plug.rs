//! What `tenet plug` does, without a process for each.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::net::UnixStream;
use std::path::Path;

use tenet::agent::protocol::{Answer, Plugged, Request};

use crate::guest::Guest;

/// A client that waits.
pub struct Client(BufReader<UnixStream>);

impl Client {
    /// Asks; does not wait.
    #[track_caller]
    pub fn ask(socket: &Path, request: &Request) -> Self {
        let mut stream = UnixStream::connect(socket).unwrap();
        stream.write_all(&[serde_json::to_vec(request).unwrap(), b"\n".to_vec()].concat()).unwrap();
        Self(BufReader::new(stream))
    }

    /// Asks for a guest to be plugged into `default/port`.
    #[track_caller]
    pub fn plug(socket: &Path, port: &str, guest: &Guest) -> Self {
        let (namespace, name) = ("default".into(), port.into());
        Self::ask(socket, &Request::Plug { namespace, name, target: guest.target(), timeout_ms: 60_000, force: false })
    }

    fn next(&mut self) -> Answer {
        let mut line = String::new();
        self.0.read_line(&mut line).unwrap();
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// Waits until it is known to wait.
    pub fn waits(mut self) -> Self {
        let answer = self.next();
        assert!(matches!(answer, Answer::Progress(_)), "{answer:?}");
        self
    }

    /// Waits for the last answer.
    pub fn answer(&mut self) -> Answer {
        loop {
            match self.next() {
                Answer::Progress(_) => {}
                answer => return answer,
            }
        }
    }

    /// Waits until packets pass.
    #[track_caller]
    pub fn plugged(mut self) -> Plugged {
        match self.answer() {
            Answer::Plugged(plugged) => plugged,
            other => panic!("not plugged: {other:?}"),
        }
    }
}
