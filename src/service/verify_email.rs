//! Whether an e-mail address is known to be its user's: it is once somebody has come by a link that was
//! mailed there.
//!
//! A link that was shown on a screen, as an invitation is to an administrator, proves nothing of it.

use crate::entropy;
use crate::rules::audit::{Action, Actor, AuditEvent, Origin};
use crate::rules::id::UserId;
use crate::service::Context;
use crate::service::authenticate::Principal;
use crate::service::error::{Error, Refusal};
use crate::service::links::VERIFY_LIFETIME;
use crate::service::sign_in::Visitor;
use crate::service::throttle::{self, Target};
use crate::service::tokens::{link_token, token_hash};
use crate::store::verification_tokens::{Link, Purpose};
use crate::store::{StoreError, Transaction};

/// Asks for a link to one's own address.
///
/// # Errors
/// [`Error::Conflict`] if it is known already, [`Error::Throttled`] for whoever asks too often.
pub async fn ask(context: &Context, principal: &Principal, visitor: &Visitor) -> Result<(), Error> {
    let target = Target::mail(context, principal.facts.person.email(), visitor.ip);
    throttle::begin(context, target).await?;
    let (user_id, session_id) = (principal.facts.user_id, principal.facts.session_id);
    let now = context.now();
    let id = entropy::new_id(now)?;
    let hash = token_hash(link_token(context, Purpose::EmailVerify, id).reveal());
    let origin = Origin {
        actor: Actor::User(user_id),
        ip: Some(visitor.ip),
    };
    context
        .store
        .write(now, move |tx| {
            Box::pin(async move {
                let user = tx.lock_user(user_id).await?;
                let user = user.ok_or(Error::NotFound("user"))?;
                if !tx.is_live(session_id).await? {
                    let end = None;
                    return Err(Refusal::SessionEnded { session_id, end }.into());
                }
                if user.email_verified {
                    return Err(Error::Conflict("Your e-mail address is verified already."));
                }
                tx.void_verification_tokens(Purpose::EmailVerify, Some(user_id))
                    .await?;
                let link = Link {
                    id,
                    user_id,
                    session_id: Some(session_id),
                    email: Some(user.email),
                    expires_at: tx.now + VERIFY_LIFETIME,
                    consumed: false,
                };
                tx.insert_link(Purpose::EmailVerify, link, &hash).await?;
                let event = AuditEvent::new(origin, Action::EmailVerifyAsked)
                    .subject(user_id)
                    .session(session_id);
                Ok(tx.audit(event.link(id)).await?)
            })
        })
        .await
}

/// The address that a link verifies, while it is good.
pub async fn find(context: &Context, token: &str) -> Result<String, Error> {
    let (now, hash) = (context.now(), token_hash(token));
    let purpose = Purpose::EmailVerify;
    let found = context.store.find_link(purpose, &hash, now).await?;
    let link = found.ok_or(Error::DeadLink)?;
    let user = context.store.find_user(link.user_id, now).await?;
    let user = user.filter(|user| Some(&user.email) == link.email.as_ref());
    user.map(|user| user.email).ok_or(Error::DeadLink)
}

/// Verifies the address that the link was mailed to, if it is still the user's. The link is used up.
pub async fn verify(context: &Context, token: &str, visitor: &Visitor) -> Result<(), Error> {
    let (now, hash) = (context.now(), token_hash(token));
    let purpose = Purpose::EmailVerify;
    let found = context.store.find_link(purpose, &hash, now).await?;
    let user_id = found.ok_or(Error::DeadLink)?.user_id;
    let origin = Origin {
        actor: Actor::User(user_id),
        ip: Some(visitor.ip),
    };
    context
        .store
        .write(now, move |tx| {
            Box::pin(async move {
                // The user first, as every other act does.
                let user = tx.lock_user(user_id).await?;
                let user = user.filter(|user| user.enabled).ok_or(Error::DeadLink)?;
                let used = tx.consume_link(purpose, &hash).await?;
                match used.and_then(|link| link.email) {
                    Some(email) if email == user.email => {}
                    Some(_) | None => return Err(Error::DeadLink),
                }
                Ok(note_arrival(tx, user_id, &user.email, origin).await?)
            })
        })
        .await
}

/// Notes, inside an act, that what was mailed to this address has come to its user.
pub(super) async fn note_arrival(
    tx: &mut Transaction,
    user_id: UserId,
    email: &str,
    origin: Origin,
) -> Result<(), StoreError> {
    if !tx.verify_email(user_id, email).await? {
        return Ok(());
    }
    let event = AuditEvent::new(origin, Action::EmailVerified);
    tx.audit(event.subject(user_id)).await
}
