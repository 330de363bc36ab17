//! Writing down what time has ended.

use crate::rules::audit::{Action, AuditEvent, Origin};
use crate::rules::end_reason::EndReason;
use crate::rules::throttle::FORGOTTEN_AFTER;
use crate::service::Context;
use crate::service::addresses::drop_old_addresses;
use crate::service::end_session::end_past_limit;
use crate::service::error::Error;
use crate::service::policies::apply_policies;
use crate::service::touches::write_touches;

/// Sessions ended by one transaction, so that none holds its locks for long.
const BATCH: u64 = 500;

/// Brings live sessions within policies that are not wholly applied yet, ends sessions past one of
/// their limits, each with that limit as its reason, and drops client addresses that are kept no
/// longer and counts of failed attempts that are too old to matter. Returns how many sessions ended.
pub async fn cleanup(context: &Context, origin: Origin) -> Result<u64, Error> {
    // Or a session in use would count as idle for want of its latest uses.
    write_touches(context).await?;
    apply_policies(context).await?;
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
    drop_old_addresses(context).await?;
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
