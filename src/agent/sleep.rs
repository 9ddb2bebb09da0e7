//! How a loop sleeps: until a signal, its own source of news, the node, a client or a deadline wakes it.

use std::io;
use std::os::fd::BorrowedFd;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// Why the loop woke.
#[derive(Clone, Copy, Debug, Default)]
#[allow(clippy::struct_excessive_bools, reason = "four things that may be so at once")]
pub struct Awake {
    /// A signal says to stop.
    pub signal: bool,
    /// The loop's own source has news.
    pub news: bool,
    /// A client did something.
    pub clients: bool,
    /// The kernel tells of a change.
    pub node: bool,
}

/// Sleeps until one of the descriptors is readable, or until `deadline`. Without `news`, those do not wake it.
///
/// # Errors
/// The kernel refuses to wait.
pub fn sleep<'fd>(
    deadline: Option<Instant>,
    signals: BorrowedFd<'fd>,
    news: Option<BorrowedFd<'fd>>,
    node: &[BorrowedFd<'fd>],
    clients: impl Iterator<Item = BorrowedFd<'fd>>,
) -> io::Result<Awake> {
    let timeout = deadline.map_or(PollTimeout::NONE, |at| {
        // Rounded up: waking a moment too early would be a wake-up for nothing.
        let left = at.saturating_duration_since(Instant::now()) + Duration::from_micros(999);
        PollTimeout::try_from(left).unwrap_or(PollTimeout::MAX)
    });
    let all = [signals].into_iter().chain(news).chain(node.iter().copied()).chain(clients);
    let mut polled: Vec<_> = all.map(|fd| PollFd::new(fd, PollFlags::POLLIN)).collect();
    match poll(&mut polled, timeout) {
        Ok(_) | Err(Errno::EINTR) => {}
        Err(error) => return Err(error.into()),
    }
    let ready: Vec<bool> = polled.iter().map(|p| p.any().unwrap_or(false)).collect();
    let (signal, rest) = ready.split_at(1);
    let (of_news, rest) = rest.split_at(usize::from(news.is_some()));
    let (of_node, of_clients) = rest.split_at(node.len());
    Ok(Awake {
        signal: signal.contains(&true),
        news: of_news.contains(&true),
        node: of_node.contains(&true),
        clients: of_clients.contains(&true),
    })
}
