//! `portcullis explain`: what a token is, and why it admits or not.
//!
//! Asks the same rules as a request does, one by one, and changes nothing. What a token says of
//! itself is shown even where nothing vouches for it, with a word of warning; its signature never is.

use chrono::{DateTime, Utc};

use crate::cli::failure::Failure;
use crate::cli::output::{harmless, instant, instant_from, line};
use crate::cli::{explain_opaque, input, open};
use crate::rules::access_token::{Audience, Claims, Fault, Parts, split};
use crate::rules::end_reason::EndReason;
use crate::rules::id::{SessionId, UserId};
use crate::rules::session::{self, Ended, Stored, Verdict};
use crate::service::Context;
use crate::service::tokens::verify_access_token;

/// Length of our own opaque secrets: 256 bits in base64url.
const OPAQUE_CHARS: usize = 43;

pub(super) async fn run() -> Result<(), Failure> {
    let token = input::token()?;
    let context = open::context().await?;
    if is_opaque(token.reveal()) {
        explain_opaque::opaque(&context, &token).await
    } else {
        access_token(&context, token.reveal()).await
    }
}

fn is_opaque(token: &str) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    token.len() == OPAQUE_CHARS && token.chars().all(plain)
}

/// Writes one finding. Some is said by a token that nothing vouches for.
pub(super) fn step(name: &str, finding: impl std::fmt::Display) -> Result<(), Failure> {
    let finding = harmless(&finding.to_string());
    line(format!("{:<20} {finding}", format!("{name}:")))
}

/// Writes the verdict.
pub(super) fn conclude(admits: bool, because: impl std::fmt::Display) -> Result<(), Failure> {
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
            Some(at) if at <= now => step(
                "key",
                format!(
                    "good: {kid} was retired at {} and still verifies",
                    instant(at)
                ),
            )?,
            _ if keys.active(now).is_some_and(|active| active.kid == *kid) => {
                step("key", format!("good: {kid} signs now"))?;
            }
            Some(_) | None => step("key", format!("good: {kid} will sign soon"))?,
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
    step("roles when issued", claims.roles.join(", "))?;
    match &claims.act {
        Some(act) => step("acting for the user", who_acts(act.sub, claims.read_only)),
        None => Ok(()),
    }
}

/// An administrator who looks on as the user.
fn who_acts(who: UserId, read_only: Option<bool>) -> String {
    let for_what = match read_only {
        Some(true) => "for looking alone (read_only)",
        Some(false) => "and may change things",
        None => "it does not say whether for looking alone",
    };
    format!("{who}, {for_what}")
}

/// Shows session and user. Returns whether the session admits, and why or why not.
pub(super) async fn show_session(
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
    let facts = match cached.stored() {
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
                    instant_from(at, now),
                    reason.words()
                ),
            )?;
            return Ok((false, has_ended(reason)));
        }
        Stored::Open(facts) => facts,
    };
    let roles: Vec<&str> = facts.person.roles().collect();
    let state = if facts.user_enabled {
        "enabled"
    } else {
        "disabled"
    };
    step("user now", format!("{}, {state}", facts.person.email()))?;
    step("roles now", roles.join(", "))?;
    if let Some(by) = &facts.impersonation {
        step(
            "opened by",
            who_acts(by.impersonator_id, Some(by.read_only)),
        )?;
        step("stated reason", &by.reason)?;
    }
    step("signed in", instant_from(facts.created_at.at(), now))?;
    step("last seen", instant_from(facts.last_seen.at(), now))?;
    step(
        "ends unless used by",
        instant_from(facts.last_seen.at() + facts.idle_timeout(), now),
    )?;
    step(
        "ends at the latest",
        instant_from(facts.expires_at.at(), now),
    )?;
    let auth_time = match auth_time {
        Some(seconds) => DateTime::from_timestamp(seconds, 0).unwrap_or_default(),
        None => facts.auth_time.at(),
    };
    let (live, because) = match session::judge(facts, auth_time, now) {
        Verdict::Live => (true, "its session is live".to_owned()),
        Verdict::PastLimit(reason) => (false, has_ended(reason)),
        Verdict::ImpersonatorGone => (false, has_ended(EndReason::ImpersonatorGone)),
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

fn seconds(seconds: i64, now: DateTime<Utc>) -> String {
    match DateTime::from_timestamp(seconds, 0) {
        Some(at) => instant_from(at, now),
        None => format!("{seconds} is no instant"),
    }
}
