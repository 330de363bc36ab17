//! One-time links on which a person chooses a password, the first or a new one.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::entropy;
use crate::rules::audit::{Action, Actor, AuditEvent, Origin};
use crate::rules::id::UserId;
use crate::rules::record::UserRecord;
use crate::service::Context;
use crate::service::change_password::{judge_password, keep_password};
use crate::service::error::Error;
use crate::service::links::link_url;
use crate::service::sign_in::Visitor;
use crate::service::tokens::{link_token, mail_tag, same_secret, token_hash};
use crate::service::verify_email::note_arrival;
use crate::settings::Secret;
use crate::store::Transaction;
use crate::store::verification_tokens::Purpose;

/// How long a link is good. Long enough for somebody who reads their messages once a day.
pub const LIFETIME: TimeDelta = TimeDelta::hours(72);

/// A link, shown once.
#[derive(Clone, Debug)]
pub struct Invitation {
    /// The whole URL.
    pub url: Secret,
    /// Dead from then on.
    pub expires_at: DateTime<Utc>,
}

/// Makes a link for a user; the one before, if any, is void.
pub async fn invite(
    context: &Context,
    user_id: UserId,
    origin: Origin,
) -> Result<Invitation, Error> {
    let draft = Draft::new(context)?;
    let invitation = draft.invitation(context);
    context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move {
                if tx.lock_user(user_id).await?.is_none() {
                    return Err(Error::NotFound("user"));
                }
                draft.keep(tx, user_id, origin).await
            })
        })
        .await?;
    Ok(invitation)
}

/// The user whom a link lets choose a password, while it is good.
pub async fn find_invited(context: &Context, token: &str) -> Result<UserRecord, Error> {
    Ok(find(context, token).await?.1)
}

async fn find(context: &Context, token: &str) -> Result<(Uuid, UserRecord), Error> {
    let now = context.now();
    let hash = token_hash(token);
    let found = context.store.find_link(Purpose::Invitation, &hash, now);
    let link = found.await?.ok_or(Error::DeadLink)?;
    let user = context.store.find_user(link.user_id, now).await?;
    Ok((link.id, user.ok_or(Error::DeadLink)?))
}

/// Chooses a password by a link, which is used up. The user's sessions end. `mailed` is what only the
/// link in the mail has beside its token; with it, the address is known to be the user's.
pub async fn accept(
    context: &Context,
    token: &str,
    mailed: Option<&Secret>,
    password: &Secret,
    visitor: &Visitor,
) -> Result<UserRecord, Error> {
    let (id, user) = find(context, token).await?;
    let tag = mail_tag(context, id);
    let by_mail = mailed.is_some_and(|mailed| same_secret(mailed.reveal(), tag.reveal()));
    judge_password(context, password, &user.email, &user.name)?;
    let new = context.passwords.hash(&context.keys(), password).await?;
    let hash = token_hash(token);
    let origin = Origin {
        actor: Actor::User(user.id),
        ip: Some(visitor.ip),
    };
    let (user_id, email) = (user.id, user.email.clone());
    context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move {
                // The user first, as every other act does.
                tx.lock_user(user_id).await?.ok_or(Error::DeadLink)?;
                let used = tx
                    .consume_verification_token(Purpose::Invitation, &hash)
                    .await?;
                if used.flatten() != Some(user_id) {
                    return Err(Error::DeadLink);
                }
                keep_password(tx, user_id, new, true, origin).await?;
                if by_mail {
                    note_arrival(tx, user_id, &email, origin).await?;
                }
                let event = AuditEvent::new(origin, Action::InvitationUsed).subject(user_id);
                Ok(tx.audit(event).await?)
            })
        })
        .await?;
    Ok(user)
}

/// A link about to be kept.
pub(super) struct Draft {
    token: Secret,
    id: Uuid,
    expires_at: DateTime<Utc>,
}

impl Draft {
    pub(super) fn new(context: &Context) -> Result<Self, Error> {
        let now = context.now();
        let id = entropy::new_id(now)?;
        Ok(Self {
            token: link_token(context, Purpose::Invitation, id),
            id,
            expires_at: now + LIFETIME,
        })
    }

    pub(super) fn invitation(&self, context: &Context) -> Invitation {
        Invitation {
            url: link_url(context, Purpose::Invitation, &self.token),
            expires_at: self.expires_at,
        }
    }

    pub(super) async fn keep(
        self,
        tx: &mut Transaction,
        user_id: UserId,
        origin: Origin,
    ) -> Result<(), Error> {
        let hash = token_hash(self.token.reveal());
        tx.replace_verification_token(
            self.id,
            Purpose::Invitation,
            Some(user_id),
            &hash,
            self.expires_at,
        )
        .await?;
        let event = AuditEvent::new(origin, Action::InvitationMade)
            .subject(user_id)
            .link(self.id);
        Ok(tx.audit(event).await?)
    }
}
