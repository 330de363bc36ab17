//! The facts of a session: one read of the tables, behind the cache.

use chrono::{DateTime, Utc};
use sea_orm::{DbBackend, FromQueryResult};

use crate::rules::amr::Amr;
use crate::rules::end_reason::EndReason;
use crate::rules::id::{OrganizationId, SessionId, UserId};
use crate::rules::impersonation::Impersonation;
use crate::rules::person::Person;
use crate::rules::role::Role;
use crate::rules::session::{Ended, Facts, Stored};
use crate::store::validity_cache::CachedSession;
use crate::store::{PATIENCE, Store, StoreError, statement};

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
    impersonator_id: Option<uuid::Uuid>,
    impersonator_session_id: Option<uuid::Uuid>,
    impersonation_reason: Option<String>,
    read_only: Option<bool>,
    impersonator_roles: Option<String>,
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
        let impersonation = match (self.impersonator_id, self.impersonator_session_id) {
            (Some(impersonator), Some(opened_from)) => Some(Box::new(Impersonation {
                impersonator_id: UserId(impersonator),
                opened_from: SessionId(opened_from),
                reason: self.impersonation_reason.ok_or(CORRUPT)?.into(),
                read_only: self.read_only.ok_or(CORRUPT)?,
                impersonator_roles: roles(self.impersonator_roles)?,
            })),
            (None, None) => None,
            (Some(_), None) | (None, Some(_)) => return Err(CORRUPT),
        };
        let timeout = self.idle_timeout_secs.ok_or(CORRUPT)?;
        Ok(Stored::Open(Facts {
            session_id,
            user_id,
            person: Person::new(&self.email, &self.name, roles(self.roles)?),
            user_enabled: self.disabled_at.is_none(),
            organization_id: self.organization_id.map(OrganizationId),
            created_at: self.created_at.ok_or(CORRUPT)?.into(),
            auth_time: self.auth_time.ok_or(CORRUPT)?.into(),
            amr: Amr::new(&self.amr.ok_or(CORRUPT)?),
            remembered: self.remembered.ok_or(CORRUPT)?,
            idle_timeout_secs: u32::try_from(timeout).map_err(|_| CORRUPT)?,
            last_seen: self.last_seen_at.ok_or(CORRUPT)?.into(),
            expires_at: self.expires_at.ok_or(CORRUPT)?.into(),
            impersonation,
        }))
    }
}

/// Names with blanks between them, sorted.
fn roles(names: Option<String>) -> Result<Box<[Role]>, StoreError> {
    let mut roles = names
        .unwrap_or_default()
        .split_ascii_whitespace()
        .map(|role| Role::new(role).map_err(|_| StoreError::Corrupt("user_roles")))
        .collect::<Result<Vec<_>, _>>()?;
    roles.sort_unstable();
    Ok(roles.into())
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
    ) -> Result<CachedSession, StoreError> {
        let load = self.load_facts(session_id, user_id);
        let found = self.cache().find_or_load(session_id, user_id, now, load);
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
    ) -> Result<CachedSession, StoreError> {
        self.cache().forget(session_id);
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
        // one read. A membership that was taken away does not count, whatever the session says; nor
        // do an administrator's roles without their account and the session they look on from.
        let sql = format!(
            "SELECT u.email, u.name, u.disabled_at, s.id AS session_id, s.created_at, s.auth_time, \
             s.amr, s.remembered, s.idle_timeout_secs, s.last_seen_at, s.expires_at, s.ended_at, \
             s.end_reason, s.impersonator_id, s.impersonator_session_id, s.impersonation_reason, \
             s.read_only, \
             (SELECT {aggregate}(r.role, ' ') FROM user_roles r \
              JOIN users a ON a.id = r.user_id AND a.disabled_at IS NULL \
              JOIN sessions o ON o.user_id = a.id AND o.id = s.impersonator_session_id \
               AND o.ended_at IS NULL \
              WHERE r.user_id = s.impersonator_id) AS impersonator_roles, \
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
}
