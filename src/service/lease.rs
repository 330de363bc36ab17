//! The lease by which one node at a time does what is done for all of them.
//!
//! It spares the others the work, and nothing rests on it: every change says in its condition what
//! it takes for granted, so two that work at once, as when one was thought dead, do nothing twice.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::service::Context;
use crate::store::StoreError;

/// What it is for.
pub const MAINTENANCE: &str = "maintenance";

/// For how long it is taken: two rounds of the schedule, so that a node which misses one keeps it.
pub const PERIOD: TimeDelta = TimeDelta::seconds(120);

/// A lease that this node holds.
#[derive(Debug)]
pub struct Lease<'a> {
    context: &'a Context,
    renewed_at: Mutex<DateTime<Utc>>,
}

impl<'a> Lease<'a> {
    /// Takes it, or renews it. None if another node has it.
    pub async fn take(context: &'a Context) -> Result<Option<Self>, StoreError> {
        let now = context.now();
        Ok(write(context, now).await?.then(|| Self {
            context,
            renewed_at: Mutex::new(now),
        }))
    }

    /// Does this node still hold it? Renews it in time.
    pub async fn holds(&self) -> Result<bool, StoreError> {
        let now = self.context.now();
        let age = now
            - *self
                .renewed_at
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
        if age < PERIOD / 4 {
            return Ok(true);
        }
        let holds = write(self.context, now).await?;
        *self
            .renewed_at
            .lock()
            .unwrap_or_else(PoisonError::into_inner) = now;
        Ok(holds)
    }
}

async fn write(context: &Context, now: DateTime<Utc>) -> Result<bool, StoreError> {
    let node = context.node.clone();
    let act = context.store.write(now, move |tx| {
        Box::pin(async move { tx.take_lease(MAINTENANCE, &node, PERIOD).await })
    });
    act.await
}

/// Gives the lease back, if this node has it: another need not wait for its end.
pub async fn give_back(context: &Context) -> Result<(), StoreError> {
    let node = context.node.clone();
    let act = context.store.write(context.now(), move |tx| {
        Box::pin(async move { tx.give_lease_back(MAINTENANCE, &node).await })
    });
    act.await
}
