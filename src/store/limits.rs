//! Bringing live sessions within limits that became stricter.
//!
//! Limits are only ever lowered: each change says in its WHERE that what it writes is no later than
//! what is there.

use chrono::{DateTime, TimeDelta, Utc};
use entity::{sessions, user_organizations};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait,
};
use uuid::Uuid;

use crate::rules::id::SessionId;
use crate::rules::policy::Caps;
use crate::store::policies::{Whose, whole};
use crate::store::users::with_role;
use crate::store::{StoreError, Transaction, statement};

/// How far one step of bringing live sessions within limits came.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Lowered {
    /// Sessions whose limits were lowered.
    pub sessions: u64,
    /// The last session looked at, if there may be more behind it.
    pub next: Option<SessionId>,
}

impl Transaction {
    /// Brings live sessions within limits, in the order of their ids from after `after` on, at most
    /// so many. A session that is past its new limits already ends by them at its next use.
    pub async fn lower_limits(
        &mut self,
        whose: &Whose,
        remembered: bool,
        caps: Caps,
        after: Option<SessionId>,
        at_most: u64,
    ) -> Result<Lowered, StoreError> {
        use sessions::Column::{EndedAt, Id, Remembered};
        let mut question = sessions::Entity::find()
            .filter(EndedAt.is_null())
            .filter(Remembered.eq(remembered))
            .filter(belong_to(whose))
            .order_by_asc(Id)
            .limit(at_most)
            .lock_exclusive();
        if let Some(after) = after {
            question = question.filter(Id.gt(after.0));
        }
        let found = question.all(self.connection()).await?;
        let last = found.last().map(|row| SessionId(row.id));
        let full = found.len() as u64 == at_most;
        let lower: Vec<_> = found
            .iter()
            .filter_map(|row| Some((row.id, lowered(row, caps)?)))
            .collect();
        let sessions = self.write_limits(lower).await?;
        Ok(Lowered {
            sessions,
            next: last.filter(|_| full),
        })
    }

    async fn write_limits(&mut self, lower: Vec<(Uuid, NewLimits)>) -> Result<u64, StoreError> {
        if lower.is_empty() {
            return Ok(0);
        }
        let values: Vec<String> = (0..lower.len())
            .map(|row| 4 * row + 2)
            .map(|n| format!("(${n}, ${}, ${}, ${})", n + 1, n + 2, n + 3))
            .collect();
        let sql = format!(
            "UPDATE sessions SET idle_timeout_secs = low.secs, idle_expires_at = low.idle, \
             expires_at = low.absolute, updated_at = $1 \
             FROM (SELECT column1 AS id, column2 AS secs, column3 AS idle, column4 AS absolute \
              FROM (VALUES {}) AS rows) AS low \
             WHERE sessions.id = low.id AND ended_at IS NULL AND idle_timeout_secs >= low.secs \
             AND idle_expires_at >= low.idle AND expires_at >= low.absolute",
            values.join(", ")
        );
        for (id, _) in &lower {
            self.forget(SessionId(*id));
        }
        let values = lower.into_iter().flat_map(|(id, new)| {
            [
                id.into(),
                new.idle_timeout_secs.into(),
                new.idle_expires_at.into(),
                new.expires_at.into(),
            ]
        });
        let values = std::iter::once(self.now.into()).chain(values);
        let db = self.connection();
        let update = statement(db.get_database_backend(), sql, values);
        Ok(db.execute_raw(update).await?.rows_affected())
    }
}

fn belong_to(whose: &Whose) -> Condition {
    let all = Condition::all();
    let owner = sessions::Column::UserId;
    match whose {
        Whose::User(user) => all.add(owner.eq(user.0)),
        Whose::Role(role) => all.add(owner.in_subquery(with_role(role))),
        Whose::Organization(id) => all.add(
            owner.in_subquery(
                user_organizations::Entity::find()
                    .select_only()
                    .column(user_organizations::Column::UserId)
                    .filter(user_organizations::Column::OrganizationId.eq(id.0))
                    .into_query(),
            ),
        ),
    }
}

struct NewLimits {
    idle_timeout_secs: i32,
    idle_expires_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
}

/// The limits of a session within the caps; none where it keeps within them already.
fn lowered(row: &sessions::Model, caps: Caps) -> Option<NewLimits> {
    let idle_timeout_secs = match whole(caps.idle) {
        Some(secs) => row.idle_timeout_secs.min(secs),
        None => row.idle_timeout_secs,
    };
    let idle = row.last_seen_at + TimeDelta::seconds(idle_timeout_secs.into());
    let new = NewLimits {
        idle_timeout_secs,
        idle_expires_at: row.idle_expires_at.min(idle),
        expires_at: match caps.lifetime {
            Some(lifetime) => row.expires_at.min(row.created_at + lifetime),
            None => row.expires_at,
        },
    };
    let changed = new.idle_timeout_secs < row.idle_timeout_secs || new.expires_at < row.expires_at;
    changed.then_some(new)
}
