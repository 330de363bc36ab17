//! Signing in: a session row first, then tokens.

use std::net::IpAddr;
use std::sync::Arc;

use crate::rules::audit::{Action, Actor, AuditEvent, Origin};
use crate::rules::email::Email;
use crate::rules::id::SessionId;
use crate::rules::password::PasswordFault;
use crate::service::Context;
use crate::service::error::Error;
use crate::service::open_session::{NoRoom, Opening};
use crate::service::passwords::{Comparison, cost_of, is_too_long};
use crate::service::throttle::{self, Target, account_name};
use crate::service::tokens::IssuedTokens;
use crate::settings::Secret;
use crate::store::Transaction;
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
/// [`Error::NoRoom`] if the password is right and no more sessions are allowed;
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
    let user_id = credentials.user_id;
    let opening = Opening::new(
        context,
        user_id,
        PASSWORD,
        request.remember,
        request.replaces,
        visitor,
    )
    .await?;
    let act = opening.clone();
    let outcome = context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move {
                if !still_valid(tx, &credentials).await? {
                    return Ok::<_, Error>(Outcome::NotUsable);
                }
                attempt.succeed(tx).await?;
                if let Comparison::SameButOutdated(new) = compared {
                    let before = credentials.password_hash.as_deref();
                    tx.set_password_hash(user_id, before, &new.hash, &new.pepper_id, false)
                        .await?;
                }
                Ok(match act.open(tx).await? {
                    None => Outcome::Opened,
                    Some(no_room) => Outcome::NoRoom(Box::new(no_room)),
                })
            })
        })
        .await?;
    match outcome {
        Outcome::Opened => opening.finish(context).await,
        Outcome::NoRoom(no_room) => Err(Error::NoRoom(no_room)),
        Outcome::NotUsable => Err(failed(context, user, visitor, "account-not-usable").await?),
    }
}

enum Outcome {
    Opened,
    NoRoom(Box<NoRoom>),
    NotUsable,
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
