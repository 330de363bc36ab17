//! Lists of sessions: a user's own, and what administrators search.

use chrono::{DateTime, TimeDelta, Utc};
use entity::{sessions, users};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Func, LikeExpr};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, FromQueryResult, JoinType, QueryFilter, QueryOrder,
    QuerySelect, QueryTrait, RelationDef, Select,
};
use uuid::Uuid;

use crate::rules::end_reason::EndReason;
use crate::rules::familiar::Seen;
use crate::rules::id::{OrganizationId, SessionId, UserId};
use crate::rules::record::{
    Device, Listed, OpenedBy, SessionRecord, SessionSearch, SessionStatus, SessionWithUser,
};
use crate::rules::session::Ended;
use crate::store::session_facts::ended;
use crate::store::{Store, StoreError, Transaction};

#[derive(FromQueryResult)]
struct UserColumns {
    user_email: String,
    user_name: String,
}

impl Store {
    /// A user's sessions that are live at `now`, newest first.
    pub async fn live_sessions_of(
        &self,
        user_id: UserId,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let question = sessions::Entity::find()
            .filter(sessions::Column::UserId.eq(user_id.0))
            .filter(is_live(now))
            .order_by_desc(sessions::Column::Id);
        let rows = self.read(|db| question.all(db)).await?;
        rows.into_iter().map(|row| record(row, now)).collect()
    }

    /// The latest of a user's sessions that have ended since `since`, newest first.
    pub async fn ended_sessions_of(
        &self,
        user_id: UserId,
        since: DateTime<Utc>,
        limit: u64,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let question = sessions::Entity::find()
            .filter(sessions::Column::UserId.eq(user_id.0))
            .filter(is_live(now).not())
            .filter(
                Condition::any()
                    .add(sessions::Column::EndedAt.gte(since))
                    .add(sessions::Column::EndedAt.is_null()),
            )
            .order_by_desc(sessions::Column::Id)
            .limit(limit);
        let rows = self.read(|db| question.all(db)).await?;
        rows.into_iter().map(|row| record(row, now)).collect()
    }

    /// One session.
    pub async fn find_session(
        &self,
        session_id: SessionId,
        now: DateTime<Utc>,
    ) -> Result<Option<SessionRecord>, StoreError> {
        let question = sessions::Entity::find_by_id(session_id.0);
        let row = self.read(|db| question.one(db)).await?;
        row.map(|row| record(row, now)).transpose()
    }

    /// Has this user ever signed in from this address, as far as the table remembers? Where an
    /// administrator looked on from says nothing of the user.
    pub async fn has_signed_in_from(&self, user_id: UserId, ip: &str) -> Result<bool, StoreError> {
        let question = sessions::Entity::find()
            .select_only()
            .column(sessions::Column::Id)
            .filter(sessions::Column::UserId.eq(user_id.0))
            .filter(sessions::Column::Ip.eq(ip))
            .filter(sessions::Column::ImpersonatorId.is_null())
            .limit(1)
            .into_tuple::<Uuid>();
        Ok(self.read(|db| question.one(db)).await?.is_some())
    }

    /// Where and with what this user has signed in lately, newest first.
    pub async fn seen_sign_ins(
        &self,
        user_id: UserId,
        limit: u64,
    ) -> Result<Vec<Seen>, StoreError> {
        let question = sessions::Entity::find()
            .select_only()
            .column(sessions::Column::Ip)
            .column(sessions::Column::Browser)
            .column(sessions::Column::Os)
            .filter(sessions::Column::UserId.eq(user_id.0))
            // An administrator's device is not the user's.
            .filter(sessions::Column::ImpersonatorId.is_null())
            .order_by_desc(sessions::Column::Id)
            .limit(limit)
            .into_tuple::<(Option<String>, String, String)>();
        let rows = self.read(|db| question.all(db)).await?;
        let seen = |(ip, browser, os): (Option<String>, String, String)| Seen {
            // One that was deleted for its age is like no other.
            ip: ip.unwrap_or_default(),
            browser,
            os,
        };
        Ok(rows.into_iter().map(seen).collect())
    }

    /// Sessions that match, newest first, from after `cursor` on.
    pub async fn search_sessions(
        &self,
        search: &SessionSearch,
        cursor: Option<Uuid>,
        limit: u64,
        now: DateTime<Utc>,
    ) -> Result<Listed<SessionWithUser>, StoreError> {
        let named = self.named(search).await?;
        // Where many are meant, their sessions are not far apart, and are found by passing others;
        // where few are, theirs are asked for.
        let question = match &named {
            Named::Anybody => matching(search, now),
            Named::These(users) => {
                matching(search, now).filter(sessions::Column::UserId.is_in(users.iter().copied()))
            }
            Named::Many(text) => matching(search, now).filter(contains(text)),
        };
        let mut question = question
            .order_by_desc(sessions::Column::Id)
            .limit(limit + 1);
        if let Some(cursor) = cursor {
            question = question.filter(sessions::Column::Id.lt(cursor));
        }
        let mut rows = self.with_users(question, now).await?;
        let more = rows.len() as u64 > limit;
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next_cursor = rows.last().filter(|_| more).map(|row| row.session.id.0);
        Ok(Listed { rows, next_cursor })
    }

    /// What these sessions and their users are.
    pub(super) async fn with_users(
        &self,
        question: Select<sessions::Entity>,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionWithUser>, StoreError> {
        let question = question
            .join(JoinType::InnerJoin, to_user())
            .select_also_columns()
            .into_model::<Row>();
        let rows = self.read(|db| question.all(db)).await?;
        rows.into_iter()
            .map(|Row(session, user)| {
                Ok(SessionWithUser {
                    session: record(session, now)?,
                    email: user.user_email,
                    name: user.user_name,
                })
            })
            .collect()
    }

    /// How many sessions match, but at most one more than [`COUNTED`](crate::store::COUNTED).
    pub async fn count_sessions(
        &self,
        search: &SessionSearch,
        now: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        use sessions::Column::{Id, UserId};
        let question = matching(search, now).select_only().column(Id);
        let question = match self.named(search).await? {
            Named::Anybody => question,
            Named::These(users) => question.filter(UserId.is_in(users)),
            Named::Many(text) => {
                let users = users::Entity::find()
                    .select_only()
                    .column(users::Column::Id);
                question.filter(UserId.in_subquery(users.filter(contains(&text)).into_query()))
            }
        };
        self.count(question.into_query()).await
    }

    /// Whose sessions a search is for, by its text.
    async fn named(&self, search: &SessionSearch) -> Result<Named, StoreError> {
        let text = search.text.trim();
        if text.is_empty() || whole(text).is_some() {
            return Ok(Named::Anybody);
        }
        Ok(match self.few_named(text).await? {
            Some(users) => Named::These(users),
            None => Named::Many(text.to_owned()),
        })
    }
}

impl Transaction {
    /// A user's sessions that are live now, newest first.
    pub async fn live_sessions_of(
        &mut self,
        user_id: UserId,
    ) -> Result<Vec<SessionRecord>, StoreError> {
        let now = self.now;
        let rows = sessions::Entity::find()
            .filter(sessions::Column::UserId.eq(user_id.0))
            .filter(sessions::Column::ImpersonatorId.is_null())
            .filter(is_live(now))
            .order_by_desc(sessions::Column::CreatedAt)
            .order_by_desc(sessions::Column::Id)
            .all(self.connection())
            .await?;
        rows.into_iter().map(|row| record(row, now)).collect()
    }
}

/// Whom the text of a search names.
enum Named {
    /// It names nobody: sessions are searched by something else.
    Anybody,
    /// These users.
    These(Vec<Uuid>),
    /// More than a few, by this text.
    Many(String),
}

/// A session's row and its user's columns.
struct Row(sessions::Model, UserColumns);

impl FromQueryResult for Row {
    fn from_query_result(row: &sea_orm::QueryResult, prefix: &str) -> Result<Self, sea_orm::DbErr> {
        Ok(Self(
            sessions::Model::from_query_result(row, prefix)?,
            UserColumns::from_query_result(row, prefix)?,
        ))
    }
}

trait WithUserColumns {
    fn select_also_columns(self) -> Self;
}

impl WithUserColumns for Select<sessions::Entity> {
    fn select_also_columns(self) -> Self {
        self.column_as(users::Column::Email, "user_email")
            .column_as(users::Column::Name, "user_name")
    }
}

/// But for whom the text names.
fn matching(search: &SessionSearch, now: DateTime<Utc>) -> Select<sessions::Entity> {
    let mut question = sessions::Entity::find();
    if let Some(user_id) = search.user_id {
        question = question.filter(sessions::Column::UserId.eq(user_id.0));
    }
    question = match search.status {
        SessionStatus::Live => question.filter(is_live(now)),
        SessionStatus::Ended => question.filter(is_live(now).not()),
        SessionStatus::All => question,
    };
    match whole(search.text.trim()) {
        Some(condition) => question.filter(condition),
        None => question,
    }
}

/// What a text that is a whole identifier or client address is compared with.
fn whole(text: &str) -> Option<Condition> {
    if let Ok(id) = Uuid::parse_str(text) {
        let either = Condition::any()
            .add(sessions::Column::Id.eq(id))
            .add(sessions::Column::UserId.eq(id));
        return Some(either);
    }
    let ip = text.parse::<std::net::IpAddr>().ok()?;
    Some(Condition::all().add(sessions::Column::Ip.eq(ip.to_string())))
}

/// The user's address or name contains the text, whatever the case.
pub(super) fn contains(text: &str) -> Condition {
    let escaped = text
        .to_lowercase()
        .replace('\\', "\\\\")
        .replace('%', "\\%")
        .replace('_', "\\_");
    let pattern = || LikeExpr::new(format!("%{escaped}%")).escape('\\');
    let name = Func::lower(Expr::col((Alias::new("users"), users::Column::Name)));
    Condition::any()
        .add(Expr::col((Alias::new("users"), users::Column::Email)).like(pattern()))
        .add(Expr::expr(name).like(pattern()))
}

fn to_user() -> RelationDef {
    sessions::Entity::belongs_to(users::Entity)
        .from(sessions::Column::UserId)
        .to(users::Column::Id)
        .into()
}

/// Not ended, and within both limits.
pub(super) fn is_live(now: DateTime<Utc>) -> Condition {
    Condition::all()
        .add(sessions::Column::EndedAt.is_null())
        .add(sessions::Column::IdleExpiresAt.gt(now))
        .add(sessions::Column::ExpiresAt.gt(now))
}

/// A row as lists show it. A session past a limit is shown as ended by it, even where nobody has
/// come to write that down yet.
fn record(row: sessions::Model, now: DateTime<Utc>) -> Result<SessionRecord, StoreError> {
    let limit = if now >= row.expires_at && row.expires_at <= row.idle_expires_at {
        Some(Ended {
            at: row.expires_at,
            reason: EndReason::AbsoluteLifetime,
        })
    } else if now >= row.idle_expires_at {
        Some(Ended {
            at: row.idle_expires_at,
            reason: EndReason::Idle,
        })
    } else {
        None
    };
    Ok(SessionRecord {
        ended: ended(row.ended_at, row.end_reason.as_deref())?.or(limit),
        id: SessionId(row.id),
        user_id: UserId(row.user_id),
        organization_id: row.organization_id.map(OrganizationId),
        name: row.name,
        device: Device {
            user_agent: row.user_agent,
            device: row.device,
            browser: row.browser,
            os: row.os,
        },
        ip: Some(row.ip).filter(|ip| !ip.is_empty()),
        place: row.place,
        amr: row
            .amr
            .split_ascii_whitespace()
            .map(str::to_owned)
            .collect(),
        remembered: row.remembered,
        created_at: row.created_at,
        auth_time: row.auth_time,
        last_seen_at: row.last_seen_at,
        idle_timeout: TimeDelta::seconds(row.idle_timeout_secs.into()),
        idle_expires_at: Ord::min(row.idle_expires_at, row.expires_at),
        expires_at: row.expires_at,
        ended_by: row.ended_by.map(UserId),
        opened_by: row.impersonator_id.map(|impersonator| OpenedBy {
            impersonator_id: UserId(impersonator),
            reason: row.impersonation_reason.unwrap_or_default(),
            read_only: row.read_only,
        }),
    })
}
