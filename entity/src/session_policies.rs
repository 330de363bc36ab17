//! Limits of the sessions of a role's or an organisation's users.

use sea_orm::entity::prelude::*;

/// Limits of the sessions of a role's or an organisation's users.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "session_policies")]
pub struct Model {
    /// UUID v7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The role it is for; else it is for an organisation.
    #[sea_orm(unique)]
    pub role: Option<String>,
    /// The organisation it is for; else it is for a role.
    #[sea_orm(unique)]
    pub organization_id: Option<Uuid>,
    /// Idle timeout.
    pub idle_secs: Option<i32>,
    /// Absolute lifetime.
    pub lifetime_secs: Option<i32>,
    /// Idle timeout of sessions opened with "stay signed in".
    pub remembered_idle_secs: Option<i32>,
    /// Absolute lifetime of these.
    pub remembered_lifetime_secs: Option<i32>,
    /// Most sessions of one user at once.
    pub max_sessions: Option<i32>,
    /// What happens to a sign-in beyond that.
    pub at_limit: Option<String>,
    /// Do a user's sessions end when a role or membership is taken away?
    pub end_on_role_change: bool,
    /// Since when live sessions keep within it; none while some may not yet.
    pub applied_at: Option<DateTimeUtc>,
    /// When the row was made.
    pub created_at: DateTimeUtc,
    /// When the row last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
