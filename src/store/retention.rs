//! Deleting what is old enough, some rows at a time, and counting what would be deleted.

use chrono::{DateTime, Utc};
use entity::{
    audit_events, hourly_figures, outbox, refresh_tokens, sessions, throttles, verification_tokens,
};
use sea_orm::sea_query::{
    Asterisk, Expr, ExprTrait, Func, LockBehavior, LockType, Query, SelectStatement,
};
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, DbErr, EntityTrait, Iterable, Order,
    PrimaryKeyToColumn, QueryFilter,
};

use crate::rules::end_reason::EndReason;
use crate::rules::figures::Hour;
use crate::rules::retention::Kept;
use crate::store::figures::first_id_at;
use crate::store::sessions::past_limit;
use crate::store::{Store, StoreError, Transaction};

impl Transaction {
    /// Deletes rows that began to count at or before the cutoff, the oldest first, at most so many.
    pub async fn delete_kept(
        &mut self,
        kept: Kept,
        cutoff: DateTime<Utc>,
        limit: u64,
    ) -> Result<u64, StoreError> {
        let db = self.connection();
        let deleted = match kept {
            Kept::EndedSessions => {
                use sessions::{Column::EndedAt, Entity};
                oldest::<Entity>(db, EndedAt, EndedAt.lte(cutoff), limit).await
            }
            Kept::RotatedRefreshTokens => {
                use refresh_tokens::{Column::ConsumedAt, Entity};
                oldest::<Entity>(db, ConsumedAt, ConsumedAt.lte(cutoff), limit).await
            }
            Kept::OneTimeLinks => {
                use verification_tokens::{Column::ExpiresAt, Entity};
                oldest::<Entity>(db, ExpiresAt, ExpiresAt.lte(cutoff), limit).await
            }
            Kept::AuditEvents => {
                use audit_events::{Column::Id, Entity};
                oldest::<Entity>(db, Id, Id.lt(first_id_at(cutoff)), limit).await
            }
            Kept::Throttles => {
                use throttles::{Column::UpdatedAt, Entity};
                oldest::<Entity>(db, UpdatedAt, UpdatedAt.lte(cutoff), limit).await
            }
            Kept::Deliveries => {
                use outbox::{Column::DeliveredAt, Entity};
                oldest::<Entity>(db, DeliveredAt, DeliveredAt.lte(cutoff), limit).await
            }
            Kept::HourlyFigures => {
                use hourly_figures::{Column, Entity};
                oldest::<Entity>(db, Column::Hour, over_by(cutoff), limit).await
            }
            Kept::Undelivered => {
                use outbox::{Column::DueAt, Entity};
                oldest::<Entity>(db, DueAt, undelivered(cutoff), limit).await
            }
        };
        Ok(deleted?)
    }
}

fn undelivered(cutoff: DateTime<Utc>) -> Expr {
    let due = outbox::Column::DueAt.lte(cutoff);
    outbox::Column::DeliveredAt.is_null().and(due)
}

/// Found by the index of this column, and deleted by their keys.
async fn oldest<E: EntityTrait>(
    db: &DatabaseTransaction,
    by: E::Column,
    condition: Expr,
    limit: u64,
) -> Result<u64, DbErr> {
    let key: Vec<E::Column> = E::PrimaryKey::iter()
        .map(PrimaryKeyToColumn::into_column)
        .collect();
    let some = Query::select()
        .columns(key.iter().copied())
        .from(E::default())
        .and_where(condition)
        .order_by(by, Order::Asc)
        .limit(limit)
        // Where two nodes clean up at once they take different rows, and neither waits.
        .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
        .take();
    let these = match key.as_slice() {
        [key] => key.in_subquery(some),
        several => Expr::tuple(several.iter().map(|column| Expr::col(*column))).in_subquery(some),
    };
    let deleted = E::delete_many().filter(these).exec(db).await?;
    Ok(deleted.rows_affected)
}

/// Of hours that were over at this instant.
fn over_by(cutoff: DateTime<Utc>) -> Expr {
    hourly_figures::Column::Hour.lt(Hour::of(cutoff).0)
}

impl Store {
    /// How many rows began to count at or before the cutoff.
    pub async fn count_kept(&self, kept: Kept, cutoff: DateTime<Utc>) -> Result<u64, StoreError> {
        let (table, condition) = match kept {
            Kept::EndedSessions => ("sessions", sessions::Column::EndedAt.lte(cutoff)),
            Kept::RotatedRefreshTokens => (
                "refresh_tokens",
                refresh_tokens::Column::ConsumedAt.lte(cutoff),
            ),
            Kept::OneTimeLinks => (
                "verification_tokens",
                verification_tokens::Column::ExpiresAt.lte(cutoff),
            ),
            Kept::AuditEvents => (
                "audit_events",
                audit_events::Column::Id.lt(first_id_at(cutoff)),
            ),
            Kept::Throttles => ("throttles", throttles::Column::UpdatedAt.lte(cutoff)),
            Kept::Deliveries => ("outbox", outbox::Column::DeliveredAt.lte(cutoff)),
            Kept::HourlyFigures => ("hourly_figures", over_by(cutoff)),
            Kept::Undelivered => ("outbox", undelivered(cutoff)),
        };
        let count = Query::select()
            .expr(Func::count(Expr::col(Asterisk)))
            .from(table)
            .and_where(condition)
            .take();
        self.number(count).await
    }

    /// How many sessions are past a limit at `now`, and not written down as ended.
    pub async fn count_past_limits(&self, now: DateTime<Utc>) -> Result<u64, StoreError> {
        let past = |reason| past_limit(reason, now);
        let either = sea_orm::Condition::any()
            .add(past(EndReason::AbsoluteLifetime))
            .add(past(EndReason::Idle));
        let count = Query::select()
            .expr(Func::count(Expr::col(Asterisk)))
            .from(sessions::Entity)
            .and_where(sessions::Column::EndedAt.is_null())
            .cond_where(either)
            .take();
        self.number(count).await
    }

    async fn number(&self, question: SelectStatement) -> Result<u64, StoreError> {
        let question = self.backend().build(&question);
        let row = self
            .read(async |db| db.query_one_raw(question).await)
            .await?;
        let number = row.map(|row| row.try_get_by_index::<i64>(0)).transpose()?;
        Ok(number.map_or(0, |number| u64::try_from(number).unwrap_or_default()))
    }
}
