//! Rounds on an SQLite file. One writer at a time numbers the changes in the order of the commits.

use std::str::FromStr;

use sea_orm::sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sea_orm::sqlx::{self, ConnectOptions, Connection};
use uuid::Uuid;

use crate::settings::Secret;
use crate::store::change_list::{Changes, MANY};
use crate::store::open::BUSY_TIMEOUT;

/// Rounds on an SQLite file.
#[derive(Debug)]
pub(super) struct SqliteReader {
    url: Secret,
    connection: Option<SqliteConnection>,
    /// Of this connection; another one counts otherwise.
    data_version: Option<i64>,
    cursor: Option<Cursor>,
}

#[derive(Clone, Copy, Debug)]
struct Cursor {
    /// The last change that was seen.
    id: i64,
    /// Another one means that the tables were made anew, and the list with them.
    schema_version: i64,
}

impl SqliteReader {
    pub(super) fn new(url: Secret) -> Self {
        Self {
            url,
            connection: None,
            data_version: None,
            cursor: None,
        }
    }

    pub(super) fn disconnect(&mut self) {
        self.connection = None;
        self.data_version = None;
    }

    pub(super) fn forget_place(&mut self) {
        self.cursor = None;
        self.data_version = None;
    }

    pub(super) async fn round(&mut self) -> sqlx::Result<Changes> {
        if self.connection.is_none() {
            let options = SqliteConnectOptions::from_str(self.url.reveal())?
                .create_if_missing(false)
                .busy_timeout(BUSY_TIMEOUT);
            self.connection = Some(options.disable_statement_logging().connect().await?);
        }
        let Some(connection) = &mut self.connection else {
            return Err(sqlx::Error::PoolClosed);
        };
        // Changes with each commit of another connection: while it stays, nothing happened, which
        // is found out without reading any table. Asked first, so that a commit between this
        // question and the next ones is found now and once more in the next round.
        let data_version = sqlx::query_scalar("PRAGMA data_version")
            .fetch_one(&mut *connection)
            .await?;
        if self.data_version == Some(data_version) {
            return Ok(Changes::default());
        }
        let mut snapshot = connection.begin().await?;
        let (id, schema_version): (i64, i64) = sqlx::query_as(
            "SELECT COALESCE((SELECT seq FROM sqlite_sequence WHERE name = 'session_changes'), 0), \
             (SELECT schema_version FROM pragma_schema_version)",
        )
        .fetch_one(&mut *snapshot)
        .await?;
        let now = Cursor { id, schema_version };
        let changes = match self.cursor {
            Some(before) if before.schema_version == schema_version && before.id <= id => {
                let rows: Vec<(Option<Uuid>, Option<Uuid>, Option<f64>)> = sqlx::query_as(
                    "SELECT session_id, user_id, \
                     (julianday('now') - julianday(noted_at)) * 86400.0 \
                     FROM session_changes WHERE id > $1 ORDER BY id LIMIT $2",
                )
                .bind(before.id)
                .bind(i64::try_from(MANY + 1).unwrap_or(i64::MAX))
                .fetch_all(&mut *snapshot)
                .await?;
                let mut changes = Changes::default();
                for (session_id, user_id, age) in rows {
                    changes.push(session_id, user_id, age);
                }
                changes.count()
            }
            _ => Changes::everyone(),
        };
        snapshot.rollback().await?;
        self.cursor = Some(now);
        self.data_version = Some(data_version);
        Ok(changes)
    }
}
