//! Sessions: every change to one.
//!
//! Each change is a guarded UPDATE: it says in its WHERE what it takes for granted, and reports
//! whether that held. Nothing here is an upsert, so an ended session stays ended.

use std::net::IpAddr;

use chrono::{DateTime, TimeDelta, Utc};
use entity::sessions;
use sea_orm::sea_query::Expr;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    QueryTrait,
};

use crate::rules::client_address::in_order;
use crate::rules::end_reason::EndReason;
use crate::rules::id::{SessionId, UserId};
use crate::rules::record::Device;
use crate::rules::session::Ended;
use crate::settings::Lifetimes;
use crate::store::acts::Act;
use crate::store::session_query::Matching;
use crate::store::{StoreError, Transaction};

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
    pub ip: IpAddr,
    /// Where that is, roughly, in words.
    pub place: Option<String>,
    /// The administrator who opens it, if it is not the user.
    pub impersonation: Option<NewImpersonation>,
}

/// Who opens a session as another user, and why.
#[derive(Clone, Debug)]
pub struct NewImpersonation {
    /// The administrator.
    pub impersonator_id: UserId,
    /// The administrator's own session.
    pub opened_from: SessionId,
    /// Why, in the administrator's words.
    pub reason: String,
    /// For looking alone?
    pub read_only: bool,
}

/// Rows changed by one statement: within what both databases take as parameters.
pub const CHUNK: usize = 1000;

/// Which live sessions to end.
#[derive(Clone, Debug, Eq, PartialEq)]
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
    /// Those of these that match, at most [`CHUNK`].
    Matching(Box<Matching>, Vec<SessionId>),
}

impl Which {
    fn condition(&self) -> Condition {
        use sessions::Column::{Id, UserId as Owner};
        let all = Condition::all();
        match self {
            Self::One(id) => all.add(Id.eq(id.0)),
            Self::OneOf(user, id) => all.add(Owner.eq(user.0)).add(Id.eq(id.0)),
            Self::User(user) => all.add(Owner.eq(user.0)),
            Self::UserExcept(user, id) => all.add(Owner.eq(user.0)).add(Id.ne(id.0)),
            Self::Everyone => all,
            Self::EveryoneExcept(id) => all.add(Id.ne(id.0)),
            Self::Matching(matching, these) => all
                .add(matching.condition())
                .add(Id.is_in(these.iter().map(|id| id.0))),
        }
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
        // The user has proven nothing: no proof is ever as old as that.
        let auth_time = match &new.impersonation {
            Some(_) => DateTime::UNIX_EPOCH,
            None => whole_seconds(now),
        };
        let impersonation = new.impersonation.as_ref();
        let row = sessions::ActiveModel {
            impersonator_id: Set(impersonation.map(|by| by.impersonator_id.0)),
            impersonator_session_id: Set(impersonation.map(|by| by.opened_from.0)),
            read_only: Set(impersonation.is_some_and(|by| by.read_only)),
            impersonation_reason: Set(impersonation.map(|by| by.reason.clone())),
            id: Set(new.id.0),
            user_id: Set(new.user_id.0),
            organization_id: Set(organization_id),
            name: Set(None),
            remembered: Set(new.remembered),
            amr: Set(new.amr.to_owned()),
            auth_time: Set(auth_time),
            idle_timeout_secs: Set(
                i32::try_from(new.lifetimes.idle.num_seconds()).unwrap_or(i32::MAX)
            ),
            last_seen_at: Set(now),
            idle_expires_at: Set(now + new.lifetimes.idle),
            expires_at: Set(now + new.lifetimes.absolute),
            ip: Set(new.ip.to_string()),
            ip_bytes: Set(Some(in_order(new.ip))),
            place: Set(new.place),
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
        if new.impersonation.is_none() {
            self.note_act(Act::Created(new.amr));
        }
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
        let (_, ended) = self
            .end_some_sessions(which, u64::MAX >> 1, reason, by)
            .await?;
        Ok(ended)
    }

    /// Ends live sessions that are past one of their limits, at most `limit` of them, each with the
    /// limit as its reason.
    pub async fn end_sessions_past(
        &mut self,
        reason: EndReason,
        limit: u64,
    ) -> Result<Vec<(SessionId, UserId)>, StoreError> {
        let past = past_limit(reason, self.now);
        // By the limit, in the order of which they are found at once; in that of their ids every
        // live session would be passed.
        let some = sessions::Entity::find()
            .select_only()
            .column(sessions::Column::Id)
            .filter(sessions::Column::EndedAt.is_null())
            .filter(past.clone())
            .order_by_asc(limit_column(reason))
            .limit(limit)
            .into_query();
        let ids = sessions::Entity::find()
            .select_only()
            .column(sessions::Column::Id)
            .filter(sessions::Column::Id.in_subquery(some))
            .order_by_asc(sessions::Column::Id)
            .lock_exclusive()
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
        let condition = past_limit(reason, self.now).add(sessions::Column::Id.eq(session_id.0));
        let ended = self.end_where(condition, reason, None).await?;
        Ok(ended.first().map(|(_, user)| *user))
    }

    /// As [`Self::end_sessions`], for at most `limit` sessions. Returns how many were found, some
    /// of which another act may have ended at the same moment, and those that this one ended.
    pub async fn end_some_sessions(
        &mut self,
        which: Which,
        limit: u64,
        reason: EndReason,
        by: Option<UserId>,
    ) -> Result<(usize, Vec<(SessionId, UserId)>), StoreError> {
        // In one order for all acts that touch several, so that they wait for each other instead
        // of for ever.
        let ids = sessions::Entity::find()
            .select_only()
            .column(sessions::Column::Id)
            .filter(sessions::Column::EndedAt.is_null())
            .filter(which.condition())
            .order_by_asc(sessions::Column::Id)
            .limit(limit)
            .lock_exclusive()
            .into_tuple::<uuid::Uuid>()
            .all(self.connection())
            .await?;
        let mut ended = Vec::new();
        for chunk in ids.chunks(CHUNK) {
            let these = sessions::Column::Id.is_in(chunk.iter().copied());
            let condition = Condition::all().add(these);
            ended.extend(self.end_where(condition, reason, by).await?);
        }
        // Whoever wrote it, an end that is acknowledged here must be known here: another process
        // may have ended these sessions while this one still believes them live.
        match which {
            Which::One(id) | Which::OneOf(_, id) => self.forget(id),
            Which::User(user) | Which::UserExcept(user, _) => self.forget_user(user),
            Which::Everyone | Which::EveryoneExcept(_) => self.forget_everyone(),
            Which::Matching(_, these) => these.into_iter().for_each(|id| self.forget(id)),
        }
        Ok((ids.len(), ended))
    }

    /// Of sessions that match, but that another process has ended before, the table is asked as well:
    /// an end that is acknowledged here must be known here, whoever wrote it.
    pub fn forget_matching(&mut self, matching: &Matching) {
        match matching.query.user_id {
            Some(user) => self.forget_user(user),
            None => self.forget_everyone(),
        }
    }

    pub(super) async fn end_where(
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
            if row.impersonator_id.is_none() {
                self.note_act(Act::Ended(reason));
            }
        }
        Ok(rows
            .into_iter()
            .map(|row| (SessionId(row.id), UserId(row.user_id)))
            .collect())
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
}

/// At `now` the session is past this limit.
pub(super) fn past_limit(limit: EndReason, now: DateTime<Utc>) -> Condition {
    Condition::all().add(limit_column(limit).lte(now))
}

fn limit_column(limit: EndReason) -> sessions::Column {
    if limit == EndReason::Idle {
        sessions::Column::IdleExpiresAt
    } else {
        sessions::Column::ExpiresAt
    }
}

/// Tokens carry whole seconds; what is compared with them must too.
fn whole_seconds(at: DateTime<Utc>) -> DateTime<Utc> {
    DateTime::from_timestamp(at.timestamp(), 0).unwrap_or(at)
}
