//! One sign-in on one device.

use sea_orm::entity::prelude::*;

/// One sign-in on one device.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sessions")]
pub struct Model {
    /// UUID v7; the `sid` of tokens. A name, not a secret.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Whose.
    pub user_id: Uuid,
    /// The organisation it was opened in.
    pub organization_id: Option<Uuid>,
    /// What the person calls the device.
    pub name: Option<String>,
    /// Opened with "stay signed in".
    pub remembered: bool,
    /// Methods of the latest proof, space separated (RFC 8176).
    pub amr: String,
    /// Latest fresh proof of identity, whole seconds. Access tokens with an older one are refused.
    pub auth_time: DateTimeUtc,
    /// Unused for this long, it ends.
    pub idle_timeout_secs: i32,
    /// Last use.
    pub last_seen_at: DateTimeUtc,
    /// `last_seen_at` plus the idle timeout.
    pub idle_expires_at: DateTimeUtc,
    /// Absolute lifetime.
    pub expires_at: DateTimeUtc,
    /// Client address at sign-in; empty once it is kept no longer.
    pub ip: String,
    /// The same in an order by which networks are found, see `rules::client_address`. None with it.
    pub ip_bytes: Option<Vec<u8>>,
    /// Where that was, roughly, in words.
    pub place: Option<String>,
    /// As sent at sign-in, shortened.
    pub user_agent: String,
    /// Kind of device.
    pub device: String,
    /// Browser and its version.
    pub browser: String,
    /// Operating system.
    pub os: String,
    /// Set once, never cleared.
    pub ended_at: Option<DateTimeUtc>,
    /// Why it ended.
    pub end_reason: Option<String>,
    /// The person who ended it, if one did.
    pub ended_by: Option<Uuid>,
    /// The administrator who opened it as this user, if one did.
    pub impersonator_id: Option<Uuid>,
    /// The administrator's own session, from which it was opened.
    pub impersonator_session_id: Option<Uuid>,
    /// Why, in the administrator's words.
    pub impersonation_reason: Option<String>,
    /// Opened for looking alone.
    pub read_only: bool,
    /// When the row was made.
    pub created_at: DateTimeUtc,
    /// When the row last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
