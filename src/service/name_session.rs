//! Naming the device of one's own session.

use crate::rules::audit::{Action, AuditEvent, Origin};
use crate::rules::id::{SessionId, UserId};
use crate::rules::record::SessionRecord;
use crate::rules::session_name::session_name;
use crate::service::Context;
use crate::service::error::Error;

/// Gives a session of this user the name that was typed, or takes its name away where nothing was.
/// Returns the session as it is now.
///
/// # Errors
/// [`Error::Invalid`] for a name that is too long or cannot be printed; [`Error::NotFound`] if the
/// session is not this user's, whether or not there is one.
pub async fn name_session(
    context: &Context,
    user_id: UserId,
    session_id: SessionId,
    typed: &str,
    origin: Origin,
) -> Result<SessionRecord, Error> {
    let name = session_name(typed).map_err(|fault| Error::Invalid {
        field: "name",
        problem: fault.to_string(),
    })?;
    let now = context.now();
    context
        .store
        .write(now, move |tx| {
            Box::pin(async move {
                if tx
                    .name_session(user_id, session_id, name.as_deref())
                    .await?
                {
                    let event = AuditEvent::new(origin, Action::SessionNamed)
                        .subject(user_id)
                        .session(session_id);
                    tx.audit(event).await?;
                }
                Ok::<_, Error>(())
            })
        })
        .await?;
    context
        .store
        .find_session(session_id, now)
        .await?
        .filter(|session| session.user_id == user_id)
        .ok_or(Error::NotFound("session"))
}
