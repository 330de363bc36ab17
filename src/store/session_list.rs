//! Lists of sessions: a user's own, and what administrators search.

use chrono::{DateTime, TimeDelta, Utc};
use entity::{sessions, users};
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query};
use sea_orm::{
    ColumnTrait, Condition, EntityTrait, FromQueryResult, Iterable, JoinType, QueryFilter,
    QueryOrder, QuerySelect, QueryTrait, RelationDef, Select,
};
use uuid::Uuid;

use crate::rules::end_reason::EndReason;
use crate::rules::id::{OrganizationId, SessionId, UserId};
use crate::rules::record::{
    Device, Listed, OpenedBy, SessionRecord, SessionSearch, SessionStatus, SessionWithUser,
};
use crate::rules::session::Ended;
use crate::store::session_facts::ended;
use crate::store::text_search::{Meant, Named};
use crate::store::{COUNTED, Store, StoreError, Transaction};

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

    /// Sessions that match, newest first, from after `cursor` on.
    pub async fn search_sessions(
        &self,
        search: &SessionSearch,
        cursor: Option<Uuid>,
        limit: u64,
        now: DateTime<Utc>,
    ) -> Result<Listed<SessionWithUser>, StoreError> {
        let question = matching(search, cursor, now);
        let mut rows = match text_of(search) {
            None => self.page(question, limit).await?,
            Some(text) => self.page_with_text(text, question, limit).await?,
        };
        let more = rows.len() as u64 > limit;
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next_cursor = rows.last().filter(|_| more).map(|row| row.0.id);
        let rows = rows.into_iter().map(|row| row.with_user(now));
        Ok(Listed {
            rows: rows.collect::<Result<_, _>>()?,
            next_cursor,
        })
    }

    /// What these sessions and their users are.
    pub(super) async fn with_users(
        &self,
        question: Select<sessions::Entity>,
        now: DateTime<Utc>,
    ) -> Result<Vec<SessionWithUser>, StoreError> {
        let question = question
            .join(JoinType::InnerJoin, to_user())
            .column_as(users::Column::Email, "user_email")
            .column_as(users::Column::Name, "user_name")
            .into_model::<Row>();
        let rows = self.read(|db| question.all(db)).await?;
        rows.into_iter().map(|row| row.with_user(now)).collect()
    }

    async fn page(
        &self,
        question: Select<sessions::Entity>,
        limit: u64,
    ) -> Result<Vec<Row>, StoreError> {
        let question = question
            .join(JoinType::InnerJoin, to_user())
            .column_as(users::Column::Email, "user_email")
            .column_as(users::Column::Name, "user_name")
            .order_by_desc(sessions::Column::Id)
            .limit(limit + 1)
            .into_model::<Row>();
        self.read(|db| question.all(db)).await
    }

    /// A text that very many have fills the page from the newest sessions. Where few have it, their
    /// sessions are asked for; where more, theirs are not far apart and found by passing others.
    async fn page_with_text(
        &self,
        text: &str,
        question: Select<sessions::Entity>,
        limit: u64,
    ) -> Result<Vec<Row>, StoreError> {
        let part = match self.meant(text).await? {
            Meant::One(user) => {
                let question = question.filter(sessions::Column::UserId.eq(user));
                return self.page(question, limit).await;
            }
            Meant::Part(part) => part,
        };
        if let Some(window) = part.window(limit + 1) {
            let newest = question
                .clone()
                .order_by_desc(sessions::Column::Id)
                .limit(window);
            let some = Query::select()
                .columns(sessions::Column::iter().map(|column| ("sessions", column)))
                .expr_as(Expr::col(("users", users::Column::Email)), "user_email")
                .expr_as(Expr::col(("users", users::Column::Name)), "user_name")
                .from_subquery(newest.into_query(), "sessions")
                .inner_join(
                    "users",
                    Expr::col(("users", users::Column::Id))
                        .equals(("sessions", sessions::Column::UserId)),
                )
                .cond_where(self.has_text(&part))
                .order_by(("sessions", sessions::Column::Id), Order::Desc)
                .limit(limit + 1)
                .take();
            let some = Row::find_by_statement(self.backend().build(&some));
            let rows = self.read(|db| some.all(db)).await?;
            if rows.len() as u64 > limit {
                return Ok(rows);
            }
        }
        let question = match self.named(&part).await? {
            Named::These(users) => question.filter(sessions::Column::UserId.is_in(users)),
            Named::Many(_) => question.filter(self.has_text(&part)),
        };
        self.page(question, limit).await
    }

    /// How many sessions match, but at most one more than [`COUNTED`].
    pub async fn count_sessions(
        &self,
        search: &SessionSearch,
        now: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        use sessions::Column::{Id, UserId};
        let question = matching(search, None, now).select_only().column(Id);
        let Some(text) = text_of(search) else {
            return self.count(question.into_query()).await;
        };
        let part = match self.meant(text).await? {
            Meant::One(user) => {
                let question = question.filter(UserId.eq(user));
                return self.count(question.into_query()).await;
            }
            Meant::Part(part) => part,
        };
        match self.named(&part).await? {
            Named::These(users) => {
                let question = question.filter(UserId.is_in(users));
                self.count(question.into_query()).await
            }
            Named::Many(some) => {
                // Those of some are mostly more than are counted.
                let of_some = question.clone().filter(UserId.is_in(some));
                let counted = self.count(of_some.into_query()).await?;
                if counted > COUNTED {
                    return Ok(counted);
                }
                let of_all = question.filter(self.of_users_with(&part));
                self.count(of_all.into_query()).await
            }
        }
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

/// A session's row and its user's columns.
struct Row(sessions::Model, UserColumns);

impl Row {
    fn with_user(self, now: DateTime<Utc>) -> Result<SessionWithUser, StoreError> {
        let Self(session, user) = self;
        Ok(SessionWithUser {
            session: record(session, now)?,
            email: user.user_email,
            name: user.user_name,
        })
    }
}

impl FromQueryResult for Row {
    fn from_query_result(row: &sea_orm::QueryResult, prefix: &str) -> Result<Self, sea_orm::DbErr> {
        Ok(Self(
            sessions::Model::from_query_result(row, prefix)?,
            UserColumns::from_query_result(row, prefix)?,
        ))
    }
}

/// The text of a search that names users by a part of their address or name.
fn text_of(search: &SessionSearch) -> Option<&str> {
    let text = search.text.trim();
    (!text.is_empty() && whole(text).is_none()).then_some(text)
}

/// But for whom the text names.
fn matching(
    search: &SessionSearch,
    cursor: Option<Uuid>,
    now: DateTime<Utc>,
) -> Select<sessions::Entity> {
    let mut question = sessions::Entity::find();
    if let Some(cursor) = cursor {
        question = question.filter(sessions::Column::Id.lt(cursor));
    }
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
