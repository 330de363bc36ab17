//! The JSON documents of the API.

use chrono::{DateTime, Utc};
use serde::Serialize;
use uuid::Uuid;

use crate::rules::end_reason::EndReason;
use crate::rules::id::{OrganizationId, SessionId, UserId};
use crate::rules::record::{AuditRecord, SessionRecord, SessionWithUser, UserRecord};
use crate::rules::session::Facts;
use crate::service::open_session::Choice;
use crate::service::sign_in::SignedIn;

/// Who somebody is.
#[derive(Debug, Serialize)]
pub struct UserDocument<'a> {
    id: UserId,
    email: &'a str,
    name: &'a str,
    roles: Vec<&'a str>,
    organization: Option<OrganizationId>,
}

/// The caller's own session.
#[derive(Debug, Serialize)]
pub struct CurrentSession<'a> {
    id: SessionId,
    created_at: DateTime<Utc>,
    auth_time: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    remembered: bool,
    amr: Vec<&'a str>,
    impersonation: Option<ImpersonationDocument<'a>>,
}

/// An administrator looks on as the user.
#[derive(Debug, Serialize)]
struct ImpersonationDocument<'a> {
    impersonator_id: UserId,
    reason: &'a str,
    read_only: bool,
}

/// User and session.
#[derive(Debug, Serialize)]
pub struct WhoDocument<'a> {
    user: UserDocument<'a>,
    session: CurrentSession<'a>,
}

/// What a sign-in, a refresh and a fresh proof answer.
#[derive(Debug, Serialize)]
pub struct TokensDocument<'a> {
    access_token: &'a str,
    token_type: &'static str,
    expires_in: i64,
    refresh_token: &'a str,
    refresh_expires_in: i64,
    #[serde(flatten)]
    who: WhoDocument<'a>,
}

impl<'a> WhoDocument<'a> {
    /// From the facts of a session.
    pub fn new(facts: &'a Facts) -> Self {
        Self {
            user: UserDocument {
                id: facts.user_id,
                email: facts.person.email(),
                name: facts.person.name(),
                roles: facts.person.roles().collect(),
                organization: facts.organization_id,
            },
            session: CurrentSession {
                id: facts.session_id,
                created_at: facts.created_at.at(),
                auth_time: facts.auth_time.at(),
                expires_at: facts.expires_at.at(),
                remembered: facts.remembered,
                amr: facts.amr.names().collect(),
                impersonation: facts
                    .impersonation
                    .as_ref()
                    .map(|by| ImpersonationDocument {
                        impersonator_id: by.impersonator_id,
                        reason: &by.reason,
                        read_only: by.read_only,
                    }),
            },
        }
    }
}

impl<'a> TokensDocument<'a> {
    /// From what was handed out at `now`.
    pub fn new(signed_in: &'a SignedIn, now: DateTime<Utc>) -> Self {
        let (facts, tokens) = (&signed_in.facts, &signed_in.tokens);
        let refresh_until = facts.expires_at.at().min(now + facts.idle_timeout());
        Self {
            access_token: tokens.access.text.reveal(),
            token_type: "Bearer",
            expires_in: tokens.access.expires_at.timestamp() - now.timestamp(),
            refresh_token: tokens.refresh.reveal(),
            refresh_expires_in: (refresh_until - now).num_seconds(),
            who: WhoDocument::new(facts),
        }
    }
}

/// One session in a list.
#[derive(Debug, Serialize)]
pub struct SessionDocument {
    id: SessionId,
    current: bool,
    name: Option<String>,
    created_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
    idle_expires_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    ip: Option<String>,
    place: Option<String>,
    device: String,
    browser: String,
    os: String,
    amr: Vec<String>,
    ended_at: Option<DateTime<Utc>>,
    end_reason: Option<EndReason>,
    opened_by: Option<OpenedByDocument>,
}

/// Who opened a session as another user, and why.
#[derive(Debug, Serialize)]
struct OpenedByDocument {
    impersonator_id: UserId,
    reason: String,
    read_only: bool,
}

impl SessionDocument {
    /// From a record; `current` names the caller's own session.
    pub fn new(record: SessionRecord, current: SessionId) -> Self {
        Self {
            id: record.id,
            current: record.id == current,
            name: record.name,
            created_at: record.created_at,
            last_seen_at: record.last_seen_at,
            idle_expires_at: record.idle_expires_at,
            expires_at: record.expires_at,
            ip: record.ip,
            place: record.place,
            device: record.device.device,
            browser: record.device.browser,
            os: record.device.os,
            amr: record.amr,
            ended_at: record.ended.map(|ended| ended.at),
            end_reason: record.ended.map(|ended| ended.reason),
            opened_by: record.opened_by.map(|by| OpenedByDocument {
                impersonator_id: by.impersonator_id,
                reason: by.reason,
                read_only: by.read_only,
            }),
        }
    }
}

/// By which sessions room can be made for a new one, beside a problem.
#[derive(Debug, Serialize)]
pub struct ChoiceDocument<'a> {
    choice_token: &'a str,
    choice_expires_at: DateTime<Utc>,
    sessions: Vec<SessionDocument>,
}

impl<'a> ChoiceDocument<'a> {
    /// From what was offered. None of the sessions is the caller's own, who is in none yet.
    pub fn new(choice: &'a Choice) -> Self {
        let nobodys = SessionId(Uuid::nil());
        let sessions = choice.sessions.iter().cloned();
        Self {
            choice_token: choice.token.reveal(),
            choice_expires_at: choice.expires_at,
            sessions: sessions
                .map(|record| SessionDocument::new(record, nobodys))
                .collect(),
        }
    }
}

/// One session in an administrator's list.
#[derive(Debug, Serialize)]
pub struct AdminSessionDocument {
    #[serde(flatten)]
    session: SessionDocument,
    user: SessionUser,
}

#[derive(Debug, Serialize)]
struct SessionUser {
    id: UserId,
    email: String,
    name: String,
}

impl AdminSessionDocument {
    /// From a record; `current` names the caller's own session.
    pub fn new(record: SessionWithUser, current: SessionId) -> Self {
        let user = SessionUser {
            id: record.session.user_id,
            email: record.email,
            name: record.name,
        };
        Self {
            session: SessionDocument::new(record.session, current),
            user,
        }
    }
}

/// One user in an administrator's list.
#[derive(Debug, Serialize)]
pub struct AdminUserDocument {
    id: UserId,
    email: String,
    email_verified: bool,
    email_verified_at: Option<DateTime<Utc>>,
    name: String,
    roles: Vec<String>,
    organizations: Vec<OrganizationDocument>,
    enabled: bool,
    has_password: bool,
    password_changed_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    live_sessions: u64,
}

#[derive(Debug, Serialize)]
struct OrganizationDocument {
    id: OrganizationId,
    slug: String,
    name: String,
}

impl From<UserRecord> for AdminUserDocument {
    fn from(user: UserRecord) -> Self {
        Self {
            id: user.id,
            email: user.email,
            email_verified: user.email_verified_at.is_some(),
            email_verified_at: user.email_verified_at,
            name: user.name,
            roles: user.roles.iter().map(ToString::to_string).collect(),
            organizations: user
                .organizations
                .into_iter()
                .map(|o| OrganizationDocument {
                    id: o.id,
                    slug: o.slug,
                    name: o.name,
                })
                .collect(),
            enabled: user.disabled_at.is_none(),
            has_password: user.has_password,
            password_changed_at: user.password_changed_at,
            created_at: user.created_at,
            live_sessions: user.live_sessions,
        }
    }
}

/// One act in the audit.
#[derive(Debug, Serialize)]
pub struct AuditDocument {
    id: Uuid,
    at: DateTime<Utc>,
    action: String,
    actor: ActorDocument,
    subject: Option<SubjectDocument>,
    session_id: Option<SessionId>,
    ip: Option<String>,
    reason: Option<String>,
    receipt_id: Option<Uuid>,
    detail: Option<String>,
}

#[derive(Debug, Serialize)]
struct ActorDocument {
    kind: String,
    id: Option<UserId>,
    email: Option<String>,
}

#[derive(Debug, Serialize)]
struct SubjectDocument {
    id: UserId,
    email: Option<String>,
}

impl From<AuditRecord> for AuditDocument {
    fn from(record: AuditRecord) -> Self {
        Self {
            id: record.id,
            at: record.at,
            action: record.action,
            actor: ActorDocument {
                kind: record.actor_kind,
                id: record.actor_id,
                email: record.actor_email,
            },
            subject: record.subject_id.map(|id| SubjectDocument {
                id,
                email: record.subject_email,
            }),
            session_id: record.session_id,
            ip: record.ip,
            reason: record.reason,
            receipt_id: record.receipt_id,
            detail: record.detail,
        }
    }
}
