//! The tables behind SeaORM, and the one cache in front of them.
//!
//! Knows SQL, entities and moka, and turns rows into the types of `rules`. Makes no policy: what a
//! fact means is decided in `rules`, what is done about it in `service`. Knows no HTTP.

mod acts;
mod error;
mod open;
mod seen_sign_ins;
mod session_addresses;
mod session_facts;
mod session_names;
mod text_search;
mod transaction;
mod user_list;

pub mod audit;
pub mod change_list;
pub mod figures;
pub mod impersonations;
pub mod keys;
pub mod leases;
pub mod limits;
pub mod organizations;
pub mod outbox;
pub mod policies;
pub mod refresh_tokens;
pub mod reset;
pub mod retention;
pub mod session_list;
pub mod session_query;
pub mod session_uses;
pub mod sessions;
pub mod throttles;
pub mod users;
pub mod validity_cache;
pub mod verification_tokens;

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::sea_query::{Asterisk, Expr, Func, Query, SelectStatement};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, DbErr, Statement, Value};
use tokio::sync::Notify;

use crate::rules::outbox::Consumer;
use crate::settings::Secret;
pub use crate::store::acts::Acts;
use crate::store::change_list::Changes;
pub use crate::store::error::StoreError;
pub use crate::store::transaction::{ActFuture, Transaction};
use crate::store::validity_cache::ValidityCache;
use crate::store::validity_cache::weakness::Weakness;

/// Longest that one question to the database may take, its wait for a connection included.
const PATIENCE: Duration = Duration::from_secs(5);

/// What matches a search is counted no further than this. Counting all takes the longer the more
/// there are, and nobody reads further: a number above this one says that there are more.
pub const COUNTED: u64 = 10_000;

/// The database and its cache. Cheap to clone; all clones are one.
#[derive(Clone, Debug)]
pub struct Store {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// SQLite knows one writer at a time; queueing for it here instead of in the database keeps
    /// readers and writers from waiting for one another. On PostgreSQL both are the same pool.
    reader: DatabaseConnection,
    writer: DatabaseConnection,
    /// For the connections that follow the change list.
    url: Secret,
    cache: ValidityCache,
    /// What this process has done.
    acts: Acts,
    /// Those for whom something is put into the outbox.
    listeners: &'static [Consumer],
    /// Told when this process has put something into the outbox for people ...
    mail_grown: Notify,
    /// ... and for the webhook: who has nothing to do is not woken for another.
    webhook_grown: Notify,
}

impl Store {
    /// The cache of session facts.
    pub fn cache(&self) -> &ValidityCache {
        &self.inner.cache
    }

    /// What this process has done since its start.
    pub fn acts(&self) -> &Acts {
        &self.inner.acts
    }

    /// The connection on which the schema is changed; nothing else may use it.
    pub fn schema_connection(&self) -> &DatabaseConnection {
        &self.inner.writer
    }

    /// Does the database answer, and are its tables there?
    pub async fn ping(&self) -> Result<(), StoreError> {
        self.read(async |db| {
            let sql = "SELECT 1 FROM sessions LIMIT 1";
            db.query_one_raw(Statement::from_string(db.get_database_backend(), sql))
                .await
                .map(drop)
        })
        .await
    }

    /// Reads, for no longer than the store's patience.
    async fn read<'a, T, F, Fut>(&'a self, question: F) -> Result<T, StoreError>
    where
        F: FnOnce(&'a DatabaseConnection) -> Fut,
        Fut: Future<Output = Result<T, DbErr>>,
    {
        match tokio::time::timeout(PATIENCE, question(&self.inner.reader)).await {
            Ok(answer) => Ok(answer?),
            Err(_) => Err(StoreError::Unavailable(None)),
        }
    }

    /// Takes over what a reading of the change list found that began at `since_boot`: from now on
    /// none of it is answered from memory.
    pub fn learn(&self, changes: &Changes, since_boot: Duration) {
        let cache = self.cache();
        if cache.is_weak(Weakness::Changes) {
            return cache.confirm(since_boot);
        }
        if changes.everyone {
            cache.forget_everyone();
        }
        for session_id in &changes.sessions {
            cache.forget(*session_id);
        }
        for user_id in &changes.users {
            cache.forget_user(*user_id);
        }
        cache.confirm(since_boot);
    }

    /// Is it an SQLite file, and no server?
    pub fn is_embedded(&self) -> bool {
        self.backend() == DbBackend::Sqlite
    }

    /// How many rows there are, but at most one more than is counted.
    async fn count(&self, mut rows: SelectStatement) -> Result<u64, StoreError> {
        let count = Query::select()
            .expr(Func::count(Expr::col(Asterisk)))
            .from_subquery(rows.limit(COUNTED + 1).take(), "matching")
            .take();
        let question = self.backend().build(&count);
        let row = self
            .read(async |db| db.query_one_raw(question).await)
            .await?;
        let count = row.map(|row| row.try_get_by_index::<i64>(0)).transpose()?;
        Ok(count.map_or(0, |count| u64::try_from(count).unwrap_or_default()))
    }

    fn backend(&self) -> DbBackend {
        self.inner.reader.get_database_backend()
    }
}

/// A statement with `$1`, `$2`, … in it, which both databases understand.
fn statement(
    backend: DbBackend,
    sql: impl Into<String>,
    values: impl IntoIterator<Item = Value>,
) -> Statement {
    Statement::from_sql_and_values(backend, sql, values)
}
