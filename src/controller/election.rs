//! Who leads: of several controllers one at a time.

use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch as channel};
use tracing::warn;

use crate::cluster::lease::{Elector, Standing};
use crate::cluster::watch;

/// How long the lead lasts without being renewed, and how often it is.
pub const TERM: (Duration, Duration) = (Duration::from_secs(6), Duration::from_millis(500));
/// Who was not answered for so long was blind meanwhile, stopped, or cut off.
const BLIND: Duration = Duration::from_secs(4);
/// The lead is given up before anybody else can have it.
pub const MARGIN: Duration = Duration::from_secs(1);
/// How long letting go of the lead may take: who is told to stop is killed soon after.
const FAREWELL: Duration = Duration::from_secs(2);
/// Keeps trying to lead; tells until when we do. Where we could not write, agents could not either, and what we were told
/// while we were stopped is still on its way: so it also tells that we were blind, before it tells that we lead again.
/// Ends when `resigned` does, and lets go of the lead then.
pub async fn elect(
    mut elector: Elector,
    lead: channel::Sender<Option<Instant>>,
    pulse: mpsc::Sender<watch::Pulse>,
    mut resigned: oneshot::Receiver<()>,
) {
    let mut answered = Instant::now();
    loop {
        let standing = tokio::select! {
            biased;
            _ = &mut resigned => return let_go(elector).await,
            standing = tokio::time::timeout(TERM.0, elector.attempt()) => standing,
        };
        if !matches!(standing, Ok(Ok(_))) || answered.elapsed() > BLIND {
            let _ = pulse.send(watch::Pulse::Blind).await;
        }
        match standing {
            Ok(Ok(standing)) => {
                answered = Instant::now();
                lead.send_replace(match standing {
                    Standing::Held(until) => until.checked_sub(MARGIN),
                    Standing::Others => None,
                });
            }
            Ok(Err(error)) => warn!(%error, "the lease cannot be read or written"),
            Err(_) => warn!("the lease cannot be read or written: the API server does not answer"),
        }
        tokio::select! {
            _ = &mut resigned => return let_go(elector).await,
            () = tokio::time::sleep(TERM.1) => {}
        }
    }
}

/// Lets go of the lead; without an answer it runs out.
async fn let_go(mut elector: Elector) {
    match tokio::time::timeout(FAREWELL, elector.release()).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => warn!(%error, "the lease is not let go of: it runs out"),
        Err(_) => warn!("the lease is not let go of: the API server does not answer"),
    }
}
