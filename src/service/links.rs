//! One-time links that are mailed: where they lead, and how one comes to be when its mail is written.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::rules::id::{SessionId, UserId};
use crate::service::Context;
use crate::service::error::Error;
use crate::service::tokens::{link_token, token_hash};
use crate::settings::Secret;
use crate::store::verification_tokens::{Link, Purpose};

/// How long a link for a new password is good, from when it was asked for (ASVS 6.4.1).
pub const RESET_LIFETIME: TimeDelta = TimeDelta::hours(1);

/// How long a sign-in can be reported as somebody else's.
pub const REPORT_LIFETIME: TimeDelta = TimeDelta::days(3);

/// How long a link that confirms an e-mail address is good.
pub const EMAIL_LIFETIME: TimeDelta = TimeDelta::hours(24);

/// How long a link that verifies the address of now is good.
pub const VERIFY_LIFETIME: TimeDelta = TimeDelta::hours(1);

/// The whole address of a link. It begins with the public URL of the settings, whatever host a
/// request names.
pub fn link_url(context: &Context, purpose: Purpose, token: &Secret) -> Secret {
    let (path, name) = match purpose {
        Purpose::Invitation => ("invitation", "token"),
        Purpose::SetUp => ("set-up", "code"),
        Purpose::Reset => ("new-password", "token"),
        Purpose::Report => ("not-me", "token"),
        Purpose::EmailChange => ("confirm-email", "token"),
        Purpose::EmailVerify => ("verify-email", "token"),
        // Sent by a form, never by a link.
        Purpose::SessionChoice => ("sign-in/choice", "choice_token"),
    };
    let base = &context.settings.public_url;
    Secret::new(format!("{base}/{path}?{name}={}", token.reveal()))
}

/// A link about to be made, at its first or a later attempt to mail it.
#[derive(Clone, Debug)]
pub(super) struct Wanted {
    pub(super) id: Uuid,
    pub(super) purpose: Purpose,
    pub(super) user_id: UserId,
    pub(super) session_id: Option<SessionId>,
    /// The address that it is mailed to.
    pub(super) email: String,
    pub(super) expires_at: DateTime<Utc>,
}

/// The address of a link that is made with its mail: the same each time its mail is tried. None if
/// nobody needs it any more: it is past its time, was used, or a newer one was asked for.
pub(super) async fn ensure_link(
    context: &Context,
    wanted: Wanted,
) -> Result<Option<Secret>, Error> {
    let now = context.now();
    let purpose = wanted.purpose;
    let token = link_token(context, purpose, wanted.id);
    let hash = token_hash(token.reveal());
    let good = context
        .store
        .write(now, move |tx| {
            Box::pin(async move {
                let Some(user) = tx.lock_user(wanted.user_id).await? else {
                    return Ok::<_, Error>(false);
                };
                // A new password is chosen at the address of now, and no other.
                let elsewhere = wanted.purpose == Purpose::Reset && user.email != wanted.email;
                if now >= wanted.expires_at || elsewhere {
                    return Ok(false);
                }
                if let Some(found) = tx.find_link_by_id(wanted.id).await? {
                    return Ok(!found.consumed);
                }
                if wanted.purpose == Purpose::Reset {
                    let newest = tx.newest_link(Purpose::Reset, wanted.user_id).await?;
                    if newest.is_some_and(|newest| newest.id > wanted.id) {
                        return Ok(false);
                    }
                    tx.void_verification_tokens(Purpose::Reset, Some(wanted.user_id))
                        .await?;
                }
                let link = Link {
                    id: wanted.id,
                    user_id: wanted.user_id,
                    session_id: wanted.session_id,
                    email: Some(wanted.email),
                    expires_at: wanted.expires_at,
                    consumed: false,
                };
                tx.insert_link(wanted.purpose, link, &hash).await?;
                Ok(true)
            })
        })
        .await?;
    Ok(good.then(|| link_url(context, purpose, &token)))
}

/// The address of a link that was made in its act. None if it is past its time, used or replaced.
pub(super) async fn kept_link(
    context: &Context,
    purpose: Purpose,
    id: Uuid,
) -> Result<Option<Secret>, Error> {
    let token = link_token(context, purpose, id);
    let hash = token_hash(token.reveal());
    let found = context
        .store
        .find_link(purpose, &hash, context.now())
        .await?;
    Ok(found.map(|_| link_url(context, purpose, &token)))
}
