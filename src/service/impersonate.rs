//! Looking on as another user: an administrator with the right opens a session as them, for a
//! stated reason and a short while, and is done with it.

use std::sync::Arc;

use crate::entropy;
use crate::rules::audit::{Action, Actor, AuditEvent, Origin};
use crate::rules::end_reason::EndReason;
use crate::rules::id::{SessionId, UserId};
use crate::rules::impersonation::{self, Impersonation, LIFETIME, Objection, Target};
use crate::rules::role::has;
use crate::rules::session::{Facts, Stored};
use crate::rules::user_agent;
use crate::service::Context;
use crate::service::authenticate::Principal;
use crate::service::end_session::end;
use crate::service::error::{Error, Refusal};
use crate::service::refresh::refresh;
use crate::service::sign_in::{SignedIn, Visitor};
use crate::service::tokens::{IssuedTokens, issue_access_token, new_refresh_token, token_hash};
use crate::service::users::get_user;
use crate::settings::{Lifetimes, Secret};
use crate::store::sessions::{NewImpersonation, NewSession, Which};
use crate::store::{StoreError, Transaction};

/// What an administrator wants.
#[derive(Clone, Debug)]
pub struct Opening {
    /// As whom.
    pub user_id: UserId,
    /// Why, as typed.
    pub reason: String,
    /// For looking alone?
    pub read_only: bool,
}

/// Opens a session as another user. It lives for [`LIFETIME`] at most, and no longer than the
/// administrator's own session would without being used.
///
/// # Errors
/// [`Error::Invalid`] without a reason; [`Error::Conflict`] for somebody as whom nobody may look
/// on, or without the right; [`Error::NotFound`]; [`Error::Refused`] if the administrator's own
/// session, or the new one, has ended meanwhile.
pub async fn open(
    context: &Context,
    by: &Principal,
    opening: Opening,
    visitor: &Visitor,
) -> Result<SignedIn, Error> {
    let reason = impersonation::reason(&opening.reason).map_err(|error| Error::Invalid {
        field: "reason",
        problem: error.to_string(),
    })?;
    let (own, user_id, read_only) = (Arc::clone(&by.facts), opening.user_id, opening.read_only);
    // Before anything is held: two administrators who name each other must not wait for each other.
    let user = get_user(context, user_id).await?;
    let target = Target {
        user_id,
        enabled: user.disabled_at.is_none(),
        roles: &user.roles,
    };
    impersonation::judge(own.user_id, |role| own.has_role(role), target).map_err(objection)?;
    let now = context.now();
    let refresh = new_refresh_token()?;
    let (hash, refresh_id) = (token_hash(refresh.reveal()), entropy::new_id(now)?);
    let session_id = SessionId(entropy::new_id(now)?);
    let absolute = LIFETIME
        .min(own.expires_at.at() - now)
        .min(own.idle_timeout());
    let new = NewSession {
        id: session_id,
        user_id,
        remembered: false,
        lifetimes: Lifetimes {
            idle: context.settings.lifetimes(false).idle.min(absolute),
            absolute,
        },
        // The user has proven nothing, in no way.
        amr: "",
        device: user_agent::device(&visitor.user_agent),
        ip: visitor.ip,
        place: context.places.find(visitor.ip),
        impersonation: Some(NewImpersonation {
            impersonator_id: own.user_id,
            opened_from: own.session_id,
            reason: reason.clone(),
            read_only,
        }),
    };
    let origin = Origin {
        actor: Actor::User(own.user_id),
        ip: Some(visitor.ip),
    };
    context
        .store
        .write(now, move |tx| {
            Box::pin(async move {
                must_be_allowed(tx, own.user_id, user_id).await?;
                // First the administrator's own: an end of it at the same moment either stops this
                // or finds the new session.
                if !tx.use_session(own.session_id, own.idle_timeout()).await? {
                    return Err(ended(own.session_id));
                }
                tx.insert_session(new).await?;
                tx.insert_refresh_token(refresh_id, session_id, &hash)
                    .await?;
                let event = AuditEvent::new(origin, Action::ImpersonationStarted)
                    .subject(user_id)
                    .session(session_id)
                    .reason(if read_only { "read-only" } else { "may-change" })
                    .detail(reason);
                Ok(tx.audit(event).await?)
            })
        })
        .await?;
    tracing::info!(user_id = %user_id, session_id = %session_id, by = %by.facts.user_id, read_only,
        "an administrator looks on as another user");
    let cached = context
        .store
        .session_facts(session_id, user_id, now)
        .await?;
    let Stored::Open(facts) = cached.stored() else {
        return Err(ended(session_id));
    };
    let access = issue_access_token(context, facts, now)?;
    Ok(SignedIn {
        facts: Arc::clone(facts),
        tokens: IssuedTokens { access, refresh },
    })
}

/// Ends a session that was opened as another user. Whoever also presents the refresh token of the
/// session it was opened from goes on with that one, if it is still live: to look on as somebody
/// gives nobody the administrator's own session.
pub async fn stop(
    context: &Context,
    looking_on: &Principal,
    own: Option<&Secret>,
    visitor: &Visitor,
) -> Result<Option<SignedIn>, Error> {
    let facts = &looking_on.facts;
    let Some(impersonation) = facts.impersonation.as_deref() else {
        return Err(Error::Conflict("You are not looking on as anybody else."));
    };
    let origin = Origin {
        actor: Actor::User(impersonation.impersonator_id),
        ip: Some(visitor.ip),
    };
    let which = Which::One(facts.session_id);
    end(context, which, EndReason::ImpersonationStopped, origin).await?;
    let Some(own) = own else { return Ok(None) };
    if !is_token_of(context, impersonation, own).await? {
        return Ok(None);
    }
    match refresh(context, own, visitor).await {
        Ok(signed_in) => Ok(Some(signed_in)),
        Err(Error::Refused(_)) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Ends the administrator's own session too, for somebody who signs out while they look on and
/// presents its refresh token.
pub async fn sign_out_own(
    context: &Context,
    looking_on: &Facts,
    own: &Secret,
    visitor: &Visitor,
) -> Result<(), Error> {
    let Some(impersonation) = looking_on.impersonation.as_deref() else {
        return Ok(());
    };
    if is_token_of(context, impersonation, own).await? {
        let origin = Origin {
            actor: Actor::User(impersonation.impersonator_id),
            ip: Some(visitor.ip),
        };
        let which = Which::One(impersonation.opened_from);
        end(context, which, EndReason::SignedOut, origin).await?;
    }
    Ok(())
}

/// Is this a refresh token of the session from which that one was opened?
async fn is_token_of(
    context: &Context,
    impersonation: &Impersonation,
    token: &Secret,
) -> Result<bool, StoreError> {
    let hash = token_hash(token.reveal());
    let found = context.store.find_refresh_token(&hash).await?;
    Ok(found.is_some_and(|found| found.session_id == impersonation.opened_from))
}

/// Both are held until the end of the act: a role given or taken away and an account disabled at
/// the same moment happen wholly before it, or find the session that it opens.
async fn must_be_allowed(tx: &mut Transaction, by: UserId, user_id: UserId) -> Result<(), Error> {
    let administrator = tx.lock_user(by).await?;
    let user = tx
        .lock_user(user_id)
        .await?
        .ok_or(Error::NotFound("user"))?;
    let own_roles = match administrator {
        Some(administrator) if administrator.enabled => tx.roles_of(by).await?,
        Some(_) | None => Vec::new(),
    };
    let roles = tx.roles_of(user_id).await?;
    let target = Target {
        user_id,
        enabled: user.enabled,
        roles: &roles,
    };
    impersonation::judge(by, |role| has(&own_roles, role), target).map_err(objection)
}

fn objection(objection: Objection) -> Error {
    Error::Conflict(match objection {
        Objection::NoRight => "You need the roles admin and impersonator to look on as others.",
        Objection::Oneself => "This is you.",
        Objection::Protected => {
            "Nobody looks on as an administrator or as somebody with the role impersonator."
        }
        Objection::Disabled => "The account is disabled, so there is nothing to look at.",
    })
}

fn ended(session_id: SessionId) -> Error {
    let end = None;
    Refusal::SessionEnded { session_id, end }.into()
}
