//! A user's membership of an organisation.

use sea_orm::entity::prelude::*;

/// A user's membership of an organisation.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "user_organizations")]
pub struct Model {
    /// Who.
    #[sea_orm(primary_key, auto_increment = false)]
    pub user_id: Uuid,
    /// Where.
    #[sea_orm(primary_key, auto_increment = false)]
    pub organization_id: Uuid,
    /// When the row was made.
    pub created_at: DateTimeUtc,
}

impl ActiveModelBehavior for ActiveModel {}
