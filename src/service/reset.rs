//! Starting over: everybody and everything they did is deleted, keys and tables stay.

use crate::service::Context;
use crate::service::error::Error;
use crate::store::reset::Emptied;

/// Deletes every user, session, organisation, one-time token, count of failed attempts and audit
/// event, all or nothing. Since the signing key stays, a server beside this process still knows
/// its tokens, and refuses them because their users are gone.
pub async fn reset(context: &Context) -> Result<Emptied, Error> {
    context
        .store
        .write(context.now(), move |tx| {
            Box::pin(async move { Ok(tx.delete_everything().await?) })
        })
        .await
}
