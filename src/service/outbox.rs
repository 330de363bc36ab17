//! Delivering what the outbox holds: at least once, by one process at a time, later again where it
//! failed, and given up after long enough.
//!
//! Knows when to try and what to write down. How a consumer is told is the [`Deliverer`]'s affair.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::rules::audit::{Action, AuditEvent, Origin};
use crate::rules::outbox::{Consumer, Delivery, LEASE, MAX_ATTEMPTS, wait_after};
use crate::service::Context;
use crate::service::error::Error;
use crate::store::outbox::Tried;

/// Deliveries claimed at once, and made side by side.
const BATCH: u64 = 16;

/// How often the outbox is looked into where nobody says that it has grown: another process, or
/// time, may have made something due.
const EVERY: Duration = Duration::from_secs(1);

/// Why something was not delivered. The words are kept and shown to administrators: no address, no
/// name, nothing that the other side has said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum NotDelivered {
    /// It may work later.
    Later(String),
    /// It never will.
    Never(String),
}

/// What a [`Deliverer`] returns.
pub type Delivering<'d> = Pin<Box<dyn Future<Output = Result<(), NotDelivered>> + Send + 'd>>;

/// Tells one kind of consumer.
pub trait Deliverer: Send + Sync {
    /// Whom it tells.
    fn consumer(&self) -> Consumer;

    /// Tells of one act, in less time than [`LEASE`]. It may be asked again for one that it has told
    /// of, where nobody could write down that it had.
    fn deliver<'d>(&'d self, context: &'d Context, delivery: &'d Delivery) -> Delivering<'d>;
}

/// Delivers for as long as it is polled.
pub async fn deliver_forever(
    context: Arc<Context>,
    deliverers: Vec<Arc<dyn Deliverer>>,
) -> Infallible {
    let mut interval = tokio::time::interval(EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut working = true;
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            () = context.store.outbox_grown() => {}
        }
        let mut works = true;
        for deliverer in &deliverers {
            if let Err(error) = deliver_due(&context, deliverer).await {
                works = false;
                if working {
                    tracing::warn!(%error, "the outbox cannot be read; it is tried again");
                }
            }
        }
        working = works;
    }
}

/// Delivers all that is due for one consumer. Returns how many deliveries were tried.
pub async fn deliver_due(
    context: &Arc<Context>,
    deliverer: &Arc<dyn Deliverer>,
) -> Result<u64, Error> {
    let mut tried = 0;
    loop {
        let consumer = deliverer.consumer();
        let claimed = context
            .store
            .write(context.now(), move |tx| {
                Box::pin(async move {
                    Ok::<_, Error>(tx.claim_deliveries(consumer, LEASE, BATCH).await?)
                })
            })
            .await?;
        let count = claimed.len() as u64;
        let mut under_way = tokio::task::JoinSet::new();
        for delivery in claimed {
            let (context, deliverer) = (Arc::clone(context), Arc::clone(deliverer));
            under_way.spawn(async move { deliver_one(&context, &*deliverer, delivery).await });
        }
        // To the end of each: one that could not be written down is tried again when its lease is
        // over, and interrupts no other.
        let mut worst = Ok(());
        while let Some(done) = under_way.join_next().await {
            worst = worst.and(done.unwrap_or(Err(Error::Internal("a delivery"))));
        }
        worst?;
        tried += count;
        if count < BATCH {
            return Ok(tried);
        }
    }
}

async fn deliver_one(
    context: &Context,
    deliverer: &dyn Deliverer,
    delivery: Delivery,
) -> Result<(), Error> {
    let outcome = if delivery.attempts > MAX_ATTEMPTS {
        // Whoever claimed it that often never came back to say so.
        Err(NotDelivered::Never("no attempt came to an end".to_owned()))
    } else {
        deliverer.deliver(context, &delivery).await
    };
    let now = context.now();
    let tried = match outcome {
        Ok(()) => Tried::Delivered,
        Err(NotDelivered::Never(error)) => Tried::Dead { error },
        Err(NotDelivered::Later(error)) => match wait_after(delivery.attempts) {
            Some(wait) => Tried::Later {
                due_at: now + wait,
                error,
            },
            None => Tried::Dead { error },
        },
    };
    let (id, action, consumer) = (delivery.id, &delivery.action, &delivery.consumer);
    match &tried {
        Tried::Delivered => {}
        Tried::Later { error, .. } => {
            tracing::info!(%id, action, consumer, error, "not delivered; it is tried again");
        }
        Tried::Dead { error } => {
            tracing::warn!(%id, action, consumer, error, "not delivered and given up; see /admin/outbox");
        }
    }
    context
        .store
        .write(now, move |tx| {
            Box::pin(async move {
                tx.note_attempt(&delivery, tried).await?;
                Ok(())
            })
        })
        .await
}

/// Has a delivery that was given up tried anew.
pub async fn retry(context: &Context, id: Uuid, origin: Origin) -> Result<(), Error> {
    context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move {
                let revived = tx.revive_delivery(id).await?;
                let delivery = revived.ok_or(Error::NotFound("delivery that was given up"))?;
                let event = about(origin, Action::DeliveryRetried, &delivery);
                Ok(tx.audit(event).await?)
            })
        })
        .await
}

/// Drops a delivery that was given up.
pub async fn discard(context: &Context, id: Uuid, origin: Origin) -> Result<(), Error> {
    context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move {
                let dropped = tx.drop_delivery(id).await?;
                let delivery = dropped.ok_or(Error::NotFound("delivery that was given up"))?;
                let event = about(origin, Action::DeliveryDropped, &delivery);
                Ok(tx.audit(event).await?)
            })
        })
        .await
}

fn about(origin: Origin, action: Action, delivery: &Delivery) -> AuditEvent {
    let event = AuditEvent::new(origin, action)
        .detail(format!("{} by {}", delivery.action, delivery.consumer));
    match delivery.subject_id {
        Some(user_id) => event.subject(user_id),
        None => event,
    }
}
