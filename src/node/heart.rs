//! The heartbeat: a Lease that is renewed, so that others know that this node lives, and it knows that they do.

use std::pin::pin;
use std::time::Duration;

use tokio::time::Instant;
use tracing::warn;

use crate::cluster::lease::Elector;

/// How long a heartbeat promises that the next one follows: one may be late, or lost.
pub fn term(period: Duration) -> Duration {
    period * 2
}

/// Beats for ever. Says that the server does not take it, half a period after one was missed, and once it does again.
pub async fn beat(mut elector: Elector, period: Duration, say: impl Fn(bool)) {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let (mut last, mut said) = (Instant::now(), None);
    loop {
        ticks.tick().await;
        let mut attempt = pin!(tokio::time::timeout(term(period), elector.attempt()));
        let ended = tokio::select! {
            biased;
            ended = &mut attempt => ended,
            () = tokio::time::sleep_until(last + period * 3 / 2), if said != Some(false) => {
                said = Some(false);
                say(false);
                attempt.await
            }
        };
        match ended {
            Ok(Ok(_)) => {
                last = Instant::now();
                if said.replace(true) != Some(true) {
                    say(true);
                }
            }
            Ok(Err(error)) => warn!(%error, "the heartbeat is not heard"),
            Err(_) => warn!("the heartbeat is not heard: the API server does not answer"),
        }
    }
}
