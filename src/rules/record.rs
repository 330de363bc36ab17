//! What lists show: plain data about sessions, users and acts, as the tables hold them.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::rules::id::{OrganizationId, SessionId, UserId};
use crate::rules::role::{ADMIN, Role};
use crate::rules::session::Ended;

/// What a browser or program says of itself at sign-in, made readable.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Device {
    /// As sent, shortened.
    pub user_agent: String,
    /// Kind of device.
    pub device: String,
    /// Browser and its version.
    pub browser: String,
    /// Operating system.
    pub os: String,
}

/// One session, for lists.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SessionRecord {
    /// The session.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// The organisation it was opened in.
    pub organization_id: Option<OrganizationId>,
    /// What the person calls the device.
    pub name: Option<String>,
    /// What it runs on.
    pub device: Device,
    /// Client address at sign-in, for as long as it is kept.
    pub ip: Option<String>,
    /// Where that was, roughly, in words; none where nothing is known of it.
    pub place: Option<String>,
    /// Methods of proof (RFC 8176).
    pub amr: Vec<String>,
    /// Opened with "stay signed in".
    pub remembered: bool,
    /// Sign-in.
    pub created_at: DateTime<Utc>,
    /// Latest fresh proof of identity.
    pub auth_time: DateTime<Utc>,
    /// Last use.
    pub last_seen_at: DateTime<Utc>,
    /// Unused for this long, it ends.
    pub idle_timeout: TimeDelta,
    /// Ends then if it is not used before.
    pub idle_expires_at: DateTime<Utc>,
    /// Ends then at the latest.
    pub expires_at: DateTime<Utc>,
    /// When and why it ended, if it has, by a limit too.
    pub ended: Option<Ended>,
    /// The user who ended it, if one did.
    pub ended_by: Option<UserId>,
    /// The administrator who opened it, if it was not the user.
    pub opened_by: Option<OpenedBy>,
}

/// Who opened a session as another user, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OpenedBy {
    /// The administrator.
    pub impersonator_id: UserId,
    /// Why, in the administrator's words.
    pub reason: String,
    /// For looking alone.
    pub read_only: bool,
}

/// A session and its user, for administrators.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct SessionWithUser {
    /// The session.
    pub session: SessionRecord,
    /// The user's address.
    pub email: String,
    /// The user's name.
    pub name: String,
}

/// One user. The password's hash is not part of it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UserRecord {
    /// The user.
    pub id: UserId,
    /// Name to sign in with.
    pub email: String,
    /// Since when it is known that the user gets what is mailed there.
    pub email_verified_at: Option<DateTime<Utc>>,
    /// Name for people; may be empty.
    pub name: String,
    /// Roles, sorted.
    pub roles: Vec<Role>,
    /// Organisations, in the order of joining.
    pub organizations: Vec<OrganizationRecord>,
    /// Has a password been chosen?
    pub has_password: bool,
    /// When it was last chosen.
    pub password_changed_at: Option<DateTime<Utc>>,
    /// Set while the account may not be used.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When the user was made.
    pub created_at: DateTime<Utc>,
    /// Sessions that are live.
    pub live_sessions: u64,
}

impl UserRecord {
    /// May the user use the console?
    pub fn is_admin(&self) -> bool {
        self.roles.iter().any(|role| role.as_str() == ADMIN)
    }
}

/// One organisation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OrganizationRecord {
    /// The organisation.
    pub id: OrganizationId,
    /// Short name.
    pub slug: String,
    /// Name for people.
    pub name: String,
}

/// One act, as written down.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct AuditRecord {
    /// The event.
    pub id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// What, as code.
    pub action: String,
    /// Kind of actor.
    pub actor_kind: String,
    /// The acting user.
    pub actor_id: Option<UserId>,
    /// The acting user's address, while the user exists.
    pub actor_email: Option<String>,
    /// The user it was done to.
    pub subject_id: Option<UserId>,
    /// That user's address, while the user exists.
    pub subject_email: Option<String>,
    /// The session concerned.
    pub session_id: Option<SessionId>,
    /// Client address, for as long as it is kept.
    pub ip: Option<String>,
    /// Why, as code.
    pub reason: Option<String>,
    /// The receipt of the larger act that it is a part of.
    pub receipt_id: Option<Uuid>,
    /// Anything more.
    pub detail: Option<String>,
}

/// A page of a list, and where the next one begins.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Listed<T> {
    /// The rows, newest first.
    pub rows: Vec<T>,
    /// Names the last row, if there are more after it.
    pub next_cursor: Option<Uuid>,
}

/// Which sessions to list.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum SessionStatus {
    /// Those that can be used.
    #[default]
    Live,
    /// Those that cannot any more.
    Ended,
    /// Both.
    All,
}

/// What administrators search sessions by.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct SessionSearch {
    /// One user's.
    pub user_id: Option<UserId>,
    /// Live, ended or all.
    pub status: SessionStatus,
    /// Part of an e-mail address or name, or a whole e-mail address, client address or identifier.
    pub text: String,
}
