//! What goes wrong while callers call: one thing after the other, each for a while.
//!
//! Knows how to do it and how to undo it; afterwards everything runs again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use rustix::process::Signal;
use sea_orm::{ConnectOptions, DatabaseConnection};

use crate::nodes::{BOUND, NODES, Nodes};
use crate::proxy::Link;
use crate::support::chance::Chance;

/// Connections that PostgreSQL takes, as it is installed.
const CONNECTIONS: usize = 100;

/// Ends every connection of the servers.
const END_BACKENDS: &str = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
     WHERE pid <> pg_backend_pid() AND application_name LIKE 'portcullis%'";

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Fault {
    /// A node is killed, and started again.
    Kill(usize),
    /// A node stands still and goes on.
    Pause(usize),
    /// The network between a node and the database.
    Network(usize, Link),
    /// PostgreSQL stops as in a power cut, and starts again.
    StopPostgres,
    /// PostgreSQL stands still and goes on.
    FreezePostgres,
    /// All connections of the servers end, once.
    EndBackends,
    /// And there is no room for new ones.
    FillPostgres,
}

impl Fault {
    /// Each kind as often as any other.
    pub fn some(chance: &mut Chance) -> Self {
        let node = chance.below(NODES);
        let kinds = [
            Self::Kill(node),
            Self::Pause(node),
            Self::Network(node, Link::Cut),
            Self::Network(node, Link::Silent),
            Self::Network(node, Link::Mute),
            Self::Network(node, Link::Slow(BOUND / 8)),
            Self::Network(node, Link::Slow(BOUND)),
            Self::Network(node, Link::LateCommit),
            Self::Network(node, Link::UnconfirmedCommit),
            Self::StopPostgres,
            Self::FreezePostgres,
            Self::EndBackends,
            Self::FillPostgres,
        ];
        kinds[chance.below(kinds.len())]
    }

    /// Does it, waits for so long, and undoes it.
    pub async fn happen(self, nodes: &Arc<Nodes>, lasts: Duration) {
        let pass = tokio::time::sleep(lasts);
        match self {
            Self::Kill(node) => {
                on_thread(nodes, move |nodes| nodes.nodes[node].kill()).await;
                pass.await;
                on_thread(nodes, move |nodes| nodes.nodes[node].restart()).await;
            }
            Self::Pause(node) => {
                nodes.nodes[node].signal(Signal::STOP);
                pass.await;
                nodes.nodes[node].signal(Signal::CONT);
            }
            Self::Network(node, link) => {
                nodes.nodes[node].proxy.set(link);
                pass.await;
                nodes.nodes[node].proxy.set(Link::Up);
            }
            Self::StopPostgres => {
                on_thread(nodes, |nodes| nodes.cluster.stop()).await;
                pass.await;
                on_thread(nodes, |nodes| nodes.cluster.resume()).await;
            }
            Self::FreezePostgres => {
                on_thread(nodes, |nodes| nodes.cluster.freeze()).await;
                pass.await;
                on_thread(nodes, |nodes| nodes.cluster.thaw()).await;
            }
            Self::EndBackends => {
                nodes.database.execute(END_BACKENDS).await;
            }
            Self::FillPostgres => {
                let ends = nodes.database.connect().await;
                let held = fill(nodes).await;
                sea_orm::ConnectionTrait::execute_unprepared(&ends, END_BACKENDS)
                    .await
                    .unwrap();
                // Those that have just become free.
                let more = fill(nodes).await;
                pass.await;
                for connection in held.into_iter().chain(more).chain([ends]) {
                    connection.close().await.unwrap();
                }
            }
        }
    }
}

/// Without keeping the callers waiting.
async fn on_thread(nodes: &Arc<Nodes>, act: impl FnOnce(&Nodes) + Send + 'static) {
    let nodes = Arc::clone(nodes);
    tokio::task::spawn_blocking(move || act(&nodes))
        .await
        .unwrap();
}

/// Takes every connection that is free.
async fn fill(nodes: &Nodes) -> Vec<DatabaseConnection> {
    let connecting = (0..CONNECTIONS).map(async |_| {
        let mut options = ConnectOptions::new(&nodes.database.url);
        options
            .max_connections(1)
            .connect_timeout(Duration::from_secs(1))
            .sqlx_logging(false);
        sea_orm::Database::connect(options).await.ok()
    });
    join_all(connecting).await.into_iter().flatten().collect()
}
