//! Signing in: a session row first, then tokens.

use std::net::IpAddr;
use std::sync::Arc;

use crate::entropy;
use crate::rules::audit::{Action, Actor, AuditEvent, Origin};
use crate::rules::email::Email;
use crate::rules::end_reason::EndReason;
use crate::rules::id::SessionId;
use crate::rules::password::PasswordFault;
use crate::rules::session::Stored;
use crate::rules::user_agent;
use crate::service::Context;
use crate::service::end_session::end_sessions;
use crate::service::error::{Error, Refusal};
use crate::service::passwords::{Comparison, cost_of, is_too_long};
use crate::service::throttle::{self, Target, account_name};
use crate::service::tokens::{IssuedTokens, issue_access_token, new_refresh_token, token_hash};
use crate::settings::Secret;
use crate::store::Transaction;
use crate::store::sessions::{NewSession, Which};
use crate::store::users::Credentials;
use crate::store::validity_cache::HeldFacts;

/// Method of proof (RFC 8176).
const PASSWORD: &str = "pwd";

/// Who is at the other end, as far as can be seen.
#[derive(Clone, Debug)]
pub struct Visitor {
    /// Client address.
    pub ip: IpAddr,
    /// `User-Agent`, as sent.
    pub user_agent: String,
}

/// A sign-in by password.
#[derive(Clone, Debug)]
pub struct SignIn {
    /// The address, as typed.
    pub email: String,
    /// The password, as typed.
    pub password: Secret,
    /// Stay signed in?
    pub remember: bool,
    /// The session this very browser was in, which the new one replaces.
    pub replaces: Option<SessionId>,
}

/// Somebody has signed in, refreshed or proven who they are.
#[derive(Clone, Debug)]
pub struct SignedIn {
    /// The session and its user.
    pub facts: Arc<HeldFacts>,
    /// What admits to it from now on.
    pub tokens: IssuedTokens,
}

/// Signs in.
///
/// # Errors
/// [`Error::InvalidCredentials`] alike for an unknown address, a wrong password, an account
/// without one and a disabled account, after the same time; [`Error::Throttled`],
/// [`Error::Busy`], [`Error::Unavailable`]; [`Error::Password`] for one that is too long to be any;
/// [`Error::Refused`] if somebody ended the new session at once.
pub async fn sign_in(
    context: &Context,
    request: SignIn,
    visitor: &Visitor,
) -> Result<SignedIn, Error> {
    if is_too_long(request.password.reveal()) {
        let chars = request.password.reveal().chars().count();
        return Err(Error::Password(PasswordFault::TooLong { chars }));
    }
    let credentials = match Email::new(&request.email) {
        Ok(email) => context.store.find_credentials(&email).await?,
        Err(_) => None,
    };
    let user = credentials.as_ref().map(|c| c.user_id);
    let known = throttle::address_is_known(context, user, visitor.ip).await?;
    let target = Target::account(context, &account_name(&request.email), visitor.ip, known);
    let attempt = throttle::begin(context, target).await?;
    let kept = credentials.as_ref().and_then(kept_hash);
    let keys = context.keys();
    let compared = match context
        .passwords
        .compare(&keys, &request.password, kept)
        .await
    {
        Ok(compared) => compared,
        Err(error) => {
            // It was never looked at, so it is no failure.
            context
                .store
                .write(context.now(), move |tx| {
                    Box::pin(async move { Ok::<_, Error>(attempt.take_back(tx).await?) })
                })
                .await?;
            return Err(error);
        }
    };
    let (Some(credentials), false) = (credentials, compared == Comparison::Different) else {
        return Err(failed(context, user, visitor, "wrong-password").await?);
    };
    let refresh = new_refresh_token()?;
    let now = context.now();
    let new = NewSession {
        id: SessionId(entropy::new_id(now)?),
        user_id: credentials.user_id,
        remembered: request.remember,
        lifetimes: context.settings.lifetimes(request.remember),
        amr: PASSWORD,
        device: user_agent::device(&visitor.user_agent),
        ip: visitor.ip.to_string(),
    };
    let (session_id, user_id) = (new.id, new.user_id);
    let hash = token_hash(refresh.reveal());
    let refresh_id = entropy::new_id(now)?;
    let origin = Origin {
        actor: Actor::User(user_id),
        ip: Some(visitor.ip),
    };
    let opened = context
        .store
        .write(now, move |tx| {
            Box::pin(async move {
                if !still_valid(tx, &credentials).await? {
                    return Ok::<_, Error>(false);
                }
                attempt.succeed(tx).await?;
                if let Comparison::SameButOutdated(new) = compared {
                    let before = credentials.password_hash.as_deref();
                    tx.set_password_hash(user_id, before, &new.hash, &new.pepper_id, false)
                        .await?;
                }
                tx.insert_session(new).await?;
                tx.insert_refresh_token(refresh_id, session_id, &hash)
                    .await?;
                if let Some(previous) = request.replaces {
                    end_sessions(tx, Which::One(previous), EndReason::SignedInAgain, origin)
                        .await?;
                }
                let event = AuditEvent::new(origin, Action::SignedIn)
                    .subject(user_id)
                    .session(session_id)
                    .reason(PASSWORD);
                tx.audit(event).await?;
                Ok(true)
            })
        })
        .await?;
    if !opened {
        return Err(failed(context, user, visitor, "account-not-usable").await?);
    }
    let cached = context
        .store
        .session_facts(session_id, user_id, now)
        .await?;
    let facts = match cached.stored() {
        Stored::Open(facts) => facts,
        // Somebody has ended it meanwhile, which says nothing against address and password.
        Stored::Ended(ended) if ended.reason != EndReason::UserDisabled => {
            let end = Some((ended.at, ended.reason));
            return Err(Refusal::SessionEnded { session_id, end }.into());
        }
        Stored::Ended(_) | Stored::SessionGone | Stored::UserGone => {
            return Err(Error::InvalidCredentials);
        }
    };
    let access = issue_access_token(context, facts, now)?;
    let facts = Arc::clone(facts);
    Ok(SignedIn {
        facts,
        tokens: IssuedTokens { access, refresh },
    })
}

/// The account may be used, and its password is still the one that was compared.
pub(super) async fn still_valid(
    tx: &mut Transaction,
    compared: &Credentials,
) -> Result<bool, Error> {
    let current = tx.lock_user(compared.user_id).await?;
    Ok(current.is_some_and(|current| current.enabled && is_same_password(compared, &current)))
}

/// Whoever signs in at the same moment may have kept the same password anew, with another cost or
/// pepper.
fn is_same_password(compared: &Credentials, current: &Credentials) -> bool {
    let cost = |credentials: &Credentials| credentials.password_hash.as_deref().map(cost_of);
    let kept_anew = current.password_hash.is_some()
        && current.password_changed_at == compared.password_changed_at
        && (current.pepper_id != compared.pepper_id || cost(current) != cost(compared));
    current.password_hash == compared.password_hash || kept_anew
}

pub(super) fn kept_hash(credentials: &Credentials) -> Option<(&str, &str)> {
    credentials
        .password_hash
        .as_deref()
        .zip(credentials.pepper_id.as_deref())
}

async fn failed(
    context: &Context,
    user: Option<crate::rules::id::UserId>,
    visitor: &Visitor,
    reason: &'static str,
) -> Result<Error, Error> {
    let origin = Origin {
        actor: Actor::Nobody,
        ip: Some(visitor.ip),
    };
    let mut event = AuditEvent::new(origin, Action::SignInFailed);
    event = match user {
        Some(user) => event.subject(user).reason(reason),
        None => event.reason("unknown-user"),
    };
    context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move { Ok::<_, Error>(tx.audit(event).await?) })
        })
        .await?;
    Ok(Error::InvalidCredentials)
}
