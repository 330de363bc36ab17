//! A network between a server and its database that fails when it is told to.
//!
//! Knows bytes and connections, and of what they mean no more than how a commit looks.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// In what state the network is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Link {
    /// What is sent arrives.
    Up,
    /// Every connection is torn down, and each new one as soon as it is made.
    Cut,
    /// Nothing arrives, and nobody is told. What was sent meanwhile arrives when the link is up
    /// again, as with TCP.
    Silent,
    /// Questions arrive, answers do not until the link is up again.
    Mute,
    /// Each piece arrives so much later.
    Slow(Duration),
    /// All is well until a commit: it arrives when the link is up again.
    LateCommit,
    /// All is well until a commit: no answer to it, or to anything after it, arrives until the link
    /// is up again.
    UnconfirmedCommit,
}

/// What ends a transaction, as its text stands in the protocol.
const COMMIT: &[u8] = b"COMMIT";

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Way {
    Question,
    Answer,
}

impl Link {
    /// Does it keep back what goes this way on a connection on which somebody has asked to commit,
    /// or has not?
    fn stops(self, way: Way, committing: bool) -> bool {
        match self {
            Self::Up | Self::Cut | Self::Slow(_) => false,
            Self::Silent => true,
            Self::Mute => way == Way::Answer,
            Self::LateCommit => way == Way::Question && committing,
            Self::UnconfirmedCommit => way == Way::Answer && committing,
        }
    }
}

/// Runs on a thread of its own until it is dropped, so that no test keeps it waiting.
#[derive(Debug)]
pub struct Proxy {
    pub address: SocketAddr,
    link: watch::Sender<Link>,
}

impl Proxy {
    /// One in front of this address.
    pub fn start(database: SocketAddr) -> Self {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        let (link, state) = watch::channel(Link::Up);
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap();
            runtime.block_on(serve(listener, database, state));
        });
        Self { address, link }
    }

    pub fn set(&self, link: Link) {
        self.link.send(link).unwrap();
    }
}

async fn serve(
    listener: std::net::TcpListener,
    database: SocketAddr,
    mut link: watch::Receiver<Link>,
) {
    let listener = TcpListener::from_std(listener).unwrap();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((server, _)) = accepted {
                    tokio::spawn(connect(server, database, link.clone()));
                }
            }
            changed = link.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

async fn connect(mut server: TcpStream, database: SocketAddr, mut link: watch::Receiver<Link>) {
    let mut torn = link.clone();
    let joined = async {
        let reachable = link
            .wait_for(|link| !link.stops(Way::Question, false))
            .await;
        drop(reachable.ok()?);
        TcpStream::connect(database).await.ok()
    };
    let database = tokio::select! {
        joined = joined => joined,
        _ = torn.wait_for(|link| *link == Link::Cut) => None,
    };
    let Some(mut database) = database else {
        // The other end is refused, as by a machine on which nobody listens.
        server.set_zero_linger().unwrap();
        return;
    };
    drop((server.set_nodelay(true), database.set_nodelay(true)));
    let was_torn = {
        let (questions, answers) = (server.split(), database.split());
        let committing = AtomicBool::new(false);
        let both = async {
            tokio::join!(
                carry(
                    questions.0,
                    answers.1,
                    Way::Question,
                    &committing,
                    torn.clone()
                ),
                carry(
                    answers.0,
                    questions.1,
                    Way::Answer,
                    &committing,
                    torn.clone()
                ),
            )
        };
        let mut torn = torn.clone();
        tokio::select! {
            _ = both => false,
            cut = torn.wait_for(|link| *link == Link::Cut) => cut.is_ok(),
        }
    };
    if was_torn {
        drop((server.set_zero_linger(), database.set_zero_linger()));
    }
}

/// Carries what comes until it ends, each piece when the link lets it pass.
async fn carry(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    way: Way,
    committing: &AtomicBool,
    mut link: watch::Receiver<Link>,
) -> Option<()> {
    let mut bytes = vec![0; 16 * 1024];
    loop {
        let count = from.read(&mut bytes).await.unwrap_or(0);
        if way == Way::Question && count > 0 {
            let commits = bytes[..count]
                .windows(COMMIT.len())
                .any(|piece| piece == COMMIT);
            committing.store(commits, Ordering::Relaxed);
        }
        let stops = |link: &Link| link.stops(way, committing.load(Ordering::Relaxed));
        let link = *link.wait_for(|link| !stops(link)).await.ok()?;
        if let Link::Slow(later) = link {
            tokio::time::sleep(later).await;
        }
        if count == 0 {
            return to.shutdown().await.ok();
        }
        to.write_all(&bytes[..count]).await.ok()?;
    }
}
