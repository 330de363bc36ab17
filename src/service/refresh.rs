//! Renewing a session's tokens with its refresh token.

use std::sync::Arc;

use uuid::Uuid;

use crate::entropy;
use crate::rules::audit::{Action, Actor, AuditEvent, Origin};
use crate::rules::end_reason::EndReason;
use crate::rules::id::{SessionId, UserId};
use crate::rules::refresh::{Presented, judge};
use crate::rules::session::Stored;
use crate::service::Context;
use crate::service::end_session::end_sessions;
use crate::service::error::{Error, Refusal};
use crate::service::sign_in::{SignedIn, Visitor};
use crate::service::throttle::{self, Target};
use crate::service::tokens::{IssuedTokens, issue_access_token, successor, token_hash};
use crate::service::touches::write_touches;
use crate::settings::Secret;
use crate::store::refresh_tokens::TokenHash;
use crate::store::sessions::Which;
use crate::store::validity_cache::HeldFacts;
use crate::store::{StoreError, Transaction};

/// Longest refresh token that is looked up, in bytes; ours have 43.
const MAX_BYTES: usize = 64;

/// Rotates a refresh token.
///
/// # Errors
/// [`Error::Refused`] if nobody issued it, its session has ended, or it was used again as by a
/// thief, which ends the session; [`Error::Throttled`] for somebody who keeps guessing.
pub async fn refresh(
    context: &Context,
    token: &Secret,
    visitor: &Visitor,
) -> Result<SignedIn, Error> {
    let found = if token.reveal().len() > MAX_BYTES {
        None
    } else {
        context
            .store
            .find_refresh_token(&token_hash(token.reveal()))
            .await?
    };
    let Some(found) = found else {
        throttle::begin(context, Target::refresh(context, visitor.ip)).await?;
        return Err(Refusal::UnknownRefreshToken.into());
    };
    let session_id = found.session_id;
    let facts = live_facts(context, session_id).await?;
    let next = successor(context, token.reveal());
    let links = Links {
        presented: token_hash(token.reveal()),
        successor: token_hash(next.reveal()),
        successor_id: entropy::new_id(context.now())?,
    };
    let (idle_timeout, user_id, ip) = (facts.idle_timeout(), facts.user_id, visitor.ip);
    let outcome = context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move {
                // First, so that an end at the same moment happens wholly before or wholly after.
                if !tx.use_session(session_id, idle_timeout).await? {
                    return Ok(Outcome::NotLive);
                }
                rotate(tx, session_id, user_id, ip, &links).await
            })
        })
        .await?;
    match outcome {
        Outcome::Rotated => {}
        Outcome::NotLive => {
            context.store.cache().forget(session_id);
            live_facts(context, session_id).await?;
            return Err(Refusal::SessionEnded {
                session_id,
                end: None,
            }
            .into());
        }
        Outcome::Reused => {
            tracing::warn!(%session_id, %user_id, "a refresh token was used twice; the session was ended");
            let end = Some((context.now(), EndReason::RefreshReuse));
            return Err(Refusal::SessionEnded { session_id, end }.into());
        }
    }
    let access = issue_access_token(context, &facts, context.now())?;
    Ok(SignedIn {
        facts,
        tokens: IssuedTokens {
            access,
            refresh: next,
        },
    })
}

struct Links {
    presented: TokenHash,
    successor: TokenHash,
    successor_id: Uuid,
}

enum Outcome {
    Rotated,
    NotLive,
    Reused,
}

async fn rotate(
    tx: &mut Transaction,
    session_id: SessionId,
    user_id: UserId,
    ip: std::net::IpAddr,
    links: &Links,
) -> Result<Outcome, StoreError> {
    let Some(presented) = tx.find_refresh_token(&links.presented).await? else {
        return Ok(Outcome::NotLive);
    };
    let successor = tx.find_refresh_token(&links.successor).await?;
    let successor_consumed = successor.is_some_and(|s| s.consumed_at.is_some());
    match judge(presented.consumed_at, successor_consumed, tx.now) {
        Presented::Rotate => {
            // The session's row is locked by its use above, so nobody else rotates in between.
            if tx.consume_refresh_token(presented.id).await? {
                tx.insert_refresh_token(links.successor_id, session_id, &links.successor)
                    .await?;
            }
            Ok(Outcome::Rotated)
        }
        Presented::SameSuccessor => Ok(Outcome::Rotated),
        Presented::Reused => {
            let origin = Origin {
                actor: Actor::Nobody,
                ip: Some(ip),
            };
            let event = AuditEvent::new(origin, Action::RefreshReused)
                .subject(user_id)
                .session(session_id);
            tx.audit(event).await?;
            let which = Which::One(session_id);
            end_sessions(tx, which, EndReason::RefreshReuse, Origin::SYSTEM).await?;
            Ok(Outcome::Reused)
        }
    }
}

/// The facts of a session that is not known to have ended. Its limits are judged by the table.
async fn live_facts(context: &Context, session_id: SessionId) -> Result<Arc<HeldFacts>, Error> {
    let now = context.now();
    let gone = || {
        Error::from(Refusal::SessionEnded {
            session_id,
            end: None,
        })
    };
    let find = async || context.store.find_session(session_id, now).await;
    let mut record = find().await?.ok_or_else(gone)?;
    if record
        .ended
        .is_some_and(|ended| ended.reason == EndReason::Idle)
    {
        // The table may not have been told of the latest uses yet.
        write_touches(context).await?;
        record = find().await?.ok_or_else(gone)?;
    }
    if let Some(ended) = record.ended {
        let end = Some((ended.at, ended.reason));
        return Err(Refusal::SessionEnded { session_id, end }.into());
    }
    let cached = context
        .store
        .session_facts(session_id, record.user_id, now)
        .await?;
    match cached.stored() {
        Stored::Open(facts) if facts.user_enabled => Ok(Arc::clone(facts)),
        Stored::Open(_) => Err(Refusal::UserDisabled { session_id }.into()),
        Stored::UserGone => Err(Refusal::UserGone {
            session_id,
            user_id: record.user_id,
        }
        .into()),
        Stored::Ended(ended) => Err(Refusal::SessionEnded {
            session_id,
            end: Some((ended.at, ended.reason)),
        }
        .into()),
        Stored::SessionGone => Err(gone()),
    }
}
