//! Proving again who one is, in the middle of a session (ASVS 7.2.4, 7.5).

use std::sync::Arc;

use crate::entropy;
use crate::rules::audit::{Action, Actor, AuditEvent, Origin};
use crate::rules::session::Stored;
use crate::service::Context;
use crate::service::authenticate::Principal;
use crate::service::error::{Error, Refusal};
use crate::service::passwords::{Comparison, is_too_long};
use crate::service::sign_in::{SignedIn, Visitor, kept_hash, still_valid};
use crate::service::throttle::{self, Attempt, Target};
use crate::service::tokens::{IssuedTokens, issue_access_token, new_refresh_token, token_hash};
use crate::settings::Secret;
use crate::store::users::Credentials;
use crate::store::{StoreError, Transaction};

/// Checks the user's password; new tokens take the place of the session's older ones at once.
pub async fn step_up(
    context: &Context,
    principal: &Principal,
    password: &Secret,
    visitor: &Visitor,
) -> Result<SignedIn, Error> {
    let (credentials, attempt) =
        check_password(context, principal, password, visitor, Action::StepUpFailed).await?;
    let (session_id, user_id) = (principal.facts.session_id, principal.facts.user_id);
    let origin = Origin {
        actor: Actor::User(user_id),
        ip: Some(visitor.ip),
    };
    let renewal = Renewal::new(context)?;
    let hash = renewal.clone();
    let renewed = context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move {
                if !still_valid(tx, &credentials).await? {
                    return Ok::<_, Error>(false);
                }
                attempt.succeed(tx).await?;
                let event = AuditEvent::new(origin, Action::SteppedUp)
                    .subject(user_id)
                    .session(session_id);
                tx.audit(event).await?;
                Ok(hash.apply(tx, session_id).await?)
            })
        })
        .await?;
    renewal.finish(context, principal, renewed).await
}

/// Compares the password of somebody who is signed in, counting failures like those at sign-in.
pub(super) async fn check_password(
    context: &Context,
    principal: &Principal,
    password: &Secret,
    visitor: &Visitor,
    failure: Action,
) -> Result<(Credentials, Attempt), Error> {
    let facts = &principal.facts;
    let session_id = facts.session_id;
    let user_id = facts.user_id;
    let gone = Refusal::UserGone {
        session_id,
        user_id,
    };
    let credentials = context
        .store
        .find_credentials_of(user_id)
        .await?
        .ok_or(gone)?;
    let target = Target::owner(context, facts.person.email(), visitor.ip);
    let attempt = throttle::begin(context, target).await?;
    let compared = if is_too_long(password.reveal()) {
        Comparison::Different
    } else {
        let keys = context.keys();
        let kept = kept_hash(&credentials);
        match context.passwords.compare(&keys, password, kept).await {
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
        }
    };
    if compared != Comparison::Different {
        return Ok((credentials, attempt));
    }
    let origin = Origin {
        actor: Actor::User(user_id),
        ip: Some(visitor.ip),
    };
    let event = AuditEvent::new(origin, failure)
        .subject(user_id)
        .session(session_id)
        .reason("wrong-password");
    context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move { Ok::<_, Error>(tx.audit(event).await?) })
        })
        .await?;
    Err(Error::InvalidCredentials)
}

/// New tokens for a session whose user has just proven who they are.
#[derive(Clone, Debug)]
pub(super) struct Renewal {
    refresh: Secret,
    refresh_id: uuid::Uuid,
}

impl Renewal {
    pub(super) fn new(context: &Context) -> Result<Self, Error> {
        Ok(Self {
            refresh: new_refresh_token()?,
            refresh_id: entropy::new_id(context.now())?,
        })
    }

    /// Inside the act. False if the session is not live any more.
    pub(super) async fn apply(
        &self,
        tx: &mut Transaction,
        session_id: crate::rules::id::SessionId,
    ) -> Result<bool, StoreError> {
        if tx.prove_identity(session_id).await?.is_none() {
            return Ok(false);
        }
        tx.delete_refresh_tokens_of(session_id).await?;
        let hash = token_hash(self.refresh.reveal());
        tx.insert_refresh_token(self.refresh_id, session_id, &hash)
            .await?;
        Ok(true)
    }

    /// After the act.
    pub(super) async fn finish(
        self,
        context: &Context,
        principal: &Principal,
        renewed: bool,
    ) -> Result<SignedIn, Error> {
        let (session_id, user_id) = (principal.facts.session_id, principal.facts.user_id);
        let now = context.now();
        let ended = Error::from(Refusal::SessionEnded {
            session_id,
            end: None,
        });
        if !renewed {
            return Err(ended);
        }
        let cached = context
            .store
            .session_facts(session_id, user_id, now)
            .await?;
        let Stored::Open(facts) = cached.stored() else {
            return Err(ended);
        };
        let access = issue_access_token(context, facts, now)?;
        let tokens = IssuedTokens {
            access,
            refresh: self.refresh,
        };
        Ok(SignedIn {
            facts: Arc::clone(facts),
            tokens,
        })
    }
}
