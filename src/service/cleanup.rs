//! Writing down what time has ended.

use crate::rules::audit::{Action, AuditEvent, Origin};
use crate::rules::end_reason::EndReason;
use crate::rules::throttle::FORGOTTEN_AFTER;
use crate::service::Context;
use crate::service::end_session::end_past_limit;
use crate::service::error::Error;
use crate::service::touches::write_touches;

/// Sessions ended by one transaction, so that none holds its locks for long.
///
/// Each lies somewhere else in the table and in its indexes. On SQLite a transaction of some more
/// would change a thousand pages, and its commit copy them all into the file before anybody else
/// may write; one of these takes as long as one on a small table, and less for each session.
const BATCH: u64 = 50;

/// Ends sessions past one of their limits, each with that limit as its reason, and drops counts of
/// failed attempts that are too old to matter. Returns how many sessions ended.
pub async fn cleanup(context: &Context, origin: Origin) -> Result<u64, Error> {
    // Or a session in use would count as idle for want of its latest uses.
    write_touches(context).await?;
    let mut cleaned = 0;
    for reason in [EndReason::AbsoluteLifetime, EndReason::Idle] {
        loop {
            let ended = context
                .store
                .write(context.now(), move |tx| {
                    Box::pin(async move { end_past_limit(tx, reason, BATCH).await })
                })
                .await?;
            cleaned += ended;
            if ended < BATCH {
                break;
            }
        }
    }
    let now = context.now();
    context
        .store
        .write(now, move |tx| {
            Box::pin(async move {
                tx.delete_throttles_before(now - FORGOTTEN_AFTER).await?;
                if cleaned > 0 {
                    let event = AuditEvent::new(origin, Action::CleanedUp)
                        .detail(format!("{cleaned} sessions"));
                    tx.audit(event).await?;
                }
                Ok::<_, Error>(())
            })
        })
        .await?;
    Ok(cleaned)
}
