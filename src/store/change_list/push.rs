//! PostgreSQL says at once that the list has grown. It is a hint and no more: a reader that is
//! never told goes on round by round.

use std::str::FromStr;
use std::time::Duration;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sea_orm::sqlx::{self, ConnectOptions, Executor};

use crate::settings::Secret;
use crate::store::{Store, StoreError};

const CHANNEL: &str = "portcullis_session_changes";

/// A connection on which nothing was heard for so long is asked whether it is still there.
const SILENCE: Duration = Duration::from_secs(15);

/// Longest wait for that answer.
const ANSWER: Duration = Duration::from_secs(5);

/// Listens for growth of the list.
#[derive(Debug)]
pub struct Push {
    url: Secret,
}

impl Push {
    /// None where the database cannot push.
    pub fn new(store: &Store) -> Option<Self> {
        let url = store.inner.url.clone();
        (!store.is_embedded()).then_some(Self { url })
    }

    /// Calls `grown` each time, until the connection is lost.
    pub async fn listen(&self, grown: impl Fn()) -> StoreError {
        match self.try_listen(grown).await {
            Err(error) => StoreError::from(error),
            Ok(never) => match never {},
        }
    }

    async fn try_listen(&self, grown: impl Fn()) -> sqlx::Result<std::convert::Infallible> {
        let options = PgConnectOptions::from_str(self.url.reveal())?
            .application_name("portcullis push")
            .disable_statement_logging();
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .max_lifetime(None)
            .idle_timeout(None)
            .acquire_timeout(ANSWER)
            .connect_with(options)
            .await?;
        let mut listener = PgListener::connect_with(&pool).await?;
        listener.listen(CHANNEL).await?;
        loop {
            // Something may have been said before this connection listened.
            grown();
            match tokio::time::timeout(SILENCE, listener.try_recv()).await {
                // Lost and found again meanwhile, or told.
                Ok(heard) => drop(heard?),
                // A connection that a network has swallowed says nothing either.
                Err(_) => match tokio::time::timeout(ANSWER, listener.execute("SELECT 1")).await {
                    Ok(answer) => {
                        answer?;
                    }
                    Err(_) => return Err(sqlx::Error::PoolTimedOut),
                },
            }
        }
    }
}
