//! What this process has done since its start, counted after the commit of each act.
//!
//! Figures of all processes together, and of the time before the start, stand in the table: see
//! [`crate::store::figures`]. These here are what a collector reads every few seconds.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::rules::end_reason::EndReason;

/// One of what is counted.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Act {
    /// A session was opened, by this method of proof.
    Created(&'static str),
    /// A session ended.
    Ended(EndReason),
    /// A sign-in was refused.
    SignInFailed,
}

/// How often each was done. Sessions that an administrator opened as somebody else are not counted.
#[derive(Debug, Default)]
pub struct Acts {
    created: Mutex<BTreeMap<&'static str, u64>>,
    ended: [AtomicU64; EndReason::ALL.len()],
    sign_in_failures: AtomicU64,
}

impl Acts {
    pub(super) fn count(&self, acts: &[Act]) {
        for act in acts {
            match *act {
                Act::Created(method) => {
                    let mut created = self.created.lock().unwrap_or_else(PoisonError::into_inner);
                    *created.entry(method).or_default() += 1;
                }
                Act::Ended(reason) => {
                    if let Some(ended) = self.ended.get(reason as usize) {
                        ended.fetch_add(1, Ordering::Relaxed);
                    }
                }
                Act::SignInFailed => {
                    self.sign_in_failures.fetch_add(1, Ordering::Relaxed);
                }
            }
        }
    }

    /// Sessions opened, by method of proof (RFC 8176).
    pub fn created(&self) -> BTreeMap<&'static str, u64> {
        self.created
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Sessions ended, by reason: each reason there is.
    pub fn ended(&self) -> impl Iterator<Item = (EndReason, u64)> {
        let counts = self.ended.iter().map(|count| count.load(Ordering::Relaxed));
        EndReason::ALL.iter().copied().zip(counts)
    }

    /// Sign-ins refused.
    pub fn sign_in_failures(&self) -> u64 {
        self.sign_in_failures.load(Ordering::Relaxed)
    }
}
