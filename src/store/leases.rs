//! Leases: what only one node does at a time.

use chrono::{DateTime, TimeDelta, Utc};
use entity::leases::{ActiveModel, Column, Entity};
use sea_orm::sea_query::{Expr, OnConflict};
use sea_orm::{ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter};

use crate::store::{Store, StoreError, Transaction};

impl Transaction {
    /// Takes or renews a lease until `period` from now. False if another holder has it.
    pub async fn take_lease(
        &mut self,
        name: &str,
        holder: &str,
        period: TimeDelta,
    ) -> Result<bool, StoreError> {
        // Nobody's, where nobody has ever had it.
        let nobodys = ActiveModel {
            name: Set(name.to_owned()),
            holder: Set(String::new()),
            expires_at: Set(self.now),
        };
        Entity::insert(nobodys)
            .on_conflict(OnConflict::column(Column::Name).do_nothing().to_owned())
            .exec_without_returning(self.connection())
            .await?;
        let free = Condition::any()
            .add(Column::Holder.eq(holder))
            .add(Column::ExpiresAt.lte(self.now));
        let taken = Entity::update_many()
            .col_expr(Column::Holder, Expr::value(holder))
            .col_expr(Column::ExpiresAt, Expr::value(self.now + period))
            .filter(Column::Name.eq(name))
            .filter(free)
            .exec(self.connection())
            .await?;
        Ok(taken.rows_affected == 1)
    }

    /// Gives a lease back, if this holder has it.
    pub async fn give_lease_back(&mut self, name: &str, holder: &str) -> Result<(), StoreError> {
        Entity::update_many()
            .col_expr(Column::ExpiresAt, Expr::value(self.now))
            .filter(Column::Name.eq(name))
            .filter(Column::Holder.eq(holder))
            .exec(self.connection())
            .await?;
        Ok(())
    }
}

impl Store {
    /// Who holds a lease at `now`.
    pub async fn lease_holder(
        &self,
        name: &str,
        now: DateTime<Utc>,
    ) -> Result<Option<String>, StoreError> {
        let question = Entity::find_by_id(name.to_owned());
        let row = self.read(|db| question.one(db)).await?;
        Ok(row.filter(|row| row.expires_at > now).map(|row| row.holder))
    }
}
