//! Following the change list: what other processes, other programs and people with a database
//! shell change counts here within the bound.
//!
//! Knows when to read the list and how to go on after a failure. What happens to checks meanwhile
//! is decided where they are answered, by how long ago the list was read.

use std::convert::Infallible;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::Notify;

use crate::clock;
use crate::service::Context;
use crate::store::change_list::{Push, Reader};

/// A bound is kept by reading the list this many times within it.
const ROUNDS_A_BOUND: u32 = 4;

/// Shortest time that a round is given: connecting may be part of it.
const PATIENCE: Duration = Duration::from_secs(1);

/// How long to wait before listening again after a connection was lost.
const PAUSE: Duration = Duration::from_secs(1);

/// Between the beginnings of two readings lies at least this, so that changes which come densely
/// share one. The first of them does not wait: it comes after a time in which nothing was read.
const GAP: Duration = Duration::from_millis(5);

/// Follows the change list for as long as it is polled.
pub async fn follow_changes(context: &Context) -> Infallible {
    let grown = Notify::new();
    tokio::select! {
        never = listen(context, &grown) => never,
        never = read(context, &grown) => never,
    }
}

/// How often the list is read where nothing is pushed.
fn interval(context: &Context) -> Duration {
    context.settings.revocation_bound / ROUNDS_A_BOUND
}

async fn read(context: &Context, grown: &Notify) -> Infallible {
    let store = &context.store;
    let mut reader = Reader::new(store);
    let patience = context.settings.revocation_bound.max(PATIENCE);
    let mut following = false;
    loop {
        let began = clock::since_boot();
        match reader.round(began, patience).await {
            Ok(changes) => {
                store.learn(&changes, began);
                // How old they were when they were read is the database's to say; the rest passed here.
                let since = clock::since_boot().saturating_sub(began);
                for age in changes.ages {
                    context.measures.seen(age + since);
                }
                if !following {
                    following = true;
                    tracing::info!("following the change list");
                }
            }
            Err(error) if following => {
                following = false;
                tracing::warn!(
                    error = &error as &dyn std::error::Error,
                    "the change list cannot be read; until it can, every check asks the database"
                );
            }
            Err(_) => {}
        }
        // Whichever comes first; a push that came during the round is still there.
        let _ = tokio::time::timeout(interval(context), grown.notified()).await;
        let rest = GAP.saturating_sub(clock::since_boot().saturating_sub(began));
        if !rest.is_zero() {
            tokio::time::sleep(rest).await;
            // What was pushed meanwhile the next round brings.
            let _ = grown.notified().now_or_never();
        }
    }
}

async fn listen(context: &Context, grown: &Notify) -> Infallible {
    let Some(push) = Push::new(&context.store) else {
        return std::future::pending().await;
    };
    loop {
        let error = push.listen(|| grown.notify_one()).await;
        tracing::warn!(
            error = &error as &dyn std::error::Error,
            "not told of changes at once any more; connecting again"
        );
        tokio::time::sleep(PAUSE).await;
    }
}
