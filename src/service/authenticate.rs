//! Who is this? Asked on every request; from memory in all but the first.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use crate::rules::access_token::{Fault, session_id_hint};
use crate::rules::audit::Origin;
use crate::rules::end_reason::EndReason;
use crate::rules::session::{Ended, Stored, Verdict, judge};
use crate::service::Context;
use crate::service::end_session::{end_one_past_limit, end_sessions};
use crate::service::error::Refusal;
use crate::service::key_ring::KeyRingError;
use crate::service::tokens::{Verified, verify_access_token};
use crate::service::touches::{Touches, write_touches};
use crate::store::StoreError;
use crate::store::sessions::Which;
use crate::store::validity_cache::{CachedSession, HeldFacts, VerifiedToken};

/// Keys are read again for a token with an unknown key, but not more often than this, so that
/// invented keys cannot keep the database busy.
const UNKNOWN_KEY_PAUSE: TimeDelta = TimeDelta::seconds(2);

/// The outcome; "the store does not answer" is the error beside it. Never merged.
#[derive(Clone, Debug)]
pub enum Authentication {
    /// No credential was presented.
    NotPresented,
    /// One was, and it does not admit.
    Refused(Refusal),
    /// One was, and it admits.
    SignedIn(Principal),
}

/// Somebody signed in, by a live session.
#[derive(Clone, Debug)]
pub struct Principal {
    /// The facts of the session and its user.
    pub facts: Arc<HeldFacts>,
    /// The access token that was presented, or was handed out meanwhile, is refused from then on.
    pub token_expires_at: DateTime<Utc>,
}

/// Authenticates an access token.
pub async fn authenticate(context: &Context, token: &str) -> Result<Authentication, StoreError> {
    let now = context.now();
    let cache = context.store.cache();
    context.measures.count_check();
    let known = match session_id_hint(token) {
        Some(seems_for) => cache.find_verified(seems_for, token, now).await,
        None => None,
    };
    let (verified, cached) = match known {
        Some((verified, cached)) => (verified, cached),
        None => {
            let generation = cache.generation();
            let Verified {
                token: verified,
                receipt,
            } = match verify(context, token, now).await? {
                Ok(verified) => verified,
                Err(fault) => return Ok(Authentication::Refused(Refusal::Token(fault))),
            };
            if let Some(receipt) = receipt {
                context.receipts.note(verified.session_id, receipt);
            }
            let cached = load(context, verified, now).await?;
            cache.remember_token(&cached, token, verified, generation);
            (verified, Some(cached))
        }
    };
    if now >= verified.expires_at {
        return Ok(Authentication::Refused(Refusal::Token(Fault::Expired)));
    }
    let cached = match cached {
        Some(cached) => cached,
        None => load(context, verified, now).await?,
    };
    match settle(context, verified, cached, now).await? {
        Settled::Outcome(outcome) => Ok(outcome),
        Settled::FactsAreOld => {
            let fresh = context
                .store
                .fresh_session_facts(verified.session_id, verified.user_id, now)
                .await?;
            match settle(context, verified, fresh, now).await? {
                Settled::Outcome(outcome) => Ok(outcome),
                // A token that is younger than the table: the table went back in time, as when a
                // backup was restored. What it says counts.
                Settled::FactsAreOld => {
                    Ok(Authentication::Refused(Refusal::Token(Fault::Superseded)))
                }
            }
        }
    }
}

/// Authenticates a principal once more, later in the same request: by the facts of now.
pub async fn authenticate_again(
    context: &Context,
    principal: &Principal,
) -> Result<Authentication, StoreError> {
    let (now, facts) = (context.now(), &principal.facts);
    let before = VerifiedToken {
        session_id: facts.session_id,
        user_id: facts.user_id,
        expires_at: principal.token_expires_at,
        auth_time: facts.auth_time.at(),
    };
    let cached = load(context, before, now).await?;
    match settle(context, before, cached, now).await? {
        Settled::Outcome(outcome) => Ok(outcome),
        Settled::FactsAreOld => Ok(Authentication::Refused(Refusal::Token(Fault::Superseded))),
    }
}

async fn load(
    context: &Context,
    verified: VerifiedToken,
    now: DateTime<Utc>,
) -> Result<CachedSession, StoreError> {
    context
        .store
        .session_facts(verified.session_id, verified.user_id, now)
        .await
}

enum Settled {
    Outcome(Authentication),
    FactsAreOld,
}

async fn settle(
    context: &Context,
    verified: VerifiedToken,
    cached: CachedSession,
    now: DateTime<Utc>,
) -> Result<Settled, StoreError> {
    let session_id = verified.session_id;
    let facts = match cached.stored() {
        Stored::Open(facts) if facts.user_id == verified.user_id => facts,
        Stored::Open(_) | Stored::SessionGone => {
            return Ok(refused(Refusal::SessionEnded {
                session_id,
                end: None,
            }));
        }
        Stored::UserGone => {
            let user_id = verified.user_id;
            tracing::warn!(%user_id, %session_id, "the user of a session does not exist any more");
            return Ok(refused(Refusal::UserGone {
                session_id,
                user_id,
            }));
        }
        Stored::Ended(ended) => return Ok(refused(refusal_of(verified, ended))),
    };
    let reason = match judge(facts, verified.auth_time, now) {
        Verdict::Live => {
            if facts
                .last_seen
                .note(now, Touches::step(facts.idle_timeout()))
            {
                context.touches.note(facts, now);
            }
            let principal = Principal {
                facts: Arc::clone(facts),
                token_expires_at: verified.expires_at,
            };
            return Ok(Settled::Outcome(Authentication::SignedIn(principal)));
        }
        Verdict::Superseded => return Ok(refused(Refusal::Token(Fault::Superseded))),
        Verdict::FactsAreOld => return Ok(Settled::FactsAreOld),
        Verdict::UserDisabled => EndReason::UserDisabled,
        Verdict::ImpersonatorGone => EndReason::ImpersonatorGone,
        Verdict::PastLimit(reason) => reason,
    };
    write_down(context, verified, reason, now).await
}

/// Writes down that a session has ended because of what was found, unless the table knows better:
/// another process may have seen it used since.
async fn write_down(
    context: &Context,
    verified: VerifiedToken,
    reason: EndReason,
    now: DateTime<Utc>,
) -> Result<Settled, StoreError> {
    let session_id = verified.session_id;
    if reason == EndReason::Idle {
        // Or the table would decide without the uses that are still to be written.
        write_touches(context).await?;
    }
    let ended = context
        .store
        .write(now, move |tx| {
            Box::pin(async move {
                if reason == EndReason::ImpersonatorGone {
                    // Whatever has become of it since: once is enough.
                    let which = Which::One(session_id);
                    let ended = end_sessions(tx, which, reason, Origin::SYSTEM).await?;
                    return Ok(!ended.is_empty());
                }
                if reason == EndReason::UserDisabled {
                    let user = tx.lock_user(verified.user_id).await?;
                    if user.is_some_and(|user| user.enabled) {
                        // Enabled again by somebody else since.
                        return Ok(false);
                    }
                    let which = Which::One(session_id);
                    return Ok(!end_sessions(tx, which, reason, Origin::SYSTEM)
                        .await?
                        .is_empty());
                }
                end_one_past_limit(tx, session_id, reason).await
            })
        })
        .await?;
    if ended {
        return Ok(refused(refusal_of(verified, Ended { at: now, reason })));
    }
    // Nothing matched, so the facts were out of date.
    Ok(Settled::FactsAreOld)
}

async fn verify(
    context: &Context,
    token: &str,
    now: DateTime<Utc>,
) -> Result<Result<Verified, Fault>, StoreError> {
    let mut verified = verify_access_token(context, token, now);
    if verified == Err(Fault::UnknownKey) {
        match context.refresh_keys(UNKNOWN_KEY_PAUSE).await {
            Ok(()) => verified = verify_access_token(context, token, now),
            // It may be one that another process made since: not knowing is not refusing.
            Err(KeyRingError::Store(error)) => return Err(error),
            Err(error) => tracing::error!(%error, "cannot read the keys"),
        }
    }
    Ok(verified)
}

fn refused(refusal: Refusal) -> Settled {
    Settled::Outcome(Authentication::Refused(refusal))
}

fn refusal_of(verified: VerifiedToken, ended: Ended) -> Refusal {
    let session_id = verified.session_id;
    if ended.reason == EndReason::UserDisabled {
        return Refusal::UserDisabled { session_id };
    }
    if ended.reason == EndReason::UserDeleted {
        let user_id = verified.user_id;
        return Refusal::UserGone {
            session_id,
            user_id,
        };
    }
    Refusal::SessionEnded {
        session_id,
        end: Some((ended.at, ended.reason)),
    }
}
