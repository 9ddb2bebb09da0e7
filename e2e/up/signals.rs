//! Signals that end it, Ctrl-C above all. They are caught, not blocked: what is blocked here is blocked in all that is started.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use tokio::signal::unix::{SignalKind, signal};

/// Signals since they are caught.
pub struct Signals {
    came: Arc<AtomicBool>,
    heard: Receiver<()>,
}

impl Signals {
    /// Catches them from now on.
    pub fn catch() -> Self {
        let (tell, heard) = channel();
        let came = Arc::new(AtomicBool::new(false));
        let there = came.clone();
        let (ready, caught) = channel();
        thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let [mut term, mut int] =
                    [SignalKind::terminate(), SignalKind::interrupt()].map(|kind| signal(kind).unwrap());
                ready.send(()).unwrap();
                loop {
                    tokio::select! { _ = term.recv() => (), _ = int.recv() => () }
                    there.store(true, Ordering::Relaxed);
                    if tell.send(()).is_err() {
                        return;
                    }
                }
            });
        });
        caught.recv().unwrap();
        Self { came, heard }
    }

    /// Becomes true once one comes.
    pub fn came(&self) -> Arc<AtomicBool> {
        self.came.clone()
    }

    /// Waits for one.
    pub fn wait(&mut self) {
        self.heard.recv().unwrap();
    }
}
