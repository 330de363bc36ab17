//! A new password instead of a forgotten one, by a mailed link (ASVS 6.4.3).
//!
//! Asking does the same work and gets the same answer whether or not there is such a user; the link
//! is made when its mail is written, off the request's path.

use crate::rules::audit::{Action, Actor, AuditEvent, Origin};
use crate::rules::email::Email;
use crate::rules::record::UserRecord;
use crate::service::Context;
use crate::service::change_password::{judge_password, keep_password};
use crate::service::error::Error;
use crate::service::sign_in::Visitor;
use crate::service::throttle::{self, Target};
use crate::service::tokens::token_hash;
use crate::service::verify_email::note_arrival;
use crate::settings::Secret;
use crate::store::verification_tokens::Purpose;

/// Asks for a link. Nothing tells whether there is a user with this address.
///
/// # Errors
/// [`Error::Invalid`] for what is no address, [`Error::Throttled`] for whoever asks too often.
pub async fn ask(context: &Context, typed: &str, visitor: &Visitor) -> Result<(), Error> {
    let email = Email::new(typed).map_err(|error| Error::Invalid {
        field: "email",
        problem: error.to_string(),
    })?;
    let target = Target::mail(context, email.as_str(), visitor.ip);
    throttle::begin(context, target).await?;
    let origin = Origin {
        actor: Actor::Nobody,
        ip: Some(visitor.ip),
    };
    context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move {
                // For somebody unknown the same rows are written; their delivery finds nobody.
                let mut event = AuditEvent::new(origin, Action::ResetAsked);
                event = match tx.find_user_by_email(&email).await? {
                    Some(user_id) => event.subject(user_id),
                    None => event.reason("unknown-user"),
                };
                Ok(tx.audit(event).await?)
            })
        })
        .await
}

/// The user whom a link lets choose a password, while it is good.
pub async fn find(context: &Context, token: &str) -> Result<UserRecord, Error> {
    let (now, hash) = (context.now(), token_hash(token));
    let found = context.store.find_link(Purpose::Reset, &hash, now).await?;
    let user_id = found.ok_or(Error::DeadLink)?.user_id;
    let user = context.store.find_user(user_id, now).await?;
    user.filter(|user| user.disabled_at.is_none())
        .ok_or(Error::DeadLink)
}

/// Chooses a password by a link, which is used up; all the user's sessions end if `end_all`.
pub async fn choose(
    context: &Context,
    token: &str,
    password: &Secret,
    end_all: bool,
    visitor: &Visitor,
) -> Result<(), Error> {
    let user = find(context, token).await?;
    judge_password(context, password, &user.email, &user.name)?;
    let new = context.passwords.hash(&context.keys(), password).await?;
    let (hash, user_id) = (token_hash(token), user.id);
    let origin = Origin {
        actor: Actor::User(user_id),
        ip: Some(visitor.ip),
    };
    context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move {
                let held = tx.lock_user(user_id).await?;
                let used = tx.consume_link(Purpose::Reset, &hash).await?;
                let held = held.filter(|user| user.enabled).ok_or(Error::DeadLink)?;
                let link = used.filter(|link| link.user_id == user_id);
                let link = link.ok_or(Error::DeadLink)?;
                match &link.email {
                    Some(email) if *email == held.email => {
                        note_arrival(tx, user_id, &held.email, origin).await?;
                    }
                    Some(_) => return Err(Error::DeadLink),
                    None => {}
                }
                keep_password(tx, user_id, new, end_all, origin).await?;
                let event = AuditEvent::new(origin, Action::PasswordReset).subject(user_id);
                Ok(tx.audit(event).await?)
            })
        })
        .await
}
