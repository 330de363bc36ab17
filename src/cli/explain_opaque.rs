//! The other half of `portcullis explain`: secrets that are looked up, not read.

use crate::cli::explain::{conclude, show_session, step};
use crate::cli::failure::Failure;
use crate::cli::output::instant_from;
use crate::rules::refresh::{GRACE, Presented, judge};
use crate::service::Context;
use crate::service::refresh::successor_of;
use crate::service::tokens::{successor, token_hash};
use crate::settings::Secret;
use crate::store::verification_tokens::Purpose;

/// Explains a refresh token or a one-time code.
pub(super) async fn opaque(context: &Context, token: &Secret) -> Result<(), Failure> {
    let now = context.now();
    let hash = token_hash(token.reveal());
    let Some(found) = context.store.find_refresh_token(&hash).await? else {
        for (purpose, kind) in [
            (
                Purpose::Invitation,
                "the one-time code of an invitation link",
            ),
            (
                Purpose::SetUp,
                "the one-time code for making the first administrator",
            ),
        ] {
            if let Some(user_id) = context
                .store
                .find_verification_token(purpose, &hash, now)
                .await?
            {
                step("kind", kind)?;
                user_id.map_or(Ok(()), |user_id| step("user", user_id))?;
                return step(
                    "so it",
                    "is good: it was not used or replaced and has not expired",
                );
            }
        }
        step("kind", "has the form of a refresh token or one-time code")?;
        return conclude(
            false,
            "this server issued none like it, or has forgotten it",
        );
    };
    step("kind", "a refresh token")?;
    let next = context
        .store
        .find_refresh_token(&token_hash(successor(context, token.reveal()).reveal()))
        .await?;
    let presented = judge(successor_of(&found, next.as_ref()), now);
    let rotated = found
        .consumed_at
        .map_or_else(|| "never".to_owned(), |at| instant_from(at, now));
    step("rotated", rotated)?;
    let record = context.store.find_session(found.session_id, now).await?;
    let Some(record) = record else {
        return conclude(false, "its session does not exist any more");
    };
    let (live, because) = show_session(context, record.id, record.user_id, None, now).await?;
    if !live {
        return conclude(false, because);
    }
    match presented {
        Presented::Rotate => conclude(true, "its next use rotates it"),
        Presented::AnswerLost => conclude(
            true,
            "nobody is known to have its successor yet, so it gets the same one again",
        ),
        Presented::OtherTab => {
            let seconds = GRACE.num_seconds();
            conclude(
                true,
                format!(
                    "within {seconds} seconds, like another tab, it gets the same successor again"
                ),
            )
        }
        Presented::Reused => conclude(
            false,
            "its successor is in use; using it again ends its session (refresh-reuse)",
        ),
    }
}
