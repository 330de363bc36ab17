//! `portcullis explain`: what a token is, and why it admits or not.
//!
//! Asks the same rules as a request does, one by one, and changes nothing. What a token says of
//! itself is shown even where nothing vouches for it, with a word of warning; its signature never is.

use chrono::{DateTime, Utc};

use crate::cli::failure::Failure;
use crate::cli::output::{instant, instant_from, line};
use crate::cli::{input, open};
use crate::rules::access_token::{Audience, Claims, Fault, Parts, split};
use crate::rules::end_reason::EndReason;
use crate::rules::id::{SessionId, UserId};
use crate::rules::refresh::{GRACE, Presented, judge};
use crate::rules::session::{self, Ended, Stored, Verdict};
use crate::service::Context;
use crate::service::tokens::{successor, token_hash, verify_access_token};
use crate::settings::Secret;
use crate::store::verification_tokens::Purpose;

/// Length of our own opaque secrets: 256 bits in base64url.
const OPAQUE_CHARS: usize = 43;

pub(super) async fn run() -> Result<(), Failure> {
    let token = input::token()?;
    let context = open::context().await?;
    if is_opaque(token.reveal()) {
        opaque(&context, &token).await
    } else {
        access_token(&context, token.reveal()).await
    }
}

fn is_opaque(token: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    token.len() == OPAQUE_CHARS && token.chars().all(plain)
}

fn step(name: &str, finding: impl std::fmt::Display) -> Result<(), Failure> {
    line(format!("{:<20} {finding}", format!("{name}:")))
}

fn conclude(admits: bool, because: impl std::fmt::Display) -> Result<(), Failure> {
    let verdict = if admits { "admits" } else { "does not admit" };
    step("so it", format!("{verdict}: {because}"))
}

async fn access_token(context: &Context, token: &str) -> Result<(), Failure> {
    let now = context.now();
    let parts = match split(token) {
        Ok(parts) => parts,
        Err(fault) => {
            step(
                "kind",
                "no access token of this server, nor a refresh token",
            )?;
            step("form", format!("wrong: {fault}"))?;
            return conclude(false, fault);
        }
    };
    step("kind", "an access token")?;
    step("form", "good")?;
    let verified = verify_access_token(context, token, now);
    let proven = show_key_and_signature(context, &parts, &verified.map(drop), now)?;
    let Ok(claims) = parts.claims() else {
        step("claims", "one is missing, of the wrong type or unknown")?;
        return conclude(false, Fault::Malformed);
    };
    if !proven {
        line("Nothing vouches for what follows: it is only what the token says of itself.")?;
    }
    show_claims(context, &claims, now)?;
    let (live, because) =
        show_session(context, claims.sid, claims.sub, Some(claims.auth_time), now).await?;
    match verified {
        Ok(_) => conclude(live, because),
        Err(fault) => conclude(false, fault),
    }
}

/// Returns whether the token was proven to be ours. The faults come in the order of the checks, so
/// the one that was found tells which checks went well before it.
fn show_key_and_signature(
    context: &Context,
    parts: &Parts,
    verified: &Result<(), Fault>,
    now: DateTime<Utc>,
) -> Result<bool, Failure> {
    let kid = &parts.header.kid;
    let keys = context.keys();
    match keys.verifying(kid, context.settings.access_token, now) {
        None => {
            step(
                "key",
                format!("{kid} is unknown here, or was retired long ago"),
            )?;
            step("signature", "cannot be checked without its key")?;
            return Ok(false);
        }
        Some(key) => match key.retired_at {
            None => step("key", format!("good: {kid} signs now"))?,
            Some(at) => step(
                "key",
                format!(
                    "good: {kid} was retired at {} and still verifies",
                    instant(at)
                ),
            )?,
        },
    }
    match verified {
        Err(Fault::WrongKind) => step(
            "signature",
            format!("wrong: this key does not sign by {}", parts.header.alg),
        )?,
        Err(Fault::BadSignature | Fault::UnknownKey | Fault::TooLong) => {
            step("signature", "wrong: this key did not sign this text")?;
        }
        Ok(())
        | Err(
            Fault::Malformed
            | Fault::WrongIssuerOrAudience
            | Fault::NotYetValid
            | Fault::Expired
            | Fault::Superseded,
        ) => {
            step("signature", "good")?;
            return Ok(true);
        }
    }
    Ok(false)
}

fn show_claims(context: &Context, claims: &Claims, now: DateTime<Utc>) -> Result<(), Failure> {
    let us = context.settings.public_url.as_str();
    let ours = Audience::One(us.to_owned());
    let to_us = Claims {
        aud: ours.clone(),
        ..claims.clone()
    };
    let from_us = Claims {
        iss: us.to_owned(),
        ..claims.clone()
    };
    let between_us = Claims {
        aud: ours,
        ..from_us.clone()
    };
    let wrong = |claims: &Claims| claims.judge(us, now) == Err(Fault::WrongIssuerOrAudience);
    let compared = |wrong: bool, said: &str| match wrong {
        true => format!("wrong: {said}, this server is {us}"),
        false => format!("good: {said}"),
    };
    let audience = match &claims.aud {
        Audience::One(one) => one.clone(),
        Audience::Several(several) => several.join(", "),
    };
    step("issuer", compared(wrong(&to_us), &claims.iss))?;
    step("audience", compared(wrong(&from_us), &audience))?;
    step("issued", seconds(claims.iat, now))?;
    step("identity proven", seconds(claims.auth_time, now))?;
    step("valid from", seconds(claims.nbf, now))?;
    step("expires", seconds(claims.exp, now))?;
    match between_us.judge(us, now) {
        Ok(()) => step("times", "good")?,
        Err(fault) => step("times", format!("wrong: {fault}"))?,
    }
    step("token id", claims.jti)?;
    step("roles when issued", claims.roles.join(", "))
}

/// Returns whether the session admits, and why or why not.
async fn show_session(
    context: &Context,
    session_id: SessionId,
    user_id: UserId,
    auth_time: Option<i64>,
    now: DateTime<Utc>,
) -> Result<(bool, String), Failure> {
    let cached = context
        .store
        .session_facts(session_id, user_id, now)
        .await?;
    step("session", session_id)?;
    step("user", user_id)?;
    let facts = match &cached.stored {
        Stored::UserGone => {
            step("user now", "does not exist any more")?;
            return Ok((
                false,
                "its user does not exist any more (user-gone)".to_owned(),
            ));
        }
        Stored::SessionGone => {
            step("session now", "does not exist, or is another user's")?;
            return Ok((
                false,
                "there is no such session of this user (session-ended)".to_owned(),
            ));
        }
        Stored::Ended(Ended { at, reason }) => {
            step(
                "session now",
                format!(
                    "ended at {} because {}",
                    instant_from(*at, now),
                    reason.words()
                ),
            )?;
            return Ok((false, has_ended(*reason)));
        }
        Stored::Open(facts) => facts,
    };
    let roles: Vec<&str> = facts.roles.iter().map(|role| role.as_str()).collect();
    let state = if facts.user_enabled {
        "enabled"
    } else {
        "disabled"
    };
    step("user now", format!("{}, {state}", facts.email))?;
    step("roles now", roles.join(", "))?;
    step("signed in", instant_from(facts.created_at, now))?;
    step("last seen", instant_from(facts.last_seen_at, now))?;
    step(
        "ends unless used by",
        instant_from(facts.last_seen_at + facts.idle_timeout, now),
    )?;
    step("ends at the latest", instant_from(facts.expires_at, now))?;
    let auth_time = match auth_time {
        Some(seconds) => DateTime::from_timestamp(seconds, 0).unwrap_or_default(),
        None => facts.auth_time,
    };
    let (live, because) = match session::judge(facts, facts.last_seen_at, auth_time, now) {
        Verdict::Live => (true, "its session is live".to_owned()),
        Verdict::Ended(ended) => (false, has_ended(ended.reason)),
        Verdict::PastLimit(reason) => (false, has_ended(reason)),
        Verdict::UserDisabled => (false, "its user is disabled (user-disabled)".to_owned()),
        Verdict::Superseded => (false, Fault::Superseded.to_string()),
        Verdict::FactsAreOld => (
            false,
            "it claims a later proof of identity than its session has".to_owned(),
        ),
    };
    step(
        "session now",
        if live { "live" } else { "not for this token" },
    )?;
    Ok((live, because))
}

/// With the code that a request is refused with.
fn has_ended(reason: EndReason) -> String {
    let code = if reason == EndReason::UserDisabled {
        "user-disabled"
    } else if reason == EndReason::UserDeleted {
        "user-gone"
    } else {
        "session-ended"
    };
    format!("its session has ended ({code}, reason {reason})")
}

async fn opaque(context: &Context, token: &Secret) -> Result<(), Failure> {
    let now = context.now();
    let hash = token_hash(token.reveal());
    let Some(found) = context.store.find_refresh_token(&hash).await? else {
        for (purpose, kind) in [
            (
                Purpose::Invitation,
                "the one-time code of an invitation link",
            ),
            (
                Purpose::SetUp,
                "the one-time code for making the first administrator",
            ),
        ] {
            if let Some(user_id) = context
                .store
                .find_verification_token(purpose, &hash, now)
                .await?
            {
                step("kind", kind)?;
                user_id.map_or(Ok(()), |user_id| step("user", user_id))?;
                return step(
                    "so it",
                    "is good: it was not used or replaced and has not expired",
                );
            }
        }
        step("kind", "has the form of a refresh token or one-time code")?;
        return conclude(
            false,
            "this server issued none like it, or has forgotten it",
        );
    };
    step("kind", "a refresh token")?;
    let next = context
        .store
        .find_refresh_token(&token_hash(successor(context, token.reveal()).reveal()))
        .await?;
    let presented = judge(
        found.consumed_at,
        next.is_some_and(|next| next.consumed_at.is_some()),
        now,
    );
    let rotated = found
        .consumed_at
        .map_or_else(|| "never".to_owned(), |at| instant_from(at, now));
    step("rotated", rotated)?;
    let record = context.store.find_session(found.session_id, now).await?;
    let Some(record) = record else {
        return conclude(false, "its session does not exist any more");
    };
    let (live, because) = show_session(context, record.id, record.user_id, None, now).await?;
    if !live {
        return conclude(false, because);
    }
    match presented {
        Presented::Rotate => conclude(true, "its next use rotates it"),
        Presented::SameSuccessor => {
            let seconds = GRACE.num_seconds();
            conclude(
                true,
                format!(
                    "within {seconds} seconds of its rotation it gets the same successor again"
                ),
            )
        }
        Presented::Reused => conclude(
            false,
            "it was rotated; using it again ends its session (refresh-reuse)",
        ),
    }
}

fn seconds(seconds: i64, now: DateTime<Utc>) -> String {
    match DateTime::from_timestamp(seconds, 0) {
        Some(at) => instant_from(at, now),
        None => format!("{seconds} is no instant"),
    }
}
