//! Delivering what the outbox holds: at least once, by one process at a time, later again where it
//! failed, and given up after long enough.
//!
//! Knows when to try and what to write down. How a consumer is told is the [`Deliverer`]'s affair.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use uuid::Uuid;

use crate::rules::audit::{Action, AuditEvent, Origin};
use crate::rules::outbox::{Consumer, Delivery, LEASE, MAX_ATTEMPTS, wait_after};
use crate::service::Context;
use crate::service::error::Error;
use crate::store::outbox::Tried;

/// Deliveries made side by side.
const AT_ONCE: u64 = 16;

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
    let each = deliverers.iter().map(|one| keep_delivering(&context, one));
    // Side by side: one that is slow keeps no other waiting.
    join_all(each).await;
    std::future::pending().await
}

async fn keep_delivering(context: &Arc<Context>, deliverer: &Arc<dyn Deliverer>) -> Infallible {
    let consumer = deliverer.consumer();
    let mut interval = tokio::time::interval(EVERY);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut working = true;
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            () = context.store.outbox_grown(consumer) => {}
        }
        let done = deliver_due(context, deliverer).await;
        if let (Err(error), true) = (&done, working) {
            let consumer = consumer.code();
            tracing::warn!(%error, consumer, "the outbox cannot be read; it is tried again");
        }
        working = done.is_ok();
    }
}

/// Delivers all that is due for one consumer, and what becomes due meanwhile: one that is slow keeps
/// no other waiting. Returns how many deliveries were tried.
pub async fn deliver_due(
    context: &Arc<Context>,
    deliverer: &Arc<dyn Deliverer>,
) -> Result<u64, Error> {
    let consumer = deliverer.consumer();
    let mut under_way = tokio::task::JoinSet::new();
    let (mut tried, mut worst, mut more) = (0, Ok(()), true);
    loop {
        let busy = under_way.len() as u64;
        // Not for each that comes to an end: many are claimed by one transaction.
        if more && worst.is_ok() && busy <= AT_ONCE / 2 {
            let room = AT_ONCE - busy;
            match claim(context, consumer, room).await {
                Ok(claimed) => {
                    let count = claimed.len() as u64;
                    (tried, more) = (tried + count, count == room);
                    for delivery in claimed {
                        let (context, deliverer) = (Arc::clone(context), Arc::clone(deliverer));
                        under_way
                            .spawn(async move { attempt(&context, &*deliverer, delivery).await });
                    }
                }
                Err(error) => worst = Err(error),
            }
        }
        // To the end of each: one that could not be written down is tried again when its lease is
        // over, and interrupts no other.
        if under_way.is_empty() {
            return worst.map(|()| tried);
        }
        tokio::select! {
            Some(first) = under_way.join_next() => {
                // Those that come to an end together are written down together.
                let mut done = vec![first];
                done.extend(std::iter::from_fn(|| under_way.try_join_next()));
                let came_to_an_end = done.iter().all(Result::is_ok);
                let noted = note(context, done.into_iter().flatten().collect()).await;
                worst = worst.and(noted);
                if !came_to_an_end {
                    worst = worst.and(Err(Error::Internal("a delivery")));
                }
            }
            () = context.store.outbox_grown(consumer), if !more => more = true,
            () = tokio::time::sleep(EVERY), if !more => more = true,
        }
    }
}

async fn claim(
    context: &Context,
    consumer: Consumer,
    at_most: u64,
) -> Result<Vec<Delivery>, Error> {
    let act = context.store.write(context.now(), move |tx| {
        Box::pin(
            async move { Ok::<_, Error>(tx.claim_deliveries(consumer, LEASE, at_most).await?) },
        )
    });
    act.await
}

async fn attempt(
    context: &Context,
    deliverer: &dyn Deliverer,
    delivery: Delivery,
) -> (Delivery, Tried) {
    let outcome = if delivery.attempts > MAX_ATTEMPTS {
        // Whoever claimed it that often never came back to say so.
        Err(NotDelivered::Never("no attempt came to an end".to_owned()))
    } else {
        deliverer.deliver(context, &delivery).await
    };
    let tried = match outcome {
        Ok(()) => Tried::Delivered,
        Err(NotDelivered::Never(error)) => Tried::Dead { error },
        Err(NotDelivered::Later(error)) => match wait_after(delivery.attempts) {
            Some(wait) => Tried::Later {
                due_at: context.now() + wait,
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
    (delivery, tried)
}

async fn note(context: &Context, done: Vec<(Delivery, Tried)>) -> Result<(), Error> {
    context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move {
                for (delivery, tried) in done {
                    tx.note_attempt(&delivery, tried).await?;
                }
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
