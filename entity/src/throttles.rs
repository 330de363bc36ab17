//! Failed attempts by account or address.

use sea_orm::entity::prelude::*;

/// Failed attempts by account or address.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "throttles")]
pub struct Model {
    /// Keyed hash of what is throttled; no address in clear.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// Consecutive failed attempts.
    pub failures: i32,
    /// Attempts before this instant are refused unread.
    pub blocked_until: DateTimeUtc,
    /// When the row last changed.
    pub updated_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
