//! A token that is read from a file again and again, for kubelet puts a new one there before the old one has run out.
//!
//! kube reads it anew by the wall clock: where that is set back by a day, a day later.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use http::header::AUTHORIZATION;
use http::{HeaderValue, Request};

/// How long a token is believed to be the file's.
const FRESH: Duration = Duration::from_secs(5);

/// A token's file, and what it said last.
#[derive(Clone, Debug)]
pub struct TokenFile {
    path: PathBuf,
    read: Arc<Mutex<(HeaderValue, Instant)>>,
}

impl TokenFile {
    /// Reads a file.
    ///
    /// # Errors
    /// It cannot be read, or holds no token.
    pub fn open(path: &Path) -> Result<Self, String> {
        let header = read(path)?;
        Ok(Self { path: path.into(), read: Arc::new(Mutex::new((header, Instant::now()))) })
    }

    /// A request with the token. While the file cannot be read, it is the last one.
    #[must_use]
    pub fn sign<B>(&self, mut request: Request<B>) -> Request<B> {
        request.headers_mut().insert(AUTHORIZATION, self.header(Instant::now()));
        request
    }

    fn header(&self, now: Instant) -> HeaderValue {
        let mut known = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if now.saturating_duration_since(known.1) >= FRESH {
            match read(&self.path) {
                Ok(header) => known.0 = header,
                Err(error) => tracing::warn!("{error}; the last one is used"),
            }
            known.1 = now;
        }
        known.0.clone()
    }
}

fn read(path: &Path) -> Result<HeaderValue, String> {
    let wrong = |error: &dyn std::fmt::Display| format!("token file {}: {error}", path.display());
    let text = std::fs::read_to_string(path).map_err(|error| wrong(&error))?;
    let mut header = HeaderValue::try_from(format!("Bearer {}", text.trim())).map_err(|error| wrong(&error))?;
    header.set_sensitive(true);
    Ok(header)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that cannot begin ends there")]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_the_files_within_a_moment_and_the_last_one_while_there_is_none() {
        let path = std::env::temp_dir().join(format!("token-{}", std::process::id()));
        std::fs::write(&path, "one\n").unwrap();
        let token = TokenFile::open(&path).unwrap();
        let (now, later) = (Instant::now(), Instant::now() + FRESH);
        std::fs::write(&path, "two").unwrap();
        assert_eq!(token.header(now), "Bearer one");
        assert_eq!(token.header(later), "Bearer two");
        std::fs::remove_file(&path).unwrap();
        assert_eq!(token.header(later + FRESH), "Bearer two");
        assert!(TokenFile::open(&path).unwrap_err().contains("token file"));
    }
}
