//! "This was not me": somebody reports a sign-in to their account as somebody else's.

use crate::entropy;
use crate::rules::audit::{Action, Actor, AuditEvent, Origin};
use crate::rules::end_reason::EndReason;
use crate::rules::record::{SessionRecord, UserRecord};
use crate::service::Context;
use crate::service::change_password::void_password_links;
use crate::service::end_session::end_sessions;
use crate::service::error::Error;
use crate::service::links::RESET_LIFETIME;
use crate::service::sign_in::Visitor;
use crate::service::tokens::{link_token, token_hash};
use crate::settings::Secret;
use crate::store::sessions::Which;
use crate::store::verification_tokens::{Link, Purpose};

/// The sign-in that a link reports, and its user; the session may be forgotten meanwhile.
pub async fn find(
    context: &Context,
    token: &str,
) -> Result<(UserRecord, Option<SessionRecord>), Error> {
    let (now, hash) = (context.now(), token_hash(token));
    let found = context.store.find_link(Purpose::Report, &hash, now).await?;
    let link = found.ok_or(Error::DeadLink)?;
    let user = context.store.find_user(link.user_id, now).await?;
    let session = match link.session_id {
        Some(session_id) => context.store.find_session(session_id, now).await?,
        None => None,
    };
    Ok((user.ok_or(Error::DeadLink)?, session))
}

/// Ends all sessions of the user, the reported one among them, and takes the password away, since
/// somebody else seems to know it. Returns the token of a link on which to choose a new one, unless the
/// user's address is another by now than the one that the report's link was mailed to: whoever has
/// that mailbox may stop what goes on, but not take the account over.
pub async fn report(
    context: &Context,
    token: &str,
    visitor: &Visitor,
) -> Result<Option<Secret>, Error> {
    let hash = token_hash(token);
    let now = context.now();
    let id = entropy::new_id(now)?;
    let reset = link_token(context, Purpose::Reset, id);
    let reset_hash = token_hash(reset.reveal());
    let ip = Some(visitor.ip);
    let found = context.store.find_link(Purpose::Report, &hash, now).await?;
    let user_id = found.ok_or(Error::DeadLink)?.user_id;
    let leads_on = context
        .store
        .write(now, move |tx| {
            Box::pin(async move {
                // The user first, as every other act does.
                let user = tx.lock_user(user_id).await?.ok_or(Error::DeadLink)?;
                let used = tx.consume_link(Purpose::Report, &hash).await?;
                let link = used.ok_or(Error::DeadLink)?;
                let origin = Origin {
                    actor: Actor::User(user_id),
                    ip,
                };
                let mut event = AuditEvent::new(origin, Action::SignInReported).subject(user_id);
                if let Some(session_id) = link.session_id {
                    event = event.session(session_id);
                }
                tx.audit(event).await?;
                end_sessions(tx, Which::User(user_id), EndReason::Reported, origin).await?;
                // Whoever it was knows the password, and may have asked for such links too.
                tx.clear_password(user_id).await?;
                void_password_links(tx, user_id).await?;
                if link.email.as_ref() != Some(&user.email) {
                    return Ok(false);
                }
                let link = Link {
                    id,
                    user_id,
                    session_id: None,
                    email: link.email,
                    expires_at: tx.now + RESET_LIFETIME,
                    consumed: false,
                };
                tx.insert_link(Purpose::Reset, link, &reset_hash).await?;
                Ok::<_, Error>(true)
            })
        })
        .await?;
    Ok(leads_on.then_some(reset))
}
