//! Sessions: what is known of one, and every change to one.
//!
//! Each change is a guarded UPDATE: it says in its WHERE what it takes for granted, and reports
//! whether that held. Nothing here is an upsert, so an ended session stays ended.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use entity::sessions;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, DbBackend, EntityTrait, FromQueryResult, QueryFilter,
    QueryOrder, QuerySelect,
};

use crate::rules::end_reason::EndReason;
use crate::rules::id::{OrganizationId, SessionId, UserId};
use crate::rules::record::Device;
use crate::rules::role::Role;
use crate::rules::session::{Ended, Facts, Stored};
use crate::settings::Lifetimes;
use crate::store::validity_cache::CachedSession;
use crate::store::{PATIENCE, Store, StoreError, Transaction, statement};

/// A session about to be opened.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Its identifier.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// Opened with "stay signed in".
    pub remembered: bool,
    /// Its two limits.
    pub lifetimes: Lifetimes,
    /// Method of proof (RFC 8176).
    pub amr: &'static str,
    /// What it runs on.
    pub device: Device,
    /// Client address.
    pub ip: String,
}

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

/// Which live sessions to end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Which {
    /// This one.
    One(SessionId),
    /// This one, if it is this user's.
    OneOf(UserId, SessionId),
    /// All of one user.
    User(UserId),
    /// All of one user but one.
    UserExcept(UserId, SessionId),
    /// Everybody's.
    Everyone,
    /// Everybody's but one.
    EveryoneExcept(SessionId),
}

impl Which {
    fn condition(self) -> Condition {
        use sessions::Column::{Id, UserId as Owner};
        let all = Condition::all();
        match self {
            Self::One(id) => all.add(Id.eq(id.0)),
            Self::OneOf(user, id) => all.add(Owner.eq(user.0)).add(Id.eq(id.0)),
            Self::User(user) => all.add(Owner.eq(user.0)),
            Self::UserExcept(user, id) => all.add(Owner.eq(user.0)).add(Id.ne(id.0)),
            Self::Everyone => all,
            Self::EveryoneExcept(id) => all.add(Id.ne(id.0)),
        }
    }
}

#[derive(FromQueryResult)]
struct FactsRow {
    email: String,
    name: String,
    disabled_at: Option<DateTime<Utc>>,
    session_id: Option<uuid::Uuid>,
    created_at: Option<DateTime<Utc>>,
    auth_time: Option<DateTime<Utc>>,
    amr: Option<String>,
    remembered: Option<bool>,
    idle_timeout_secs: Option<i32>,
    last_seen_at: Option<DateTime<Utc>>,
    expires_at: Option<DateTime<Utc>>,
    ended_at: Option<DateTime<Utc>>,
    end_reason: Option<String>,
    roles: Option<String>,
    organization_id: Option<uuid::Uuid>,
}

impl FactsRow {
    fn into_stored(self, session_id: SessionId, user_id: UserId) -> Result<Stored, StoreError> {
        const CORRUPT: StoreError = StoreError::Corrupt("sessions");
        if self.session_id.is_none() {
            return Ok(Stored::SessionGone);
        }
        if let Some(ended) = ended(self.ended_at, self.end_reason.as_deref())? {
            return Ok(Stored::Ended(ended));
        }
        let mut roles = self
            .roles
            .unwrap_or_default()
            .split_ascii_whitespace()
            .map(|role| Role::new(role).map_err(|_| StoreError::Corrupt("user_roles")))
            .collect::<Result<Vec<_>, _>>()?;
        roles.sort_unstable();
        Ok(Stored::Open(Arc::new(Facts {
            session_id,
            user_id,
            email: self.email.into(),
            name: self.name.into(),
            user_enabled: self.disabled_at.is_none(),
            roles: roles.into(),
            organization_id: self.organization_id.map(OrganizationId),
            created_at: self.created_at.ok_or(CORRUPT)?,
            auth_time: self.auth_time.ok_or(CORRUPT)?,
            amr: self.amr.ok_or(CORRUPT)?.into(),
            remembered: self.remembered.ok_or(CORRUPT)?,
            idle_timeout: TimeDelta::seconds(self.idle_timeout_secs.ok_or(CORRUPT)?.into()),
            last_seen_at: self.last_seen_at.ok_or(CORRUPT)?,
            expires_at: self.expires_at.ok_or(CORRUPT)?,
            ended: None,
        })))
    }
}

/// The end that two columns tell of.
pub(super) fn ended(
    at: Option<DateTime<Utc>>,
    reason: Option<&str>,
) -> Result<Option<Ended>, StoreError> {
    let Some(at) = at else { return Ok(None) };
    let reason = reason
        .and_then(EndReason::from_code)
        .ok_or(StoreError::Corrupt("sessions"))?;
    Ok(Some(Ended { at, reason }))
}

impl Store {
    /// The facts of a session, from the cache or with one read of the table.
    pub async fn session_facts(
        &self,
        session_id: SessionId,
        user_id: UserId,
        now: DateTime<Utc>,
    ) -> Result<Arc<CachedSession>, StoreError> {
        let load = self.load_facts(session_id, user_id);
        let found = self.cache().find_or_load(session_id, now, load);
        // Who has waited for another's load in vain must not then wait for one of their own.
        match tokio::time::timeout(PATIENCE, found).await {
            Ok(found) => found,
            Err(_) => Err(StoreError::Unavailable(None)),
        }
    }

    /// The facts of a session, from the table, which the cache learns too.
    pub async fn fresh_session_facts(
        &self,
        session_id: SessionId,
        user_id: UserId,
        now: DateTime<Utc>,
    ) -> Result<Arc<CachedSession>, StoreError> {
        self.cache().forget(session_id).await;
        self.session_facts(session_id, user_id, now).await
    }

    async fn load_facts(
        &self,
        session_id: SessionId,
        user_id: UserId,
    ) -> Result<Stored, StoreError> {
        let aggregate = if self.backend() == DbBackend::Sqlite {
            "group_concat"
        } else {
            "string_agg"
        };
        // From the user, so that "the session is gone" and "the user is gone" can be told apart in
        // one read. A membership that was taken away does not count, whatever the session says.
        let sql = format!(
            "SELECT u.email, u.name, u.disabled_at, s.id AS session_id, s.created_at, s.auth_time, \
             s.amr, s.remembered, s.idle_timeout_secs, s.last_seen_at, s.expires_at, s.ended_at, \
             s.end_reason, \
             (SELECT {aggregate}(r.role, ' ') FROM user_roles r WHERE r.user_id = u.id) AS roles, \
             COALESCE( \
              (SELECT o.organization_id FROM user_organizations o \
               WHERE o.user_id = u.id AND o.organization_id = s.organization_id), \
              (SELECT o.organization_id FROM user_organizations o WHERE o.user_id = u.id \
               ORDER BY o.created_at, o.organization_id LIMIT 1)) AS organization_id \
             FROM users u LEFT JOIN sessions s ON s.id = $1 AND s.user_id = u.id WHERE u.id = $2"
        );
        let question = statement(self.backend(), sql, [session_id.0.into(), user_id.0.into()]);
        let row = self
            .read(|db| FactsRow::find_by_statement(question).one(db))
            .await?;
        match row {
            Some(row) => row.into_stored(session_id, user_id),
            None => Ok(Stored::UserGone),
        }
    }

    /// Notes uses of sessions: of those that are still live, and only forwards.
    pub async fn touch(&self, uses: Vec<Use>, now: DateTime<Utc>) -> Result<(), StoreError> {
        self.write(now, move |tx| {
            Box::pin(async move {
                for Use {
                    session_id,
                    at,
                    idle_timeout,
                } in uses
                {
                    let later = Condition::all().add(sessions::Column::LastSeenAt.lt(at));
                    tx.touch_session(session_id, at, idle_timeout, later)
                        .await?;
                }
                Ok(())
            })
        })
        .await
    }
}

impl Transaction {
    /// Opens a session, in the user's first organisation.
    pub async fn insert_session(&mut self, new: NewSession) -> Result<(), StoreError> {
        let now = self.now;
        let organization_id = entity::user_organizations::Entity::find()
            .select_only()
            .column(entity::user_organizations::Column::OrganizationId)
            .filter(entity::user_organizations::Column::UserId.eq(new.user_id.0))
            .order_by_asc(entity::user_organizations::Column::CreatedAt)
            .order_by_asc(entity::user_organizations::Column::OrganizationId)
            .into_tuple::<uuid::Uuid>()
            .one(self.connection())
            .await?;
        let row = sessions::ActiveModel {
            id: Set(new.id.0),
            user_id: Set(new.user_id.0),
            organization_id: Set(organization_id),
            name: Set(None),
            remembered: Set(new.remembered),
            amr: Set(new.amr.to_owned()),
            auth_time: Set(whole_seconds(now)),
            idle_timeout_secs: Set(
                i32::try_from(new.lifetimes.idle.num_seconds()).unwrap_or(i32::MAX)
            ),
            last_seen_at: Set(now),
            idle_expires_at: Set(now + new.lifetimes.idle),
            expires_at: Set(now + new.lifetimes.absolute),
            ip: Set(new.ip),
            user_agent: Set(new.device.user_agent),
            device: Set(new.device.device),
            browser: Set(new.device.browser),
            os: Set(new.device.os),
            ended_at: Set(None),
            end_reason: Set(None),
            ended_by: Set(None),
            created_at: Set(now),
            updated_at: Set(now),
        };
        sessions::Entity::insert(row)
            .exec_without_returning(self.connection())
            .await?;
        Ok(())
    }

    /// Ends live sessions: writes the reason, once, and marks each in the cache after the commit.
    /// Returns those that this very act ended, with their users.
    pub async fn end_sessions(
        &mut self,
        which: Which,
        reason: EndReason,
        by: Option<UserId>,
    ) -> Result<Vec<(SessionId, UserId)>, StoreError> {
        self.end_where(which.condition(), reason, by).await
    }

    /// Ends live sessions that are past one of their limits, at most `limit` of them, each with the
    /// limit as its reason.
    pub async fn end_sessions_past(
        &mut self,
        reason: EndReason,
        limit: u64,
    ) -> Result<Vec<(SessionId, UserId)>, StoreError> {
        let past = self.past_limit(reason);
        let ids = sessions::Entity::find()
            .select_only()
            .column(sessions::Column::Id)
            .filter(sessions::Column::EndedAt.is_null())
            .filter(past.clone())
            .limit(limit)
            .into_tuple::<uuid::Uuid>()
            .all(self.connection())
            .await?;
        self.end_where(past.add(sessions::Column::Id.is_in(ids)), reason, None)
            .await
    }

    /// Ends this session for a limit that, by the table too, has passed.
    pub async fn end_session_past(
        &mut self,
        session_id: SessionId,
        reason: EndReason,
    ) -> Result<Option<UserId>, StoreError> {
        let condition = self
            .past_limit(reason)
            .add(sessions::Column::Id.eq(session_id.0));
        let ended = self.end_where(condition, reason, None).await?;
        Ok(ended.first().map(|(_, user)| *user))
    }

    fn past_limit(&self, reason: EndReason) -> Condition {
        let column = if reason == EndReason::Idle {
            sessions::Column::IdleExpiresAt
        } else {
            sessions::Column::ExpiresAt
        };
        Condition::all().add(column.lte(self.now))
    }

    /// As [`Self::end_sessions`], for at most `limit` sessions that were there at `before`.
    pub async fn end_some_sessions(
        &mut self,
        which: Which,
        before: DateTime<Utc>,
        limit: u64,
        reason: EndReason,
        by: Option<UserId>,
    ) -> Result<Vec<(SessionId, UserId)>, StoreError> {
        let ids = sessions::Entity::find()
            .select_only()
            .column(sessions::Column::Id)
            .filter(sessions::Column::EndedAt.is_null())
            .filter(sessions::Column::CreatedAt.lte(before))
            .filter(which.condition())
            .limit(limit)
            .into_tuple::<uuid::Uuid>()
            .all(self.connection())
            .await?;
        let condition = Condition::all().add(sessions::Column::Id.is_in(ids));
        self.end_where(condition, reason, by).await
    }

    async fn end_where(
        &mut self,
        condition: Condition,
        reason: EndReason,
        by: Option<UserId>,
    ) -> Result<Vec<(SessionId, UserId)>, StoreError> {
        let now = self.now;
        let rows = sessions::Entity::update_many()
            .col_expr(sessions::Column::EndedAt, Expr::value(now))
            .col_expr(sessions::Column::EndReason, Expr::value(reason.code()))
            .col_expr(
                sessions::Column::EndedBy,
                Expr::value(by.map(|user| user.0)),
            )
            .col_expr(sessions::Column::UpdatedAt, Expr::value(now))
            .filter(sessions::Column::EndedAt.is_null())
            .filter(condition)
            .exec_with_returning(self.connection())
            .await?;
        let ended = Ended { at: now, reason };
        for row in &rows {
            self.mark_ended(SessionId(row.id), ended);
        }
        Ok(rows
            .into_iter()
            .map(|row| (SessionId(row.id), UserId(row.user_id)))
            .collect())
    }

    /// Uses a session now. False if it has ended or passed a limit.
    pub async fn use_session(
        &mut self,
        session_id: SessionId,
        idle_timeout: TimeDelta,
    ) -> Result<bool, StoreError> {
        self.touch_session(session_id, self.now, idle_timeout, Condition::all())
            .await
    }

    async fn touch_session(
        &mut self,
        session_id: SessionId,
        at: DateTime<Utc>,
        idle_timeout: TimeDelta,
        also: Condition,
    ) -> Result<bool, StoreError> {
        let touched = sessions::Entity::update_many()
            .col_expr(sessions::Column::LastSeenAt, Expr::value(at))
            .col_expr(
                sessions::Column::IdleExpiresAt,
                Expr::value(at + idle_timeout),
            )
            .filter(sessions::Column::Id.eq(session_id.0))
            .filter(sessions::Column::EndedAt.is_null())
            .filter(sessions::Column::IdleExpiresAt.gt(at))
            .filter(sessions::Column::ExpiresAt.gt(at))
            .filter(also)
            .exec(self.connection())
            .await?;
        Ok(touched.rows_affected == 1)
    }

    /// A fresh proof of identity in a live session. From its commit on, access tokens issued after
    /// an older proof are refused. Returns the instant that new tokens must carry; none if the
    /// session is not live.
    pub async fn prove_identity(
        &mut self,
        session_id: SessionId,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let Some(session) = sessions::Entity::find_by_id(session_id.0)
            .filter(sessions::Column::EndedAt.is_null())
            .one(self.connection())
            .await?
        else {
            return Ok(None);
        };
        // Strictly later than the last proof, or that one's tokens would go on; a second ahead at
        // the most, and only where two proofs fall into one.
        let proven_at = whole_seconds(self.now).max(session.auth_time + TimeDelta::seconds(1));
        let updated = sessions::Entity::update_many()
            .col_expr(sessions::Column::AuthTime, Expr::value(proven_at))
            .col_expr(sessions::Column::UpdatedAt, Expr::value(self.now))
            .filter(sessions::Column::Id.eq(session_id.0))
            .filter(sessions::Column::AuthTime.eq(session.auth_time))
            .filter(sessions::Column::EndedAt.is_null())
            .exec(self.connection())
            .await?;
        self.forget(session_id);
        Ok((updated.rows_affected == 1).then_some(proven_at))
    }

    /// The next check of each of the user's live sessions asks the table, as after a change of the
    /// user's state, roles or organisations.
    pub async fn forget_sessions_of(&mut self, user_id: UserId) -> Result<(), StoreError> {
        let ids = sessions::Entity::find()
            .select_only()
            .column(sessions::Column::Id)
            .filter(sessions::Column::UserId.eq(user_id.0))
            .filter(sessions::Column::EndedAt.is_null())
            .into_tuple::<uuid::Uuid>()
            .all(self.connection())
            .await?;
        for id in ids {
            self.forget(SessionId(id));
        }
        Ok(())
    }
}

/// Tokens carry whole seconds; what is compared with them must too.
fn whole_seconds(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(at.timestamp(), 0).unwrap_or(at)
}
