//! Tells the node that follows of a router's connections.
//!
//! Only to the node that the API server names, at its tunnel address, and only to root there: whoever may have a port below
//! 1024. A guard in the host's rules hears other nodes alone (`dataplane/guard.rs`).

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::Moment;
use super::ask::{QUESTION, understand};
use crate::agent::connections::Connections;
use crate::dataplane::connection::encode;
use crate::dataplane::guard::HANDOVER;
use crate::model::Uid;

/// So many may ask at once; more are hung up on.
const ROOM: usize = 16;
/// How long a question may take to come, and to become one that may be answered: the other may have heard of it first.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long an answer may take to leave.
const DELIVERY: Duration = Duration::from_secs(5);
/// How long a port that somebody else has is waited for.
const AGAIN: Duration = Duration::from_secs(5);

/// Who may know the connections of a router.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The tunnel address of the node that follows.
    pub peer: IpAddr,
    /// Whether this node has let go of the addresses.
    pub let_go: bool,
}

/// Routers that go to another node.
pub type Shares = BTreeMap<Uid, Share>;

/// Answers for ever at this node's tunnel address.
pub async fn serve(own: IpAddr, connections: Connections, shares: watch::Receiver<Shares>) {
    let room = Arc::new(Semaphore::new(ROOM));
    loop {
        let listener = match TcpListener::bind(SocketAddr::new(own, HANDOVER)).await {
            Ok(listener) => listener,
            Err(error) => {
                warn!(%error, port = HANDOVER, "connections cannot be handed over now");
                sleep(AGAIN).await;
                continue;
            }
        };
        loop {
            let Ok((stream, peer)) = listener.accept().await else {
                // No descriptor left: some are given back soon.
                sleep(Duration::from_millis(100)).await;
                continue;
            };
            let (Ok(place), true) = (room.clone().try_acquire_owned(), peer.port() < 1024) else { continue };
            let (connections, shares) = (connections.clone(), shares.clone());
            tokio::spawn(async move {
                let _place = place;
                if let Err(error) = talk(stream, peer.ip(), connections, shares).await {
                    debug!(%peer, %error, "connections were not told");
                }
            });
        }
    }
}

async fn talk(
    mut stream: TcpStream,
    peer: IpAddr,
    connections: Connections,
    mut shares: watch::Receiver<Shares>,
) -> io::Result<()> {
    let mut question = [0; QUESTION];
    let late = |_| io::Error::from(io::ErrorKind::TimedOut);
    timeout(PATIENCE, stream.read_exact(&mut question)).await.map_err(late)??;
    let (router, moment) = understand(question).ok_or(io::ErrorKind::InvalidData)?;
    let may = |shares: &Shares| {
        shares.get(&router).is_some_and(|share| share.peer == peer && (moment == Moment::Prepare || share.let_go))
    };
    let granted = timeout(PATIENCE, shares.wait_for(may)).await.map_err(late)?.is_ok();
    if !granted {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    let read = tokio::task::spawn_blocking(move || connections.read(router)).await?;
    // That it has let go is an answer too.
    let all = if moment == Moment::Take { read.unwrap_or_default() } else { read? };
    timeout(DELIVERY, stream.write_all(&encode(&all))).await.map_err(late)??;
    stream.shutdown().await
}
