//! Counts of failed attempts, kept in the database so that a restart forgets none.

use chrono::{DateTime, Utc};
use entity::throttles::{ActiveModel, Column, Entity};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};

use crate::store::{StoreError, Transaction};

/// A count of failed attempts.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Throttle {
    /// Consecutive failures.
    pub failures: u32,
    /// Attempts before this instant are refused unread.
    pub blocked_until: DateTime<Utc>,
    /// The latest failure.
    pub updated_at: DateTime<Utc>,
}

impl Transaction {
    /// The count for a key, a new one if there is none. Whoever asks holds the row until the
    /// transaction ends, so that attempts at the same moment are counted one after another.
    pub async fn lock_throttle(&mut self, key: &str) -> Result<Throttle, StoreError> {
        let row = ActiveModel {
            key: Set(key.to_owned()),
            failures: Set(0),
            blocked_until: Set(self.now),
            updated_at: Set(self.now),
        };
        Entity::insert(row)
            .on_conflict(OnConflict::column(Column::Key).do_nothing().to_owned())
            .exec_without_returning(self.connection())
            .await?;
        let rows = Entity::update_many()
            .col_expr(Column::Key, Expr::col(Column::Key))
            .filter(Column::Key.eq(key))
            .exec_with_returning(self.connection())
            .await?;
        let row = rows
            .into_iter()
            .next()
            .ok_or(StoreError::Corrupt("throttles"))?;
        Ok(Throttle {
            failures: u32::try_from(row.failures).unwrap_or_default(),
            blocked_until: row.blocked_until,
            updated_at: row.updated_at,
        })
    }

    /// Writes a count that this transaction holds.
    pub async fn update_throttle(
        &mut self,
        key: &str,
        throttle: Throttle,
    ) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(
                Column::Failures,
                Expr::value(i32::try_from(throttle.failures).unwrap_or(i32::MAX)),
            )
            .col_expr(Column::BlockedUntil, Expr::value(throttle.blocked_until))
            .col_expr(Column::UpdatedAt, Expr::value(throttle.updated_at))
            .filter(Column::Key.eq(key))
            .exec(self.connection())
            .await?;
        Ok(())
    }
}
