//! One link of a session's chain of refresh tokens; only hashes.

use sea_orm::entity::prelude::*;

/// One link of a session's chain of refresh tokens; only hashes.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "refresh_tokens")]
pub struct Model {
    /// UUID v7.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The session it renews; all tokens of one session are a family.
    pub session_id: Uuid,
    /// SHA-256 of the token.
    #[sea_orm(unique)]
    pub token_hash: Vec<u8>,
    /// When it was rotated.
    pub consumed_at: Option<DateTimeUtc>,
    /// What the access tokens of the answers with it say in their `jti`, until one of them was seen.
    pub awaited_receipt: Option<i32>,
    /// When it was last handed out while nobody was known to have it.
    pub given_at: Option<DateTimeUtc>,
    /// To which client address; only until it is rotated.
    pub given_ip: Option<String>,
    /// When the row was made.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
