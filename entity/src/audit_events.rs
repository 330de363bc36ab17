//! Who did what; outlives the people it names.

use sea_orm::entity::prelude::*;

/// Who did what; outlives the people it names.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit_events")]
pub struct Model {
    /// UUID v7, so that ids sort by time.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// When.
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
    /// Client address, for as long as it is kept.
    pub ip: Option<String>,
    /// Why.
    pub reason: Option<String>,
    /// The receipt of the larger act that it is a part of.
    pub receipt_id: Option<Uuid>,
    /// Anything more, in plain words; never a secret.
    pub detail: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
