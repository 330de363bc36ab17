//! A one-time link or code; only its hash.

use sea_orm::entity::prelude::*;

/// A one-time link or code; only its hash.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "verification_tokens")]
pub struct Model {
    /// UUID v7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Whom it lets in; none for the set-up code.
    pub user_id: Option<Uuid>,
    /// What it is good for.
    pub purpose: String,
    /// SHA-256 of the token.
    #[sea_orm(unique)]
    pub token_hash: Vec<u8>,
    /// Refused from this instant on.
    pub expires_at: DateTimeUtc,
    /// Set by its one use, or when a newer one replaced it.
    pub consumed_at: Option<DateTimeUtc>,
    /// When the row was made.
    pub created_at: DateTimeUtc,
    /// The session it is about.
    pub session_id: Option<Uuid>,
    /// The e-mail address that it confirms.
    pub email: Option<String>,
}

impl ActiveModelBehavior for ActiveModel {}
