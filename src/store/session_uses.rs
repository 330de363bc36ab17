//! Uses of sessions, which prolong them: many in one statement, or one within an act.

use chrono::{DateTime, TimeDelta, Utc};
use entity::sessions;
use sea_orm::{ConnectionTrait, DbBackend, EntityTrait, QueryFilter, Value};

use crate::rules::id::SessionId;
use crate::store::session_list::is_live;
use crate::store::{Store, StoreError, Transaction, statement};

/// A use of a session that the table does not know of yet.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Use {
    /// The session.
    pub session_id: SessionId,
    /// When it was used.
    pub at: DateTime<Utc>,
    /// Its idle timeout, which runs from then.
    pub idle_timeout: TimeDelta,
}

impl Store {
    /// Notes uses of sessions, in one statement: of those that are still live, and only forwards.
    pub async fn touch(&self, uses: Vec<Use>, now: DateTime<Utc>) -> Result<(), StoreError> {
        if uses.is_empty() {
            return Ok(());
        }
        // PostgreSQL would lock the rows as it comes to them; in one order for everybody, nobody
        // waits for ever.
        let locked = if self.is_embedded() {
            ""
        } else {
            "WITH locked AS MATERIALIZED (SELECT id FROM sessions WHERE id IN \
             (SELECT column1 FROM (VALUES {values}) AS ids) ORDER BY id FOR NO KEY UPDATE) "
        };
        let also = if self.is_embedded() {
            ""
        } else {
            " AND sessions.id IN (SELECT id FROM locked)"
        };
        let values: Vec<String> = (0..uses.len())
            .map(|row| 4 * row + 1)
            .map(|n| format!("(${n}, ${}, ${}, ${})", n + 1, n + 2, n + 3))
            .collect();
        let sql = format!(
            "{locked}UPDATE sessions SET last_seen_at = used.seen, idle_expires_at = {} \
             FROM (SELECT column1 AS id, column2 AS seen, column3 AS idle, column4 AS secs \
              FROM (VALUES {{values}}) AS rows) AS used \
             WHERE sessions.id = used.id{also} AND ended_at IS NULL AND last_seen_at < used.seen \
             AND idle_expires_at > used.seen AND expires_at > used.seen",
            idle_expiry(self.backend(), "used.seen", "used.idle", "used.secs")
        )
        .replace("{values}", &values.join(", "));
        let values = uses.into_iter().flat_map(|used| {
            let [seen, idle, secs] = times(used.at, used.idle_timeout);
            [used.session_id.0.into(), seen, idle, secs]
        });
        let touch = statement(self.backend(), sql, values);
        self.write(now, move |tx| {
            Box::pin(async move {
                tx.connection().execute_raw(touch).await?;
                Ok(())
            })
        })
        .await
    }
}

impl Transaction {
    /// Is this session live now, by the table?
    pub async fn is_live(&mut self, session_id: SessionId) -> Result<bool, StoreError> {
        let live = sessions::Entity::find_by_id(session_id.0)
            .filter(is_live(self.now))
            .one(self.connection())
            .await?;
        Ok(live.is_some())
    }

    /// Uses a session now. False if it has ended or passed a limit.
    pub async fn use_session(
        &mut self,
        session_id: SessionId,
        idle_timeout: TimeDelta,
    ) -> Result<bool, StoreError> {
        let db = self.connection();
        let sql = format!(
            "UPDATE sessions SET last_seen_at = $2, idle_expires_at = {} WHERE id = $1 \
             AND ended_at IS NULL AND idle_expires_at > $2 AND expires_at > $2",
            idle_expiry(db.get_database_backend(), "$2", "$3", "$4")
        );
        let [seen, idle, secs] = times(self.now, idle_timeout);
        let values = [session_id.0.into(), seen, idle, secs];
        let touch = statement(db.get_database_backend(), sql, values);
        Ok(db.execute_raw(touch).await?.rows_affected() == 1)
    }
}

/// When a session that was used is idle: as whoever used it reckons, but by the row's own idle
/// timeout, to the millisecond, where that was lowered since.
fn idle_expiry(backend: DbBackend, seen: &str, idle: &str, secs: &str) -> String {
    let lowered = if backend == DbBackend::Sqlite {
        format!(
            "strftime('%Y-%m-%dT%H:%M:%f+00:00', {seen}, sessions.idle_timeout_secs || ' seconds')"
        )
    } else {
        format!("{seen} + make_interval(secs => sessions.idle_timeout_secs)")
    };
    format!("CASE WHEN sessions.idle_timeout_secs < {secs} THEN {lowered} ELSE {idle} END")
}

/// The last three that [`idle_expiry`] is given: seen, idle, and the seconds between them.
fn times(seen: DateTime<Utc>, idle_timeout: TimeDelta) -> [Value; 3] {
    let secs = idle_timeout.num_seconds();
    [seen.into(), (seen + idle_timeout).into(), secs.into()]
}
