//! Renewing a session's tokens with its refresh token.

use std::net::IpAddr;
use std::sync::Arc;

use uuid::Uuid;

use crate::entropy;
use crate::rules::audit::{Action, Actor, AuditEvent, Origin};
use crate::rules::end_reason::EndReason;
use crate::rules::id::{SessionId, UserId};
use crate::rules::receipt::Receipt;
use crate::rules::refresh::{Presented, Successor, judge};
use crate::rules::session::Stored;
use crate::service::Context;
use crate::service::end_session::end_sessions;
use crate::service::error::{Error, Refusal};
use crate::service::receipts::write_receipts;
use crate::service::sign_in::{SignedIn, Visitor};
use crate::service::throttle::{self, Target};
use crate::service::tokens::{IssuedTokens, issue_with_receipt, successor, token_hash};
use crate::service::touches::write_touches;
use crate::settings::Secret;
use crate::store::refresh_tokens::{NewSuccessor, RefreshTokenRecord, TokenHash};
use crate::store::sessions::Which;
use crate::store::validity_cache::HeldFacts;
use crate::store::{StoreError, Transaction};

/// Longest refresh token that is looked up, in bytes; ours have 43.
const MAX_BYTES: usize = 64;

/// Rotates a refresh token, or hands out its successor once more to whoever lost the answer with
/// it and to another tab.
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
    if found.consumed_at.is_some() {
        // Whether its successor has arrived is about to matter, and may only be known here.
        write_receipts(context).await?;
    }
    let next = successor(context, token.reveal());
    let presented = Token {
        hash: token_hash(token.reveal()),
        successor: token_hash(next.reveal()),
        successor_id: entropy::new_id(context.now())?,
        session_id,
        user_id: facts.user_id,
        ip: visitor.ip,
    };
    let (idle_timeout, user_id) = (facts.idle_timeout(), facts.user_id);
    let outcome = context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move {
                // First, so that an end at the same moment happens wholly before or wholly after.
                if !tx.use_session(session_id, idle_timeout).await? {
                    return Ok(Outcome::NotLive);
                }
                use_token(tx, &presented).await
            })
        })
        .await?;
    let receipt = match outcome {
        Outcome::Given(receipt) => receipt,
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
    };
    let access = issue_with_receipt(context, &facts, receipt, context.now())?;
    Ok(SignedIn {
        facts,
        tokens: IssuedTokens {
            access,
            refresh: next,
        },
    })
}

/// What is known of the token that replaced the presented one; nothing if that was not rotated.
pub fn successor_of(
    presented: &RefreshTokenRecord,
    successor: Option<&RefreshTokenRecord>,
) -> Option<Successor> {
    let rotated_at = presented.consumed_at?;
    Some(Successor {
        given_at: successor.map_or(rotated_at, |successor| successor.given_at),
        arrived: successor.is_none_or(|successor| successor.awaited.is_none()),
        // One that is not there any more was replaced by something.
        rotated: successor.is_none_or(|successor| successor.consumed_at.is_some()),
    })
}

/// A presented token, and who presents it.
struct Token {
    hash: TokenHash,
    successor: TokenHash,
    /// If the successor is made now.
    successor_id: Uuid,
    session_id: SessionId,
    user_id: UserId,
    ip: IpAddr,
}

enum Outcome {
    /// The successor is good, and this will tell that it has arrived, if that is awaited.
    Given(Option<Receipt>),
    NotLive,
    Reused,
}

async fn use_token(tx: &mut Transaction, token: &Token) -> Result<Outcome, StoreError> {
    let Some(presented) = tx.find_refresh_token(&token.hash).await? else {
        return Ok(Outcome::NotLive);
    };
    let successor = tx.find_refresh_token(&token.successor).await?;
    match judge(successor_of(&presented, successor.as_ref()), tx.now) {
        Presented::Rotate => {
            // The session's row is locked by its use above, so nobody else rotates in between.
            let receipt = Receipt::of(token.successor_id);
            if tx.consume_refresh_token(presented.id).await? {
                let new = NewSuccessor {
                    id: token.successor_id,
                    session_id: token.session_id,
                    hash: token.successor,
                    receipt,
                    ip: token.ip.to_string(),
                };
                tx.insert_successor(new).await?;
            }
            Ok(Outcome::Given(Some(receipt)))
        }
        Presented::AnswerLost => {
            if let Some(successor) = &successor {
                tx.give_token_again(successor.id, token.ip.to_string())
                    .await?;
            }
            Ok(Outcome::Given(successor.and_then(|token| token.awaited)))
        }
        Presented::OtherTab => Ok(Outcome::Given(None)),
        Presented::Reused => {
            let latest = tx.find_latest_refresh_token(token.session_id).await?;
            let origin = Origin {
                actor: Actor::Nobody,
                ip: Some(token.ip),
            };
            let event = AuditEvent::new(origin, Action::RefreshReused)
                .subject(token.user_id)
                .session(token.session_id)
                .detail(who_goes_on(latest.as_ref()));
            tx.audit(event).await?;
            let which = Which::One(token.session_id);
            end_sessions(tx, which, EndReason::RefreshReuse, Origin::SYSTEM).await?;
            Ok(Outcome::Reused)
        }
    }
}

/// Where the other one of the two is who have the token: the act itself says who presented it now.
fn who_goes_on(latest: Option<&RefreshTokenRecord>) -> String {
    let Some(latest) = latest else {
        return "the session had been renewed already".to_owned();
    };
    let ip = latest.given_ip.as_deref();
    let ip = ip.unwrap_or("an address that is not known");
    let at = latest.given_at.format("%F %T UTC");
    format!("the session had last been renewed from {ip} at {at}")
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
        Stored::Open(facts) if !facts.is_granted() => Err(Refusal::SessionEnded {
            session_id,
            end: Some((now, EndReason::ImpersonatorGone)),
        }
        .into()),
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
