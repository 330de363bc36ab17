//! Which answers to a refresh have arrived, gathered in memory and written together with the uses
//! of sessions.
//!
//! Noted where a token is verified in full, so a check from memory pays nothing. What is not
//! written yet, is known to another node only, or was lost in a crash, lets a copied refresh token
//! be taken for one whose answer got lost; the copy is found out when its successor is rotated. It
//! never signs out anybody who is honest.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use crate::rules::id::SessionId;
use crate::rules::receipt::Receipt;
use crate::service::Context;
use crate::store::StoreError;

/// Receipts written by one statement.
const BATCH: usize = 1_000;

/// Receipts that were seen and are not written yet.
#[derive(Debug, Default)]
pub struct Receipts {
    seen: Mutex<HashSet<(SessionId, Receipt)>>,
    writing: tokio::sync::Mutex<()>,
}

impl Receipts {
    /// Notes that an access token with this receipt was seen.
    pub fn note(&self, session_id: SessionId, receipt: Receipt) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.insert((session_id, receipt));
    }

    fn take(&self) -> Vec<(SessionId, Receipt)> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.drain().collect()
    }

    fn put_back(&self, receipts: &[(SessionId, Receipt)]) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.extend(receipts);
    }
}

/// Writes what was gathered. Where the database does not answer, it is kept for the next time.
pub async fn write_receipts(context: &Context) -> Result<(), StoreError> {
    // Whoever must know that all are written waits for a writing that is under way.
    let _one_at_a_time = context.receipts.writing.lock().await;
    let receipts = context.receipts.take();
    let mut left = receipts.as_slice();
    while !left.is_empty() {
        let (some, rest) = left.split_at(left.len().min(BATCH));
        let now = context.now();
        if let Err(error) = context.store.note_arrivals(some.to_vec(), now).await {
            context.receipts.put_back(left);
            return Err(error);
        }
        left = rest;
    }
    Ok(())
}
