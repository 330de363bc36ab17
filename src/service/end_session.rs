//! The one way a session ends, whoever ends it and why.

use crate::rules::audit::{Action, AuditEvent, Origin};
use crate::rules::end_reason::EndReason;
use crate::rules::id::{SessionId, UserId};
use crate::service::Context;
use crate::service::error::Error;
use crate::store::sessions::Which;
use crate::store::{StoreError, Transaction};

/// Ends the live sessions that `which` names, inside an act: row and audit in its transaction, the
/// mark in the cache after its commit. Returns those that ended now; ending again is harmless.
pub async fn end_sessions(
    tx: &mut Transaction,
    which: Which,
    reason: EndReason,
    origin: Origin,
) -> Result<Vec<(SessionId, UserId)>, StoreError> {
    let ended = tx
        .end_sessions(which, reason, origin.actor.user_id())
        .await?;
    let events = ended
        .iter()
        .map(|(session_id, user_id)| {
            AuditEvent::new(origin, Action::SessionEnded)
                .subject(*user_id)
                .session(*session_id)
                .reason(reason.code())
        })
        .collect();
    tx.audit_all(events).await?;
    Ok(ended)
}

/// Ends the live sessions that `which` names, as an act of its own. Returns how many.
pub async fn end(
    context: &Context,
    which: Which,
    reason: EndReason,
    origin: Origin,
) -> Result<u64, Error> {
    let ended = context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move { end_sessions(tx, which, reason, origin).await })
        })
        .await?;
    Ok(ended.len() as u64)
}

/// Ends everybody's sessions, but for the one in `except`. Returns how many.
pub async fn end_everyone(
    context: &Context,
    except: Option<SessionId>,
    origin: Origin,
) -> Result<u64, Error> {
    let which = except.map_or(Which::Everyone, Which::EveryoneExcept);
    let ended = context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move {
                let ended = end_sessions(tx, which, EndReason::EveryoneOut, origin).await?;
                let event = AuditEvent::new(origin, Action::EveryoneOut)
                    .detail(format!("{} sessions", ended.len()));
                tx.audit(event).await?;
                Ok::<_, StoreError>(ended.len() as u64)
            })
        })
        .await?;
    Ok(ended)
}
