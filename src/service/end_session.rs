//! The one way a session ends, whoever ends it and why: the row and its audit row together.

use std::collections::HashSet;

use uuid::Uuid;

use crate::entropy;
use crate::rules::audit::{Action, AuditEvent, Origin};
use crate::rules::end_reason::EndReason;
use crate::rules::id::{SessionId, UserId};
use crate::rules::session_query::SessionQuery;
use crate::service::Context;
use crate::service::error::{Error, ended_so_far};
use crate::service::touches::write_touches;
use crate::store::impersonations::Impersonations;
use crate::store::session_query::Matching;
use crate::store::sessions::Which;
use crate::store::{StoreError, Transaction};

/// Sessions ended by one transaction.
const BATCH: u64 = 1000;

/// How often an end by query goes through all that match, at most.
const MOST_WAYS: u32 = 5;

/// Ends the live sessions that `which` names, inside an act: row and audit in its transaction, the
/// mark in the cache after its commit. Sessions that were opened from them as another user end with
/// them, and where all of a user's end, so does every sign-in that waits for a choice. Returns those that ended now, without these; ending again is harmless.
pub async fn end_sessions(
    tx: &mut Transaction,
    which: Which,
    reason: EndReason,
    origin: Origin,
) -> Result<Vec<(SessionId, UserId)>, StoreError> {
    void_choices(tx, &which).await?;
    let ended = tx
        .end_sessions(which.clone(), reason, origin.actor.user_id())
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
/// the act after an outage half-way ends the rest. Sign-ins that wait for a choice are void too. Which sessions were there before is not asked by
/// their instants: another process, whose clock is ahead, may have opened one just now.
///
/// # Errors
/// [`Error::HalfWay`] if the database fails after some have ended.
pub async fn end_everyone(
    context: &Context,
    except: Option<SessionId>,
    origin: Origin,
) -> Result<u64, Error> {
    let which = except.map_or(Which::Everyone, Which::EveryoneExcept);
    let mut total = 0;
    loop {
        let which = which.clone();
        let batch = context
            .store
            .write(context.now(), move |tx| {
                Box::pin(async move {
                    let reason = EndReason::EveryoneOut;
                    let by = origin.actor.user_id();
                    void_choices(tx, &which).await?;
                    let (found, ended) = tx.end_some_sessions(which, BATCH, reason, by).await?;
                    let last = (found as u64) < BATCH;
                    tx.audit_all(events(&ended, reason, origin)).await?;
                    if last {
                        let event = AuditEvent::new(origin, Action::EveryoneOut)
                            .detail(format!("{} sessions", total + ended.len() as u64));
                        tx.audit(event).await?;
                    }
                    Ok::<_, Error>((ended.len() as u64, last))
                })
            })
            .await;
        let (some, last) = batch.map_err(|error| match total {
            0 => error,
            some => error.after(ended_so_far(some), Some(some), None),
        })?;
        total += some;
        if last {
            return Ok(total);
        }
    }
}

/// What an end by query did.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Receipt {
    /// Names it; the audit's rows of the act and of each session have it.
    pub id: Uuid,
    /// Sessions that matched.
    pub matched: u64,
    /// Those of them that this very act ended.
    pub ended: u64,
    /// The users whose sessions these were.
    pub users: u64,
}

/// Ends the live sessions that match, but for the one in `except`, each as ended by an administrator.
///
/// In transactions of a bounded size, as [`end_everyone`]. Which sessions match is asked outside of
/// them, and asked again of each inside: no writer waits while many that do not match are passed,
/// and a session that no longer matches stays. Whatever was there when the last question was put is
/// found: after each way through all of them there is another, from the start, until one ends none, or
/// it has been five times.
///
/// # Errors
/// [`Error::HalfWay`], with the receipt, if the database fails once the act was begun.
pub async fn end_where(
    context: &Context,
    query: SessionQuery,
    except: Option<SessionId>,
    origin: Origin,
) -> Result<Receipt, Error> {
    // Or a session in use would count as idle for want of its latest uses.
    write_touches(context).await?;
    let at = context.now();
    let mut receipt = Receipt {
        id: entropy::new_id(at)?,
        matched: 0,
        ended: 0,
        users: 0,
    };
    let said = format!("query: {query}");
    let matching = Matching { query, at, except };
    let begun = AuditEvent::new(origin, Action::EndWhereBegun).detail(said.clone());
    note(context, begun.receipt(receipt.id), None).await?;
    match end_matching(context, matching, said, origin, &mut receipt).await {
        Ok(()) => Ok(receipt),
        Err(error) => {
            let Receipt { id, ended, .. } = receipt;
            let done = format!("{} The receipt is {id}.", ended_so_far(ended));
            Err(error.after(done, Some(ended), Some(id)))
        }
    }
}

/// Goes through all that match, and notes in the receipt how far it has come.
async fn end_matching(
    context: &Context,
    matching: Matching,
    said: String,
    origin: Origin,
    receipt: &mut Receipt,
) -> Result<(), Error> {
    let mut users = HashSet::new();
    let (mut after, mut ended_any) = (None, false);
    let mut ways = 0;
    loop {
        let store = &context.store;
        let these = store.some_matching(&matching, after, BATCH).await?;
        after = these
            .last()
            .copied()
            .filter(|_| these.len() as u64 == BATCH);
        if !these.is_empty() {
            let (found, ended) = end_these(context, &matching, these, receipt.id, origin).await?;
            receipt.matched += found as u64;
            receipt.ended += ended.len() as u64;
            ended_any |= !ended.is_empty();
            let theirs: Vec<UserId> = ended.into_iter().map(|(_, user)| user).collect();
            void_choices_of(context, theirs.clone()).await?;
            users.extend(theirs);
            receipt.users = users.len() as u64;
        }
        if after.is_none() {
            ways += 1;
            // Who signs in all the time is not chased for ever.
            if !std::mem::take(&mut ended_any) || ways == MOST_WAYS {
                break;
            }
        }
    }
    let detail = format!(
        "{} sessions of {} users; {said}",
        receipt.ended, receipt.users
    );
    let event = AuditEvent::new(origin, Action::EndWhere).detail(detail);
    note(context, event.receipt(receipt.id), Some(matching)).await
}

/// Sign-ins that wait for a choice of a session to end were begun before all these sessions end, and
/// are void with them. Before the sessions are ended, as whoever makes a choice takes them: what they
/// open meanwhile is then found.
async fn void_choices(tx: &mut Transaction, which: &Which) -> Result<(), StoreError> {
    match which {
        Which::User(user) | Which::UserExcept(user, _) => {
            tx.void_session_choices(Some(&[*user])).await
        }
        Which::Everyone | Which::EveryoneExcept(_) => tx.void_session_choices(None).await,
        Which::One(_) | Which::OneOf(..) | Which::Matching(..) => Ok(()),
    }
}

/// As [`void_choices`], once it is known whose sessions matched. In a transaction of its own, since
/// it comes after the sessions; what somebody opens in between is found on the next way if it matches.
async fn void_choices_of(context: &Context, users: Vec<UserId>) -> Result<(), Error> {
    if users.is_empty() {
        return Ok(());
    }
    context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move { Ok::<_, Error>(tx.void_session_choices(Some(&users)).await?) })
        })
        .await
}

/// Those of these sessions that match: how many there are, and which of them this act ended.
async fn end_these(
    context: &Context,
    matching: &Matching,
    these: Vec<SessionId>,
    receipt_id: Uuid,
    origin: Origin,
) -> Result<(usize, Vec<(SessionId, UserId)>), Error> {
    let which = Which::Matching(Box::new(matching.clone()), these);
    context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move {
                let reason = EndReason::EndedByAdmin;
                let by = origin.actor.user_id();
                let (found, ended) = tx.end_some_sessions(which, BATCH, reason, by).await?;
                let events = events(&ended, reason, origin);
                let events = events.into_iter().map(|event| event.receipt(receipt_id));
                tx.audit_all(events.collect()).await?;
                end_opened_from(tx, &ended, origin).await?;
                Ok::<_, Error>((found, ended))
            })
        })
        .await
}

/// Writes down an act; from then on nothing of what matches is answered from memory.
async fn note(context: &Context, event: AuditEvent, forget: Option<Matching>) -> Result<(), Error> {
    context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move {
                if let Some(matching) = forget {
                    tx.forget_matching(&matching);
                }
                Ok::<_, Error>(tx.audit(event).await?)
            })
        })
        .await
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
    end_opened_from(tx, &ended, Origin::SYSTEM).await?;
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
    end_opened_from(tx, &ended, Origin::SYSTEM).await?;
    Ok(true)
}

/// Sessions that were opened as other users from these that have ended end with them.
async fn end_opened_from(
    tx: &mut Transaction,
    ended: &[(SessionId, UserId)],
    origin: Origin,
) -> Result<(), StoreError> {
    if ended.is_empty() {
        return Ok(());
    }
    let these = ended.iter().map(|(session_id, _)| *session_id).collect();
    end_impersonations(tx, Impersonations::FromThese(these), origin).await
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
