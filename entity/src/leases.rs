//! What only one node does at a time, and which.

use sea_orm::entity::prelude::*;

/// What only one node does at a time, and which.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "leases")]
pub struct Model {
    /// What is done.
    #[sea_orm(primary_key, auto_increment = false)]
    pub name: String,
    /// The node that does it, by an id that it gave itself at its start.
    pub holder: String,
    /// From then on another may.
    pub expires_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
