//! Changing one's own e-mail address: asked for in a session, confirmed by a link that is mailed to
//! the new address (ASVS 6.3.7).

use crate::entropy;
use crate::rules::audit::{Action, Actor, AuditEvent, Origin};
use crate::rules::email::Email;
use crate::rules::end_reason::EndReason;
use crate::service::Context;
use crate::service::authenticate::Principal;
use crate::service::change_password::void_password_links;
use crate::service::end_session::end_sessions;
use crate::service::error::{Error, Refusal};
use crate::service::links::EMAIL_LIFETIME;
use crate::service::sign_in::Visitor;
use crate::service::throttle::{self, Target};
use crate::service::tokens::{link_token, token_hash};
use crate::store::StoreError;
use crate::store::sessions::Which;
use crate::store::verification_tokens::{Link, Purpose};

/// Asks to change one's own address. Nothing tells whether somebody else has it already.
pub async fn ask(
    context: &Context,
    principal: &Principal,
    typed: &str,
    visitor: &Visitor,
) -> Result<(), Error> {
    let invalid = |problem: String| Error::Invalid {
        field: "email",
        problem,
    };
    let email = Email::new(typed).map_err(|error| invalid(error.to_string()))?;
    if email.as_str() == principal.facts.person.email() {
        return Err(invalid("This is your address already.".to_owned()));
    }
    let target = Target::mail(context, email.as_str(), visitor.ip);
    throttle::begin(context, target).await?;
    let (user_id, session_id) = (principal.facts.user_id, principal.facts.session_id);
    let now = context.now();
    let id = entropy::new_id(now)?;
    let token = link_token(context, Purpose::EmailChange, id);
    let hash = token_hash(token.reveal());
    let origin = Origin {
        actor: Actor::User(user_id),
        ip: Some(visitor.ip),
    };
    context
        .store
        .write(now, move |tx| {
            Box::pin(async move {
                let before = tx.lock_user(user_id).await?;
                let before = before.ok_or(Error::NotFound("user"))?;
                if !tx.is_live(session_id).await? {
                    let end = None;
                    return Err(Refusal::SessionEnded { session_id, end }.into());
                }
                tx.void_verification_tokens(Purpose::EmailChange, Some(user_id))
                    .await?;
                // Who has the account is told before anything changes; and in either case, or a mail
                // more or less would tell whether somebody else has the address.
                let event = AuditEvent::new(origin, Action::EmailChangeAsked)
                    .subject(user_id)
                    .session(session_id)
                    .tell(before.email, None);
                if tx.find_user_by_email(&email).await?.is_some() {
                    return Ok(tx.audit(event.reason("address-taken")).await?);
                }
                let link = Link {
                    id,
                    user_id,
                    session_id: Some(session_id),
                    email: Some(email.as_str().to_owned()),
                    expires_at: tx.now + EMAIL_LIFETIME,
                    consumed: false,
                };
                tx.insert_link(Purpose::EmailChange, link, &hash).await?;
                Ok(tx.audit(event.tell(email.as_str(), Some(id))).await?)
            })
        })
        .await
}

/// The address that a link confirms, while it is good.
pub async fn find(context: &Context, token: &str) -> Result<String, Error> {
    let hash = token_hash(token);
    let found = context
        .store
        .find_link(Purpose::EmailChange, &hash, context.now())
        .await?;
    found.and_then(|link| link.email).ok_or(Error::DeadLink)
}

/// Confirms the new address, which is used to sign in from now on, if the session that asked is
/// still live: where it was ended, somebody did not want it to be there. It goes on;
/// the user's others end, and no link that was mailed to the old address is good any more.
pub async fn confirm(context: &Context, token: &str, visitor: &Visitor) -> Result<(), Error> {
    let hash = token_hash(token);
    let ip = Some(visitor.ip);
    let now = context.now();
    let found = context.store.find_link(Purpose::EmailChange, &hash, now);
    let user_id = found.await?.ok_or(Error::DeadLink)?.user_id;
    context
        .store
        .write(now, move |tx| {
            Box::pin(async move {
                // The user first, as every other act does.
                let before = tx.lock_user(user_id).await?;
                let before = before.filter(|user| user.enabled).ok_or(Error::DeadLink)?;
                let used = tx.consume_link(Purpose::EmailChange, &hash).await?;
                let link = used.ok_or(Error::DeadLink)?;
                let asked_in = link.session_id.ok_or(Error::DeadLink)?;
                if !tx.is_live(asked_in).await? {
                    return Err(Error::DeadLink);
                }
                let email = link.email.as_deref().map(Email::new);
                let Some(Ok(email)) = email else {
                    return Err(Error::DeadLink);
                };
                match tx.set_email(user_id, &email).await {
                    Err(StoreError::Conflict) => {
                        return Err(Error::Conflict(
                            "Somebody else uses this e-mail address by now. Nothing was changed.",
                        ));
                    }
                    changed => changed?,
                };
                void_password_links(tx, user_id).await?;
                let origin = Origin {
                    actor: Actor::User(user_id),
                    ip,
                };
                let others = Which::UserExcept(user_id, asked_in);
                end_sessions(tx, others, EndReason::EmailChanged, origin).await?;
                let event = AuditEvent::new(origin, Action::EmailChanged)
                    .subject(user_id)
                    .tell(before.email, None)
                    .tell(email.as_str(), None);
                Ok(tx.audit(event).await?)
            })
        })
        .await
}
