//! The outbox: what somebody is still to be told of, one row for each consumer.
//!
//! A row is written in the transaction of its act. Whoever delivers it first claims it, which puts
//! its next time to be tried behind a lease; whoever dies meanwhile leaves it to the next. So each is
//! delivered at least once, by one process at a time.

use chrono::{DateTime, TimeDelta, Utc};
use entity::outbox::{ActiveModel, Column, Entity, Model};
use sea_orm::sea_query::{Expr, ExprTrait, LockBehavior, LockType};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    Select,
};
use tokio::sync::Notify;
use uuid::Uuid;

use crate::entropy;
use crate::rules::audit::{AuditEvent, Told};
use crate::rules::id::{SessionId, UserId};
use crate::rules::outbox::{Consumer, Delivery, DeliveryStatus};
use crate::rules::record::Listed;
use crate::rules::webhook;
use crate::store::{Store, StoreError, Transaction};

/// What came of an attempt.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Tried {
    /// It was told.
    Delivered,
    /// It is tried again from this instant on.
    Later {
        /// From when on.
        due_at: DateTime<Utc>,
        /// Why it failed; without personal data.
        error: String,
    },
    /// It is given up.
    Dead {
        /// Why it failed; without personal data.
        error: String,
    },
}

impl Store {
    /// Waits until this process has put something into the outbox for this consumer since that was
    /// last asked.
    pub async fn outbox_grown(&self, consumer: Consumer) {
        self.grown(consumer).notified().await;
    }

    pub(super) fn grown(&self, consumer: Consumer) -> &Notify {
        match consumer {
            Consumer::Mail => &self.inner.mail_grown,
            Consumer::Webhook => &self.inner.webhook_grown,
        }
    }

    /// Deliveries of one status, newest first, from after `cursor` on.
    pub async fn list_deliveries(
        &self,
        status: DeliveryStatus,
        cursor: Option<Uuid>,
        limit: u64,
    ) -> Result<Listed<Delivery>, StoreError> {
        let mut question = in_status(status).order_by_desc(Column::Id).limit(limit + 1);
        if let Some(cursor) = cursor {
            question = question.filter(Column::Id.lt(cursor));
        }
        let mut rows = self.read(|db| question.all(db)).await?;
        let more = rows.len() as u64 > limit;
        rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        let next_cursor = rows.last().filter(|_| more).map(|row| row.id);
        let rows = rows.into_iter().map(Delivery::from).collect();
        Ok(Listed { rows, next_cursor })
    }

    /// How many deliveries there are of one status, counted no further than anybody reads.
    pub async fn count_deliveries(&self, status: DeliveryStatus) -> Result<u64, StoreError> {
        let ids = in_status(status).select_only().column(Column::Id);
        self.count(sea_orm::QueryTrait::into_query(ids)).await
    }
}

impl Transaction {
    /// Puts acts that were just written down into the outbox, once for each who is told: for nobody who
    /// does not listen, since that would never be delivered.
    pub(super) async fn tell_of(&mut self, acts: &[(Uuid, &AuditEvent)]) -> Result<(), StoreError> {
        for consumer in self.listeners() {
            let mut rows = Vec::new();
            for (event_id, event) in acts {
                for told in consumer.tells(event) {
                    rows.push(self.outbox_row(*consumer, told, *event_id, event)?);
                }
            }
            if rows.is_empty() {
                continue;
            }
            Entity::insert_many(rows)
                .exec_without_returning(self.connection())
                .await?;
            self.wake_deliverer(*consumer);
        }
        Ok(())
    }

    fn outbox_row(
        &self,
        consumer: Consumer,
        told: Told,
        event_id: Uuid,
        event: &AuditEvent,
    ) -> Result<ActiveModel, StoreError> {
        let (ip, detail) = match consumer {
            Consumer::Mail => (event.origin.ip, event.detail.as_deref()),
            // What is personal is not told, and so not kept either.
            Consumer::Webhook => (None, webhook::detail(event)),
        };
        Ok(ActiveModel {
            id: Set(entropy::new_id(self.now)?),
            event_id: Set(event_id),
            consumer: Set(consumer.code().to_owned()),
            target: Set(None),
            at: Set(self.now),
            action: Set(event.action.code().to_owned()),
            actor_kind: Set(event.origin.actor.kind().to_owned()),
            actor_id: Set(event.origin.actor.user_id().map(|user| user.0)),
            subject_id: Set(event.subject.map(|user| user.0)),
            session_id: Set(event.session_id.map(|session| session.0)),
            ip: Set(ip.map(|ip| ip.to_string())),
            reason: Set(event.reason.map(str::to_owned)),
            detail: Set(detail.map(str::to_owned)),
            address: Set(told.address),
            link_id: Set(told.link_id),
            attempts: Set(0),
            due_at: Set(self.now),
            delivered_at: Set(None),
            dead_at: Set(None),
            last_error: Set(None),
            receipt_id: Set(event.receipt_id),
        })
    }

    /// Claims deliveries that are due, at most so many: nobody else tries them before the lease is
    /// over. On PostgreSQL those that another process claims at this moment are passed over.
    pub async fn claim_deliveries(
        &mut self,
        consumer: Consumer,
        lease: TimeDelta,
        at_most: u64,
    ) -> Result<Vec<Delivery>, StoreError> {
        let due = Condition::all()
            .add(waiting())
            .add(Column::DueAt.lte(self.now));
        let ids = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::Consumer.eq(consumer.code()))
            .filter(due.clone())
            .order_by_asc(Column::DueAt)
            .limit(at_most)
            .lock_with_behavior(LockType::Update, LockBehavior::SkipLocked)
            .into_tuple::<Uuid>()
            .all(self.connection())
            .await?;
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        let rows = Entity::update_many()
            .col_expr(Column::Attempts, Expr::col(Column::Attempts).add(1))
            .col_expr(Column::DueAt, Expr::value(self.now + lease))
            .filter(Column::Id.is_in(ids))
            .filter(due)
            .exec_with_returning(self.connection())
            .await?;
        Ok(rows.into_iter().map(Delivery::from).collect())
    }

    /// Notes what came of an attempt. False if somebody else has taken the delivery over meanwhile,
    /// whose word then counts.
    pub async fn note_attempt(
        &mut self,
        delivery: &Delivery,
        tried: Tried,
    ) -> Result<bool, StoreError> {
        let attempts = i32::try_from(delivery.attempts).unwrap_or(i32::MAX);
        let update = Entity::update_many()
            .filter(Column::Id.eq(delivery.id))
            .filter(Column::Attempts.eq(attempts))
            .filter(waiting());
        let update = match tried {
            Tried::Delivered => update
                .col_expr(Column::DeliveredAt, Expr::value(self.now))
                // What was needed for it, and is personal.
                .col_expr(Column::Address, Expr::value(None::<String>))
                .col_expr(Column::Ip, Expr::value(None::<String>))
                .col_expr(Column::Detail, Expr::value(None::<String>))
                .col_expr(Column::LastError, Expr::value(Option::<String>::None)),
            Tried::Later { due_at, error } => update
                .col_expr(Column::DueAt, Expr::value(due_at))
                .col_expr(Column::LastError, Expr::value(error)),
            Tried::Dead { error } => update
                .col_expr(Column::DeadAt, Expr::value(self.now))
                .col_expr(Column::LastError, Expr::value(error)),
        };
        Ok(update.exec(self.connection()).await?.rows_affected == 1)
    }

    /// Lets a delivery that was given up be tried anew, at once. None if there is none such.
    pub async fn revive_delivery(&mut self, id: Uuid) -> Result<Option<Delivery>, StoreError> {
        let rows = Entity::update_many()
            .col_expr(Column::DeadAt, Expr::value(Option::<DateTime<Utc>>::None))
            .col_expr(Column::Attempts, Expr::value(0))
            .col_expr(Column::DueAt, Expr::value(self.now))
            .filter(Column::Id.eq(id))
            .filter(Column::DeadAt.is_not_null())
            .exec_with_returning(self.connection())
            .await?;
        let revived = rows.into_iter().next().map(Delivery::from);
        let consumer = revived
            .as_ref()
            .map(|row| Consumer::from_code(&row.consumer));
        if let Some(consumer) = consumer.flatten() {
            self.wake_deliverer(consumer);
        }
        Ok(revived)
    }

    /// Deletes what is kept of mails to a user. What a webhook is told of them holds nothing personal,
    /// and says among other things that they are gone.
    pub(super) async fn drop_mails_about(&mut self, user_id: UserId) -> Result<(), StoreError> {
        Entity::delete_many()
            .filter(Column::SubjectId.eq(user_id.0))
            .filter(Column::Consumer.eq(Consumer::Mail.code()))
            .exec(self.connection())
            .await?;
        Ok(())
    }

    /// Deletes the client addresses of deliveries that were given up, of acts before this instant.
    /// Returns of how many.
    pub async fn drop_delivery_addresses(
        &mut self,
        before: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let dropped = Entity::update_many()
            .col_expr(Column::Ip, Expr::value(None::<String>))
            .col_expr(Column::Detail, Expr::value(None::<String>))
            .filter(Column::DeadAt.is_not_null())
            .filter(Column::At.lt(before))
            .filter(Column::Ip.is_not_null())
            .exec(self.connection())
            .await?;
        Ok(dropped.rows_affected)
    }

    /// Deletes a delivery that was given up. None if there is none such.
    pub async fn drop_delivery(&mut self, id: Uuid) -> Result<Option<Delivery>, StoreError> {
        let rows = Entity::delete_many()
            .filter(Column::Id.eq(id))
            .filter(Column::DeadAt.is_not_null())
            .exec_with_returning(self.connection())
            .await?;
        Ok(rows.into_iter().next().map(Delivery::from))
    }

    /// Deletes what was delivered before an instant, at most so many rows. Returns how many.
    pub async fn delete_delivered_before(
        &mut self,
        before: DateTime<Utc>,
        limit: u64,
    ) -> Result<u64, StoreError> {
        let ids = Entity::find()
            .select_only()
            .column(Column::Id)
            .filter(Column::DeliveredAt.lt(before))
            .order_by_asc(Column::DeliveredAt)
            .limit(limit)
            .into_tuple::<Uuid>()
            .all(self.connection())
            .await?;
        if ids.is_empty() {
            return Ok(0);
        }
        let deleted = Entity::delete_many()
            .filter(Column::Id.is_in(ids))
            .exec(self.connection())
            .await?;
        Ok(deleted.rows_affected)
    }
}

fn waiting() -> Condition {
    Condition::all()
        .add(Column::DeliveredAt.is_null())
        .add(Column::DeadAt.is_null())
}

fn in_status(status: DeliveryStatus) -> Select<Entity> {
    match status {
        DeliveryStatus::Dead => Entity::find().filter(Column::DeadAt.is_not_null()),
        DeliveryStatus::Waiting => Entity::find().filter(waiting()),
    }
}

impl From<Model> for Delivery {
    fn from(row: Model) -> Self {
        Self {
            id: row.id,
            event_id: row.event_id,
            consumer: row.consumer,
            target: row.target,
            at: row.at,
            action: row.action,
            actor_kind: row.actor_kind,
            actor_id: row.actor_id.map(UserId),
            subject_id: row.subject_id.map(UserId),
            session_id: row.session_id.map(SessionId),
            ip: row.ip,
            reason: row.reason,
            receipt_id: row.receipt_id,
            detail: row.detail,
            address: row.address,
            link_id: row.link_id,
            attempts: u32::try_from(row.attempts).unwrap_or_default(),
            due_at: row.due_at,
            dead_at: row.dead_at,
            last_error: row.last_error,
        }
    }
}
