//! Making the first administrator, with a code that only the log shows.

use chrono::{DateTime, TimeDelta, Utc};

use crate::entropy;
use crate::rules::audit::{Action, Actor, AuditEvent, Origin};
use crate::rules::id::UserId;
use crate::rules::role::{ADMIN, Role};
use crate::service::Context;
use crate::service::change_password::judge_password;
use crate::service::error::Error;
use crate::service::sign_in::Visitor;
use crate::service::throttle::{self, Target};
use crate::service::tokens::token_hash;
use crate::service::users::{NewUser, Valid};
use crate::settings::Secret;
use crate::store::verification_tokens::Purpose;

/// How long a code is good; each start without an administrator makes a new one.
const LIFETIME: TimeDelta = TimeDelta::hours(24);

/// Has nobody been made administrator yet?
pub async fn is_needed(context: &Context) -> Result<bool, Error> {
    Ok(context
        .store
        .count_enabled_with_role(&Role::admin())
        .await?
        == 0)
}

/// Makes a new set-up code; older ones are void.
pub async fn new_code(context: &Context) -> Result<(Secret, DateTime<Utc>), Error> {
    let now = context.now();
    let (token, id) = (Secret::new(entropy::random_token()?), entropy::new_id(now)?);
    let (hash, expires_at) = (token_hash(token.reveal()), now + LIFETIME);
    context
        .store
        .write(now, move |tx| {
            Box::pin(async move {
                Ok::<_, Error>(
                    tx.replace_verification_token(id, Purpose::SetUp, None, &hash, expires_at)
                        .await?,
                )
            })
        })
        .await?;
    Ok((token, expires_at))
}

/// Is this code good?
pub async fn is_good(context: &Context, code: &str) -> Result<bool, Error> {
    let found = context
        .store
        .find_verification_token(Purpose::SetUp, &token_hash(code), context.now())
        .await?;
    Ok(found.is_some())
}

/// Makes the first administrator; the code is used up. Nothing if there is one already.
pub async fn make_administrator(
    context: &Context,
    code: &str,
    email: String,
    name: String,
    password: &Secret,
    visitor: &Visitor,
) -> Result<UserId, Error> {
    if !is_good(context, code).await? {
        throttle::begin(context, Target::address(context, visitor.ip)).await?;
        return Err(Error::DeadLink);
    }
    let valid = Valid::new(NewUser {
        email,
        name,
        roles: vec![ADMIN.to_owned()],
    })?;
    judge_password(context, password, valid.email.as_str(), &valid.name)?;
    let new = context.passwords.hash(&context.keys(), password).await?;
    let now = context.now();
    let user_id = UserId(entropy::new_id(now)?);
    let hash = token_hash(code);
    let origin = Origin {
        actor: Actor::Nobody,
        ip: Some(visitor.ip),
    };
    context
        .store
        .write(now, move |tx| {
            Box::pin(async move {
                let used = tx.consume_verification_token(Purpose::SetUp, &hash).await?;
                if used.is_none() || !tx.lock_enabled_with_role(&Role::admin()).await?.is_empty() {
                    return Err(Error::DeadLink);
                }
                valid.insert(tx, user_id, origin).await?;
                tx.set_password_hash(user_id, None, &new.hash, &new.pepper_id, true)
                    .await?;
                let event = AuditEvent::new(origin, Action::FirstAdministrator).subject(user_id);
                tx.audit(event).await?;
                Ok(user_id)
            })
        })
        .await
}
