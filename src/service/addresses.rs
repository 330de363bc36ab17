//! Deleting client addresses that have been kept for as long as the operator wants.

use chrono::{DateTime, Utc};

use crate::rules::audit::{Action, AuditEvent, Origin};
use crate::service::Context;
use crate::service::error::Error;

/// Rows of each table changed by one transaction, so that none holds its locks for long.
const BATCH: u64 = 500;

/// Deletes every address older than the settings allow; none if they say nothing. Returns how many.
pub async fn drop_old_addresses(context: &Context) -> Result<u64, Error> {
    let Some(retention) = context.settings.address_retention else {
        return Ok(0);
    };
    let before = context.now() - retention;
    let mut total = 0;
    loop {
        let dropped = drop_addresses(context, before, BATCH).await?
            + drop_renewals(context, before, BATCH).await?;
        total += dropped;
        if dropped == 0 {
            return Ok(total);
        }
    }
}

/// Deletes the addresses of sessions opened, and of acts done, before this instant: of the oldest
/// first and of at most `limit` each. Returns how many. The places stay.
pub async fn drop_addresses(
    context: &Context,
    before: DateTime<Utc>,
    limit: u64,
) -> Result<u64, Error> {
    context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move {
                let sessions = tx.drop_session_addresses(before, limit).await?;
                let acts = tx.drop_audit_addresses(before, limit).await?;
                // Few are ever given up, and those are looked at.
                tx.drop_delivery_addresses(before).await?;
                if sessions + acts > 0 {
                    let event = AuditEvent::new(Origin::SYSTEM, Action::AddressesDropped)
                        .detail(format!("of {sessions} sessions and {acts} acts"));
                    tx.audit(event).await?;
                }
                Ok::<_, Error>(sessions + acts)
            })
        })
        .await
}

/// As [`drop_addresses`], of renewals. An act of its own, since it takes other sessions than those
/// that were opened long ago.
async fn drop_renewals(context: &Context, before: DateTime<Utc>, limit: u64) -> Result<u64, Error> {
    context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move {
                let dropped = tx.drop_renewal_addresses(before, limit).await?;
                if dropped > 0 {
                    let event = AuditEvent::new(Origin::SYSTEM, Action::AddressesDropped)
                        .detail(format!("of {dropped} renewals"));
                    tx.audit(event).await?;
                }
                Ok::<_, Error>(dropped)
            })
        })
        .await
}
