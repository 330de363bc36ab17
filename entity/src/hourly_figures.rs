//! What happened in each hour.

use sea_orm::entity::prelude::*;

/// What happened in each hour.
#[sea_orm::model]
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "hourly_figures")]
pub struct Model {
    /// What is counted.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    /// By what.
    #[sea_orm(primary_key, auto_increment = false)]
    pub dimension: String,
    /// Whole hours since the beginning of 1970 (UTC).
    #[sea_orm(primary_key, auto_increment = false)]
    pub hour: i64,
    /// Code or id; empty for all, and for none.
    #[sea_orm(primary_key, auto_increment = false)]
    pub member: String,
    /// How many.
    pub count: i64,
    /// How long those that ended lasted, added up.
    pub sum_secs: i64,
    /// How long the longest of them lasted.
    pub longest_secs: i64,
    /// When it was counted.
    pub counted_at: DateTimeUtc,
    /// Needs no further count. Said of the hour by the row of all sessions created in it.
    pub settled: bool,
}

impl ActiveModelBehavior for ActiveModel {}
