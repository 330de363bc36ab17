//! The change list, read: which sessions and users the database says have changed since the last
//! look, whoever changed them.
//!
//! A reader has a connection of its own, so that it is not kept waiting by anybody who uses the
//! others. Each round begins where the last successful one left off; after a gap of whatever cause
//! the next round brings what was missed. Knows SQL and its two dialects; does not know what is
//! done with a change.

mod postgres;
mod push;
mod sqlite;
mod trim;

use std::time::Duration;

use uuid::Uuid;

pub use crate::store::change_list::push::Push;
pub use crate::store::change_list::trim::Trimmer;

use crate::rules::id::{SessionId, UserId};
use crate::store::change_list::postgres::PostgresReader;
use crate::store::change_list::sqlite::SqliteReader;
use crate::store::{Store, StoreError};

/// A mass of changes is not worth telling apart: beyond this many in one round, everybody's facts
/// count as changed.
const MANY: usize = 10_000;

/// How long a change stays in the list. A reader that was away for half as long starts afresh.
const KEPT: Duration = Duration::from_secs(600);

/// What one round found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Changes {
    /// Everybody's facts may have changed: too much to name, or the list is another one.
    pub everyone: bool,
    /// Sessions whose facts have changed.
    pub sessions: Vec<SessionId>,
    /// Users whose sessions' facts have changed.
    pub users: Vec<UserId>,
    /// For each change how long it lay in the list, by the database's clock.
    pub ages: Vec<Duration>,
}

impl Changes {
    fn everyone() -> Self {
        Self {
            everyone: true,
            ..Self::default()
        }
    }

    fn push(&mut self, session_id: Option<Uuid>, user_id: Option<Uuid>, age: Option<f64>) {
        self.sessions.extend(session_id.map(SessionId));
        self.users.extend(user_id.map(UserId));
        self.everyone |= session_id.is_none() && user_id.is_none();
        let age = age.and_then(|age| Duration::try_from_secs_f64(age).ok());
        self.ages.push(age.unwrap_or_default());
    }

    fn count(mut self) -> Self {
        if self.ages.len() > MANY {
            self.everyone = true;
            self.sessions.clear();
            self.users.clear();
        }
        self
    }
}

/// Reads the change list, round by round.
#[derive(Debug)]
pub struct Reader {
    dialect: Dialect,
    /// When the last round that brought an answer began, as time since the machine started.
    last: Option<Duration>,
}

#[derive(Debug)]
enum Dialect {
    Sqlite(SqliteReader),
    Postgres(PostgresReader),
}

impl Reader {
    /// A reader that has seen nothing yet: its first round says that everybody's facts may have
    /// changed. It connects in its first round, and again in the first after a failed one.
    pub fn new(store: &Store) -> Self {
        let url = store.inner.url.clone();
        let dialect = if store.is_embedded() {
            Dialect::Sqlite(SqliteReader::new(url))
        } else {
            Dialect::Postgres(PostgresReader::new(url))
        };
        Self {
            dialect,
            last: None,
        }
    }

    /// What has changed since the last round that brought an answer. Whatever was committed before
    /// this round began, at `since_boot`, is in it, or was in an earlier one.
    pub async fn round(
        &mut self,
        since_boot: Duration,
        patience: Duration,
    ) -> Result<Changes, StoreError> {
        if self.last.is_some_and(|last| since_boot > last + KEPT / 2) {
            // What was missed may have left the list.
            self.forget_place();
        }
        let round = async {
            match &mut self.dialect {
                Dialect::Sqlite(reader) => reader.round().await,
                Dialect::Postgres(reader) => reader.round().await,
            }
        };
        let outcome = match tokio::time::timeout(patience, round).await {
            Ok(outcome) => outcome.map_err(StoreError::from),
            Err(_) => Err(StoreError::Unavailable(None)),
        };
        match &outcome {
            Ok(_) => self.last = Some(since_boot),
            Err(_) => self.disconnect(),
        }
        outcome
    }

    fn disconnect(&mut self) {
        match &mut self.dialect {
            Dialect::Sqlite(reader) => reader.disconnect(),
            Dialect::Postgres(reader) => reader.disconnect(),
        }
    }

    fn forget_place(&mut self) {
        match &mut self.dialect {
            Dialect::Sqlite(reader) => reader.forget_place(),
            Dialect::Postgres(reader) => reader.forget_place(),
        }
    }
}
