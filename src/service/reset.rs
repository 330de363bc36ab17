//! Starting over: everybody and everything they did is deleted, keys and tables stay.

use crate::rules::audit::{Action, AuditEvent, Origin};
use crate::service::Context;
use crate::service::error::Error;
use crate::store::reset::Emptied;

/// Deletes every user, session, organisation, one-time token, count of failed attempts and audit
/// event, all or nothing. Since the signing key stays, a server beside this process still knows
/// its tokens, and refuses them because their users are gone.
pub async fn reset(context: &Context, origin: Origin) -> Result<Emptied, Error> {
    context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move {
                let emptied = tx.delete_everything().await?;
                tx.audit(AuditEvent::new(origin, Action::Reset)).await?;
                Ok(emptied)
            })
        })
        .await
}
