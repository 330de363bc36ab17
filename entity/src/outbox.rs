//! An act that somebody is to be told of.

use sea_orm::entity::prelude::*;

/// An act that somebody is to be told of: one row for each who is.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox")]
pub struct Model {
    /// UUID v7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The act's row in the audit; the same in all rows of one act.
    pub event_id: Uuid,
    /// Who tells.
    pub consumer: String,
    /// Which of those that this consumer tells, where there are several.
    pub target: Option<Uuid>,
    /// When it was done.
    pub at: DateTimeUtc,
    /// What was done.
    pub action: String,
    /// `user`, `host` (the command line), `system` or `nobody`.
    pub actor_kind: String,
    /// The user who did it.
    pub actor_id: Option<Uuid>,
    /// The user it was done to.
    pub subject_id: Option<Uuid>,
    /// The session concerned.
    pub session_id: Option<Uuid>,
    /// Client address.
    pub ip: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// Anything more, in plain words; never a secret.
    pub detail: Option<String>,
    /// The e-mail address to tell, where it is not the subject's own.
    pub address: Option<String>,
    /// The one-time link to tell of, where one was made.
    pub link_id: Option<Uuid>,
    /// Times it was tried, the current one included.
    pub attempts: i32,
    /// Not to be tried before; while somebody tries, when somebody else may.
    pub due_at: DateTimeUtc,
    /// Set once it was told.
    pub delivered_at: Option<DateTimeUtc>,
    /// Set when it was given up.
    pub dead_at: Option<DateTimeUtc>,
    /// Why the latest try failed; without personal data.
    pub last_error: Option<String>,
    /// The receipt of the larger act that it is a part of.
    pub receipt_id: Option<Uuid>,
}

impl ActiveModelBehavior for ActiveModel {}
