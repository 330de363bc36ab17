//! Rounds on PostgreSQL, where transactions commit in another order than they number their rows.
//!
//! A reader that remembered the highest number it saw would miss a row with a lower one whose
//! transaction commits later. So each change carries its transaction, and what a reader remembers
//! is its snapshot: which transactions it could see. The next round brings the rows of those that
//! can be seen now and could not then, each exactly once, and waits for nobody.

use std::str::FromStr;

use sea_orm::sqlx::postgres::{PgConnectOptions, PgConnection};
use sea_orm::sqlx::{self, ConnectOptions};
use uuid::Uuid;

use crate::settings::Secret;
use crate::store::change_list::{Changes, MANY};

/// Another identity means another list: the tables were made anew, or another server took over
/// (its timeline begins the names of its log files), which may have lost commits and give their
/// numbers again.
const IDENTITY: &str = "to_regclass('session_changes')::oid::text \
     || '/' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8)";

/// Rounds on PostgreSQL.
#[derive(Debug)]
pub(super) struct PostgresReader {
    url: Secret,
    connection: Option<PgConnection>,
    cursor: Option<Cursor>,
}

#[derive(Clone, Debug)]
struct Cursor {
    /// What could be seen, as PostgreSQL writes it.
    snapshot: String,
    identity: String,
}

/// Snapshot, identity, and of a change its id, session, user and age in seconds.
type Row = (
    String,
    Option<String>,
    Option<i64>,
    Option<Uuid>,
    Option<Uuid>,
    Option<f64>,
);

impl PostgresReader {
    pub(super) fn new(url: Secret) -> Self {
        Self {
            url,
            connection: None,
            cursor: None,
        }
    }

    /// The place in the list goes with the connection: every crash of the server ends it, and after
    /// a crash the server gives numbers again of which only aborted transactions, or none, were on
    /// disk. A snapshot from before says that they have been seen.
    pub(super) fn disconnect(&mut self) {
        self.connection = None;
        self.forget_place();
    }

    pub(super) fn forget_place(&mut self) {
        self.cursor = None;
    }

    pub(super) async fn round(&mut self) -> sqlx::Result<Changes> {
        if self.connection.is_none() {
            self.connection = Some(connect(&self.url, "portcullis change list").await?);
        }
        let Some(connection) = &mut self.connection else {
            return Err(sqlx::Error::PoolClosed);
        };
        // Without a cursor no change is asked for.
        let before = self.cursor.as_ref().map(|cursor| cursor.snapshot.as_str());
        let sql = format!(
            "SELECT now.snapshot::text, now.identity, c.id, c.session_id, c.user_id, \
             extract(epoch FROM clock_timestamp() - c.noted_at)::float8 AS age \
             FROM (SELECT pg_current_snapshot() AS snapshot, {IDENTITY} AS identity) AS now \
             LEFT JOIN session_changes c ON $1::text IS NOT NULL \
              AND c.transaction_id >= pg_snapshot_xmin($1::text::pg_snapshot) \
              AND NOT pg_visible_in_snapshot(c.transaction_id, $1::text::pg_snapshot) \
             LIMIT {}",
            MANY + 1
        );
        let rows: Vec<Row> = sqlx::query_as(sqlx::AssertSqlSafe(sql))
            .bind(before)
            .fetch_all(connection)
            .await?;
        let Some((snapshot, Some(identity), ..)) = rows.first().cloned() else {
            return Err(sqlx::Error::RowNotFound);
        };
        let now = Cursor { snapshot, identity };
        let same = |before: &Cursor| before.identity == now.identity;
        let changes = if self.cursor.as_ref().is_some_and(same) {
            let mut changes = Changes::default();
            for (.., id, session_id, user_id, age) in rows {
                if id.is_some() {
                    changes.push(session_id, user_id, age);
                }
            }
            changes.count()
        } else {
            Changes::everyone()
        };
        self.cursor = Some(now);
        Ok(changes)
    }
}

pub(super) async fn connect(url: &Secret, purpose: &str) -> sqlx::Result<PgConnection> {
    PgConnectOptions::from_str(url.reveal())?
        .application_name(purpose)
        .disable_statement_logging()
        .connect()
        .await
}
