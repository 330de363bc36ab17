//! Uses of sessions, gathered in memory and written together every few seconds.
//!
//! A crash loses at most what was gathered since the last writing, which is last-seen instants and
//! nothing else.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};

use crate::rules::id::SessionId;
use crate::rules::session::Facts;
use crate::service::Context;
use crate::store::StoreError;
use crate::store::session_uses::Use;

/// How often uses are written.
pub const INTERVAL: TimeDelta = TimeDelta::seconds(5);

/// Uses written by one statement.
const BATCH: usize = 1_000;

/// Uses that are not written yet, the latest of each session.
#[derive(Debug, Default)]
pub struct Touches {
    uses: Mutex<HashMap<SessionId, Use>>,
    writing: tokio::sync::Mutex<()>,
}

impl Touches {
    /// How far apart two uses are to be both worth noting.
    pub fn step(idle_timeout: TimeDelta) -> TimeDelta {
        (idle_timeout / 4).min(INTERVAL * 2)
    }

    /// Notes a use.
    pub fn note(&self, facts: &Facts, at: DateTime<Utc>) {
        let used = Use {
            session_id: facts.session_id,
            at,
            idle_timeout: facts.idle_timeout(),
        };
        self.uses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(facts.session_id, used);
    }

    fn take(&self) -> Vec<Use> {
        let mut uses = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        // With its memory: a rush is not paid for until the next start.
        std::mem::take(&mut *uses).into_values().collect()
    }

    fn put_back(&self, uses: Vec<Use>) {
        let mut kept = self.uses.lock().unwrap_or_else(PoisonError::into_inner);
        for used in uses {
            kept.entry(used.session_id).or_insert(used);
        }
    }
}

/// Writes what was gathered. Where the database does not answer, it is kept for the next time.
pub async fn write_touches(context: &Context) -> Result<(), StoreError> {
    // Whoever must know that all uses are written waits for a writing that is under way.
    let _one_at_a_time = context.touches.writing.lock().await;
    let uses = context.touches.take();
    let mut left = uses.as_slice();
    while !left.is_empty() {
        let (some, rest) = left.split_at(left.len().min(BATCH));
        if let Err(error) = context.store.touch(some.to_vec(), context.now()).await {
            context.touches.put_back(left.to_vec());
            return Err(error);
        }
        left = rest;
    }
    Ok(())
}
