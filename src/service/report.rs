//! "This was not me": somebody reports a sign-in to their account as somebody else's.

use crate::entropy;
use crate::rules::audit::{Action, Actor, AuditEvent, Origin};
use crate::rules::end_reason::EndReason;
use crate::rules::record::SessionRecord;
use crate::service::Context;
use crate::service::change_password::void_password_links;
use crate::service::end_session::end_sessions;
use crate::service::error::Error;
use crate::service::links::{REPORT_LIFETIME, RESET_LIFETIME};
use crate::service::sign_in::Visitor;
use crate::service::tokens::{link_token, token_hash};
use crate::service::users::set_enabled;
use crate::settings::Secret;
use crate::store::sessions::Which;
use crate::store::verification_tokens::{Link, Purpose};

/// What a report led to. Everything has ended, and the password works no more, in each case.
#[derive(Debug)]
pub enum Reported {
    /// The token of a link on which to choose a new password.
    Choose(Secret),
    /// The password is another than when the link was mailed, as when its owner has changed it since:
    /// whoever has an old mail is not who chooses the next. A link for that can be asked for.
    Ask,
    /// The address is another one than the link was mailed to. Either that mailbox or the account is
    /// in strange hands, so the account is disabled until an administrator knows which.
    Disabled,
}

/// The sign-in that a link reports, and the address that the link was mailed to; the session may be
/// forgotten meanwhile.
pub async fn find(
    context: &Context,
    token: &str,
) -> Result<(String, Option<SessionRecord>), Error> {
    let (now, hash) = (context.now(), token_hash(token));
    let found = context.store.find_link(Purpose::Report, &hash, now).await?;
    let link = found.ok_or(Error::DeadLink)?;
    let user = context.store.find_user(link.user_id, now).await?;
    let session = match link.session_id {
        Some(session_id) => context.store.find_session(session_id, now).await?,
        None => None,
    };
    let user = user.ok_or(Error::DeadLink)?;
    Ok((link.email.unwrap_or(user.email), session))
}

/// Ends all sessions of the user, the reported one among them, and takes the password away, since
/// somebody else seems to know it. Returns how it goes on.
pub async fn report(context: &Context, token: &str, visitor: &Visitor) -> Result<Reported, Error> {
    let hash = token_hash(token);
    let now = context.now();
    let id = entropy::new_id(now)?;
    let reset = link_token(context, Purpose::Reset, id);
    let reset_hash = token_hash(reset.reveal());
    let ip = Some(visitor.ip);
    let found = context.store.find_link(Purpose::Report, &hash, now).await?;
    let user_id = found.ok_or(Error::DeadLink)?.user_id;
    let reported = context
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
                    set_enabled(tx, user_id, false, origin).await?;
                    return Ok(Reported::Disabled);
                }
                let mailed_at = link.expires_at - REPORT_LIFETIME;
                if user.password_changed_at.is_some_and(|at| at > mailed_at) {
                    return Ok(Reported::Ask);
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
                Ok::<_, Error>(Reported::Choose(reset))
            })
        })
        .await?;
    Ok(reported)
}
