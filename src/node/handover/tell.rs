//! Tells the node that follows of a router's connections, or of a port's flows.
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

use super::ask::{QUESTION, understand};
use crate::agent::connections::Connections;
use crate::dataplane::connection::Told;
use crate::dataplane::filter::layout::ToldFlow;
use crate::dataplane::guard::HANDOVER;
use crate::dataplane::told::encode;
use crate::model::{Kind, Uid};

/// So many may ask at once; more are hung up on.
const ROOM: usize = 16;
/// How long a question may take to come, and to become one that may be answered: the other may have heard of it first.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long an answer may take to leave.
const DELIVERY: Duration = Duration::from_secs(5);
/// How long a port that somebody else has is waited for.
const AGAIN: Duration = Duration::from_secs(5);

/// Who may know the connections of a router, or the flows of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share {
    /// The tunnel address of the node that follows.
    pub peer: IpAddr,
    /// Whether this node has let go of the addresses, or of the port.
    pub let_go: bool,
    /// What it is.
    pub kind: Kind,
}

/// Routers and ports that go to another node.
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
    let (of, last) = understand(question).ok_or(io::ErrorKind::InvalidData)?;
    let grant =
        |shares: &Shares| shares.get(&of).filter(|share| share.peer == peer && (!last || share.let_go)).copied();
    let granted = timeout(PATIENCE, shares.wait_for(|shares| grant(shares).is_some())).await.map_err(late)?;
    let share = granted.ok().and_then(|shares| grant(&shares)).ok_or(io::ErrorKind::PermissionDenied)?;
    let read = tokio::task::spawn_blocking(move || match share.kind {
        Kind::Port => connections.flows(of).map(|all| encode(&all)),
        _ => connections.read(of).map(|all| encode(&all)),
    });
    let all = match read.await? {
        // That it has let go is an answer too.
        Err(_) if last && share.kind == Kind::Port => encode::<ToldFlow>(&[]),
        Err(_) if last => encode::<Told>(&[]),
        read => read?,
    };
    timeout(DELIVERY, stream.write_all(&all)).await.map_err(late)??;
    stream.shutdown().await
}
