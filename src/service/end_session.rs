//! The one way a session ends, whoever ends it and why: the row and its audit row together.

use crate::rules::audit::{Action, AuditEvent, Origin};
use crate::rules::end_reason::EndReason;
use crate::rules::id::{SessionId, UserId};
use crate::service::Context;
use crate::service::error::Error;
use crate::store::impersonations::Impersonations;
use crate::store::sessions::Which;
use crate::store::{StoreError, Transaction};

/// Sessions ended by one transaction.
const BATCH: u64 = 1000;

/// Ends the live sessions that `which` names, inside an act: row and audit in its transaction, the
/// mark in the cache after its commit. Sessions that were opened from them as another user end with
/// them. Returns those that ended now, without these; ending again is harmless.
pub async fn end_sessions(
    tx: &mut Transaction,
    which: Which,
    reason: EndReason,
    origin: Origin,
) -> Result<Vec<(SessionId, UserId)>, StoreError> {
    let ended = tx
        .end_sessions(which, reason, origin.actor.user_id())
        .await?;
    tx.audit_all(events(&ended, reason, origin)).await?;
    end_impersonations(tx, Impersonations::From(which), origin).await?;
    Ok(ended)
}

/// Ends impersonations because the administrator may not have them open any more, inside an act.
pub async fn end_impersonations(
    tx: &mut Transaction,
    which: Impersonations,
    origin: Origin,
) -> Result<(), StoreError> {
    let reason = EndReason::ImpersonatorGone;
    let by = origin.actor.user_id();
    let ended = tx.end_impersonations(which, reason, by).await?;
    tx.audit_all(events(&ended, reason, origin)).await
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

/// Ends everybody's sessions that are live now, but for the one in `except`. Returns how many.
///
/// In transactions of a bounded size: however many there are, none of them takes long. Repeating
/// the act after an outage half-way ends the rest. Which sessions were there before is not asked by
/// their instants: another process, whose clock is ahead, may have opened one just now.
pub async fn end_everyone(
    context: &Context,
    except: Option<SessionId>,
    origin: Origin,
) -> Result<u64, Error> {
    let which = except.map_or(Which::Everyone, Which::EveryoneExcept);
    let mut total = 0;
    loop {
        let (some, last) = context
            .store
            .write(context.now(), move |tx| {
                Box::pin(async move {
                    let reason = EndReason::EveryoneOut;
                    let by = origin.actor.user_id();
                    let (found, ended) = tx.end_some_sessions(which, BATCH, reason, by).await?;
                    let last = (found as u64) < BATCH;
                    tx.audit_all(events(&ended, reason, origin)).await?;
                    if last {
                        let event = AuditEvent::new(origin, Action::EveryoneOut)
                            .detail(format!("{} sessions", total + ended.len() as u64));
                        tx.audit(event).await?;
                    }
                    Ok::<_, StoreError>((ended.len() as u64, last))
                })
            })
            .await?;
        total += some;
        if last {
            return Ok(total);
        }
    }
}

/// Ends live sessions that are past this limit, at most so many. Nobody asked for it, so nobody is
/// its actor. Returns how many ended.
pub async fn end_past_limit(
    tx: &mut Transaction,
    limit: EndReason,
    at_most: u64,
) -> Result<u64, StoreError> {
    let ended = tx.end_sessions_past(limit, at_most).await?;
    tx.audit_all(events(&ended, limit, Origin::SYSTEM)).await?;
    Ok(ended.len() as u64)
}

/// As [`end_past_limit`], for one session. False if it is not past the limit, or not live.
pub async fn end_one_past_limit(
    tx: &mut Transaction,
    session_id: SessionId,
    limit: EndReason,
) -> Result<bool, StoreError> {
    let Some(user_id) = tx.end_session_past(session_id, limit).await? else {
        return Ok(false);
    };
    let ended = [(session_id, user_id)];
    tx.audit_all(events(&ended, limit, Origin::SYSTEM)).await?;
    Ok(true)
}

fn events(ended: &[(SessionId, UserId)], reason: EndReason, origin: Origin) -> Vec<AuditEvent> {
    ended
        .iter()
        .map(|(session_id, user_id)| {
            AuditEvent::new(origin, Action::SessionEnded)
                .subject(*user_id)
                .session(*session_id)
                .reason(reason.code())
        })
        .collect()
}
