//! Signing out with what is left of a session: its refresh token.

use crate::rules::audit::{Actor, Origin};
use crate::rules::end_reason::EndReason;
use crate::service::Context;
use crate::service::end_session::end;
use crate::service::error::Error;
use crate::service::sign_in::Visitor;
use crate::service::tokens::token_hash;
use crate::settings::Secret;
use crate::store::sessions::Which;

/// Longest refresh token that is looked up, in bytes; ours have 43.
const MAX_BYTES: usize = 64;

/// Ends the session that this refresh token is of, rotated or not; nothing if nobody issued it.
pub async fn by_refresh_token(
    context: &Context,
    token: &Secret,
    visitor: &Visitor,
) -> Result<(), Error> {
    if token.reveal().len() > MAX_BYTES {
        return Ok(());
    }
    let hash = token_hash(token.reveal());
    let Some(found) = context.store.find_refresh_token(&hash).await? else {
        return Ok(());
    };
    let session_id = found.session_id;
    let found = context.store.find_session(session_id, context.now());
    let Some(record) = found.await? else {
        return Ok(());
    };
    // Of a session that was opened as another user the administrator is done, not the person.
    let (by, reason) = match &record.opened_by {
        Some(by) => (by.impersonator_id, EndReason::ImpersonationStopped),
        None => (record.user_id, EndReason::SignedOut),
    };
    let origin = Origin {
        actor: Actor::User(by),
        ip: Some(visitor.ip),
    };
    end(context, Which::One(session_id), reason, origin).await?;
    Ok(())
}
