//! Choosing a password: a new one of one's own, or one by an invitation link.

use crate::rules::audit::{Action, Actor, AuditEvent, Origin};
use crate::rules::email::Email;
use crate::rules::end_reason::EndReason;
use crate::rules::id::UserId;
use crate::rules::password::judge;
use crate::service::Context;
use crate::service::authenticate::Principal;
use crate::service::end_session::end_sessions;
use crate::service::error::{Error, Refusal};
use crate::service::passwords::NewHash;
use crate::service::sign_in::{SignedIn, Visitor, still_valid};
use crate::service::step_up::{Renewal, check_password};
use crate::settings::Secret;
use crate::store::sessions::Which;
use crate::store::verification_tokens::Purpose;
use crate::store::{StoreError, Transaction};

/// Changes one's own password. This session goes on with new tokens; the user's others end if
/// `end_others`.
pub async fn change_password(
    context: &Context,
    principal: &Principal,
    current: &Secret,
    new: &Secret,
    end_others: bool,
    visitor: &Visitor,
) -> Result<SignedIn, Error> {
    let facts = &principal.facts;
    judge_password(context, new, facts.person.email(), facts.person.name())?;
    let (credentials, attempt) = check_password(
        context,
        principal,
        current,
        visitor,
        Action::PasswordChangeFailed,
    )
    .await?;
    let new = context.passwords.hash(&context.keys(), new).await?;
    let (session_id, user_id) = (facts.session_id, facts.user_id);
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
                    return Err(Error::InvalidCredentials);
                }
                attempt.succeed(tx).await?;
                let NewHash {
                    hash: text,
                    pepper_id,
                } = new;
                tx.set_password_hash(user_id, None, &text, &pepper_id, true)
                    .await?;
                void_password_links(tx, user_id).await?;
                if end_others {
                    let others = Which::UserExcept(user_id, session_id);
                    end_sessions(tx, others, EndReason::PasswordChanged, origin).await?;
                }
                let event = AuditEvent::new(origin, Action::PasswordChanged)
                    .subject(user_id)
                    .session(session_id);
                tx.audit(event).await?;
                // In a session that has ended meanwhile nothing is changed.
                if hash.apply(tx, session_id).await? {
                    return Ok(true);
                }
                let end = None;
                Err(Refusal::SessionEnded { session_id, end }.into())
            })
        })
        .await?;
    renewal.finish(context, principal, renewed).await
}

/// May this password be chosen by this person on this server?
pub(super) fn judge_password(
    context: &Context,
    password: &Secret,
    email: &str,
    name: &str,
) -> Result<(), Error> {
    let host = context
        .settings
        .public_url
        .split("://")
        .nth(1)
        .unwrap_or_default();
    let host = host.rsplit_once(':').map_or(host, |(host, _)| host);
    let local = Email::new(email)
        .map(|e| e.local_part().to_owned())
        .unwrap_or_default();
    let context_words = ["portcullis", host, email, &local, name];
    let min = context.settings.password_min_chars;
    Ok(judge(password.reveal(), min, &context_words)?)
}

/// Sets a user's password from the host's command line. All the user's sessions end.
pub async fn set_password(
    context: &Context,
    user_id: UserId,
    password: &Secret,
    origin: Origin,
) -> Result<(), Error> {
    let user = context
        .store
        .find_user(user_id, context.now())
        .await?
        .ok_or(Error::NotFound("user"))?;
    judge_password(context, password, &user.email, &user.name)?;
    let new = context.passwords.hash(&context.keys(), password).await?;
    context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move { keep_password(tx, user_id, new, true, origin).await })
        })
        .await
}

/// Links that were made for choosing a password or confirming an address have served, or were made
/// by a thief. Those that report a sign-in stay: a thief who changes the password must not void them.
pub(super) async fn void_password_links(
    tx: &mut Transaction,
    user_id: UserId,
) -> Result<(), StoreError> {
    for purpose in [
        Purpose::Invitation,
        Purpose::Reset,
        Purpose::EmailChange,
        Purpose::SessionChoice,
    ] {
        tx.void_verification_tokens(purpose, Some(user_id)).await?;
    }
    Ok(())
}

/// Keeps a password that was chosen without knowing the old one; all the user's sessions end if
/// `end_all`.
pub(super) async fn keep_password(
    tx: &mut Transaction,
    user_id: UserId,
    new: NewHash,
    end_all: bool,
    origin: Origin,
) -> Result<(), Error> {
    if tx.lock_user(user_id).await?.is_none() {
        return Err(Error::NotFound("user"));
    }
    tx.set_password_hash(user_id, None, &new.hash, &new.pepper_id, true)
        .await?;
    void_password_links(tx, user_id).await?;
    if end_all {
        let all = Which::User(user_id);
        end_sessions(tx, all, EndReason::PasswordChanged, origin).await?;
    }
    let event = AuditEvent::new(origin, Action::PasswordChanged).subject(user_id);
    Ok(tx.audit(event).await?)
}
