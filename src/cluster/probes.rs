//! What kubelet and Prometheus ask over HTTP: `/healthz`, `/readyz`, `/metrics`.
//!
//! Every question goes to the loop that does the work, so that an answer shows that it still turns: one that hangs is not
//! healthy, whatever other threads do. HTTP/1.1 (RFC 9112) is spoken as far as these two need it: one GET a connection.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc, oneshot};
use tokio::time::timeout;

/// So many may ask at once; more are hung up on.
const ROOM: usize = 16;
/// How long a question may take to be put, and the loop to answer it.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest request, bytes.
const REQUEST: usize = 4096;

/// What is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Question {
    /// Whether the loop turns: any answer says so.
    Healthy,
    /// Whether all that is needed to work has been read.
    Ready,
    /// The figures.
    Figures,
}

/// A question, and where the answer goes: the text, or why not.
#[derive(Debug)]
pub struct Asked {
    /// The question.
    pub question: Question,
    /// The way back; who asked may be gone.
    pub answer: oneshot::Sender<Result<String, String>>,
}

/// Binds an address before anything else is begun.
///
/// # Errors
/// It cannot be had; the message says what to do.
pub fn bind(address: SocketAddr) -> Result<std::net::TcpListener, String> {
    let bound = std::net::TcpListener::bind(address);
    let bound = bound.and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    bound.map_err(|error| format!("cannot listen at {address}: {error}; name another address with --metrics"))
}

/// Answers for ever. `ask` leads to the loop.
///
/// # Errors
/// The listener cannot be polled.
pub async fn serve(listener: std::net::TcpListener, ask: mpsc::Sender<Asked>) -> io::Result<()> {
    let listener = TcpListener::from_std(listener)?;
    let room = Arc::new(Semaphore::new(ROOM));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            // No descriptor left: some are given back soon.
            tokio::time::sleep(Duration::from_millis(100)).await;
            continue;
        };
        let Ok(place) = room.clone().try_acquire_owned() else { continue };
        let ask = ask.clone();
        tokio::spawn(async move {
            let _place = place;
            let _ = timeout(PATIENCE * 2, talk(stream, ask)).await;
        });
    }
}

async fn talk(stream: TcpStream, ask: mpsc::Sender<Asked>) -> io::Result<()> {
    let (mut request, mut length) = ([0; REQUEST], 0);
    while !request[..length].windows(4).any(|end| end == b"\r\n\r\n") {
        stream.readable().await?;
        match stream.try_read(&mut request[length..]) {
            // Also when there is no room left.
            Ok(0) => return Ok(()),
            Ok(read) => length += read,
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            Err(_) => {}
        }
    }
    let (status, text) = match question(&request[..length]) {
        Ok(question) => put(question, &ask).await,
        Err(status) => (status, String::new()),
    };
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{text}",
        text.len()
    );
    let mut rest = answer.as_bytes();
    while !rest.is_empty() {
        stream.writable().await?;
        match stream.try_write(rest) {
            Ok(written) => rest = rest.get(written..).unwrap_or_default(),
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Err(error),
            Err(_) => {}
        }
    }
    Ok(())
}

async fn put(question: Question, ask: &mpsc::Sender<Asked>) -> (&'static str, String) {
    let (answer, answered) = oneshot::channel();
    let answered = async {
        ask.send(Asked { question, answer }).await.ok()?;
        answered.await.ok()
    };
    match timeout(PATIENCE, answered).await {
        Ok(Some(Ok(text))) => ("200 OK", text),
        Ok(Some(Err(why))) => ("503 Service Unavailable", why + "\n"),
        Ok(None) | Err(_) => ("503 Service Unavailable", "the loop does not answer\n".into()),
    }
}

/// What a request asks; else the status to answer with.
fn question(request: &[u8]) -> Result<Question, &'static str> {
    let line = request.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let mut words = std::str::from_utf8(line).unwrap_or_default().split(' ');
    let (Some(method), Some(target), Some(version)) = (words.next(), words.next(), words.next()) else {
        return Err("400 Bad Request");
    };
    if !version.starts_with("HTTP/1.") {
        return Err("400 Bad Request");
    }
    if method != "GET" {
        return Err("405 Method Not Allowed");
    }
    match target.split('?').next() {
        Some("/healthz" | "/livez") => Ok(Question::Healthy),
        Some("/readyz") => Ok(Question::Ready),
        Some("/metrics") => Ok(Question::Figures),
        _ => Err("404 Not Found"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_or_refused() {
        for (request, expected) in [
            ("GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", Ok(Question::Healthy)),
            ("GET /readyz HTTP/1.0\r\n\r\n", Ok(Question::Ready)),
            ("GET /metrics?name=x HTTP/1.1\r\n\r\n", Ok(Question::Figures)),
            ("GET / HTTP/1.1\r\n\r\n", Err("404 Not Found")),
            ("POST /metrics HTTP/1.1\r\n\r\n", Err("405 Method Not Allowed")),
            ("GET /metrics\r\n\r\n", Err("400 Bad Request")),
            ("PRI * HTTP/2.0\r\n\r\n", Err("400 Bad Request")),
            ("\u{fffd}\r\n\r\n", Err("400 Bad Request")),
        ] {
            assert_eq!(question(request.as_bytes()), expected, "{request}");
        }
    }
}
