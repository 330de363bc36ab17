//! Mails about the e-mail address itself.

use crate::rules::outbox::Delivery;
use crate::rules::record::UserRecord;
use crate::service::Context;
use crate::service::error::Error;
use crate::service::mail::compose::{
    action, circumstances, kept, letter, report_link, session_of, words,
};
use crate::service::mail::letter::Letter;
use crate::store::verification_tokens::Purpose;

/// To the new address, with the link that confirms it.
pub(super) async fn to_confirm(
    context: &Context,
    delivery: &Delivery,
    user: &UserRecord,
) -> Result<Option<Letter>, Error> {
    let Some(url) = kept(context, Purpose::EmailChange, delivery).await? else {
        return Ok(None);
    };
    Ok(Some(Letter {
        paragraphs: words(&[
            "Somebody, most likely you, wants to use this e-mail address for their account. It counts once it is confirmed.",
        ]),
        action: action("Confirm this address", &url),
        closing: words(&[
            "The link works once, for a day. If it was not you, there is nothing to do.",
        ]),
        ..letter(context, user, "Confirm your e-mail address")
    }))
}

/// To the old address, whether or not the new one was confirmed before this could be delivered: no
/// other mail has the link.
pub(super) async fn asked(
    context: &Context,
    delivery: &Delivery,
    user: &UserRecord,
) -> Result<Option<Letter>, Error> {
    let Some(url) = report_link(context, delivery, user).await? else {
        return Ok(None);
    };
    let session = session_of(context, delivery).await?;
    Ok(Some(Letter {
        paragraphs: words(&[
            "Somebody who is signed in to your account asked to change its e-mail address. It changes once the new address is confirmed; until then this one counts.",
        ]),
        facts: circumstances(delivery, session.as_ref()),
        action: action("This was not me", url.reveal()),
        closing: words(&[
            "Behind the link you can end that session and all others, and choose a new password; the address then stays as it is. If it has changed by then, the account is disabled until your administrator knows whose it is.",
            "If it was you, there is nothing to do here.",
        ]),
        ..letter(context, user, "Your e-mail address is to be changed")
    }))
}

/// To the old address and to the new one.
pub(super) fn changed(context: &Context, delivery: &Delivery, user: &UserRecord) -> Letter {
    Letter {
        paragraphs: words(&[
            "The e-mail address of your account was changed. From now on you sign in with the new one, and mails go there.",
        ]),
        facts: circumstances(delivery, None),
        closing: words(&["If it was not you, tell your administrator at once."]),
        ..letter(context, user, "Your e-mail address was changed")
    }
}

/// To the address that counts, with the link that proves who gets its mail.
pub(super) async fn to_verify(
    context: &Context,
    delivery: &Delivery,
    user: &UserRecord,
) -> Result<Option<Letter>, Error> {
    let Some(url) = kept(context, Purpose::EmailVerify, delivery).await? else {
        return Ok(None);
    };
    Ok(Some(Letter {
        paragraphs: words(&[
            "Somebody, most likely you, wants to show that mails to this address reach whom they are for.",
        ]),
        action: action("Verify this address", &url),
        closing: words(&[
            "The link works once, for an hour. If it was not you, there is nothing to do.",
        ]),
        ..letter(context, user, "Verify your e-mail address")
    }))
}
