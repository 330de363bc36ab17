//! What a mail says about an act, and to whom it goes. Nobody is written to about what no longer
//! concerns them.

mod email;

use chrono::{DateTime, Utc};

use crate::rules::audit;
use crate::rules::outbox::Delivery;
use crate::rules::record::{SessionRecord, UserRecord};
use crate::service::Context;
use crate::service::error::Error;
use crate::service::invitation;
use crate::service::links::{REPORT_LIFETIME, RESET_LIFETIME, Wanted, ensure_link, kept_link};
use crate::service::mail::letter::{Action, Fact, Letter};
use crate::service::tokens::mail_tag;
use crate::settings::Secret;
use crate::store::verification_tokens::Purpose;

/// The mail about one act, and the address it goes to; none where there is nobody to tell, or nothing
/// any more.
pub(super) async fn compose(
    context: &Context,
    delivery: &Delivery,
) -> Result<Option<(String, Letter)>, Error> {
    let Some(user_id) = delivery.subject_id else {
        return Ok(None);
    };
    let Some(user) = context.store.find_user(user_id, context.now()).await? else {
        return Ok(None);
    };
    let letter = match audit::Action::from_code(&delivery.action) {
        Some(audit::Action::PasswordChanged) => Some(password_changed(context, delivery, &user)),
        Some(audit::Action::RefreshReused) => Some(refresh_reused(context, delivery, &user).await?),
        Some(audit::Action::NewDevice) => new_device(context, delivery, &user).await?,
        Some(audit::Action::ResetAsked) => reset_asked(context, delivery, &user).await?,
        Some(audit::Action::InvitationMade) => invited(context, delivery, &user).await?,
        Some(audit::Action::EmailChangeAsked) if delivery.link_id.is_some() => {
            email::to_confirm(context, delivery, &user).await?
        }
        Some(audit::Action::EmailChangeAsked) => email::asked(context, delivery, &user).await?,
        Some(audit::Action::EmailChanged) => Some(email::changed(context, delivery, &user)),
        Some(audit::Action::EmailVerifyAsked) => email::to_verify(context, delivery, &user).await?,
        // Nothing else is put into the outbox for mail.
        Some(_) | None => None,
    };
    let to = delivery.address.clone().unwrap_or(user.email);
    Ok(letter.map(|letter| (to, letter)))
}

fn letter(context: &Context, user: &UserRecord, subject: &str) -> Letter {
    Letter {
        subject: subject.to_owned(),
        name: user.name.clone(),
        paragraphs: Vec::new(),
        facts: Vec::new(),
        action: None,
        closing: Vec::new(),
        site: context.settings.public_url.clone(),
    }
}

fn words(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn when(at: DateTime<Utc>) -> String {
    at.format("%-d %b %Y, %H:%M UTC").to_string()
}

fn action(label: &str, url: &str) -> Option<Action> {
    Some(Action {
        label: label.to_owned(),
        url: url.to_owned(),
    })
}

/// When, from where, with what.
fn circumstances(delivery: &Delivery, session: Option<&SessionRecord>) -> Vec<Fact> {
    let mut facts = vec![Fact {
        label: "When",
        value: when(delivery.at),
    }];
    if let Some(session) = session {
        let device = &session.device;
        let parts = [&device.browser, &device.os, &device.device];
        let known: Vec<&str> = parts
            .into_iter()
            .map(String::as_str)
            .filter(|part| !part.is_empty())
            .collect();
        let value = if known.is_empty() {
            "unknown".to_owned()
        } else {
            known.join(", ")
        };
        facts.push(Fact {
            label: "Device",
            value,
        });
    }
    if let Some(place) = session.and_then(|session| session.place.as_ref()) {
        facts.push(Fact {
            label: "Place, roughly",
            value: place.clone(),
        });
    }
    if let Some(ip) = &delivery.ip {
        facts.push(Fact {
            label: "Address",
            value: ip.clone(),
        });
    }
    facts
}

async fn session_of(
    context: &Context,
    delivery: &Delivery,
) -> Result<Option<SessionRecord>, Error> {
    match delivery.session_id {
        Some(session_id) => Ok(context
            .store
            .find_session(session_id, context.now())
            .await?),
        None => Ok(None),
    }
}

fn password_changed(context: &Context, delivery: &Delivery, user: &UserRecord) -> Letter {
    let site = &context.settings.public_url;
    Letter {
        paragraphs: words(&["The password of your account was changed."]),
        facts: circumstances(delivery, None),
        action: action(
            "It was not you? Choose a new one",
            &format!("{site}/reset-password"),
        ),
        closing: words(&["If it was you, there is nothing to do."]),
        ..letter(context, user, "Your password was changed")
    }
}

async fn refresh_reused(
    context: &Context,
    delivery: &Delivery,
    user: &UserRecord,
) -> Result<Letter, Error> {
    let session = session_of(context, delivery).await?;
    let site = &context.settings.public_url;
    Ok(Letter {
        paragraphs: words(&[
            "Somebody may have copied one of your sessions: something that only your own browser or app can know was used a second time. The session was ended, on every copy of it.",
        ]),
        facts: circumstances(delivery, session.as_ref()),
        action: action("See your sessions", &format!("{site}/account/sessions")),
        closing: words(&[
            "You can sign in again as usual. If this comes again, look for malicious software on that device and change your password.",
        ]),
        ..letter(context, user, "One of your sessions may have been copied")
    })
}

async fn new_device(
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
            "Somebody signed in to your account from a device or a network that you have not used lately.",
        ]),
        facts: circumstances(delivery, session.as_ref()),
        action: action("This was not me", url.reveal()),
        closing: words(&[
            "Behind the link you can end that session and all others, and choose a new password.",
            "If it was you, there is nothing to do.",
        ]),
        ..letter(context, user, "A new sign-in to your account")
    }))
}

/// The link on which to say that what was done in a session was somebody else.
async fn report_link(
    context: &Context,
    delivery: &Delivery,
    user: &UserRecord,
) -> Result<Option<Secret>, Error> {
    let wanted = Wanted {
        id: delivery.id,
        purpose: Purpose::Report,
        user_id: user.id,
        session_id: delivery.session_id,
        email: delivery.address.as_ref().unwrap_or(&user.email).clone(),
        expires_at: delivery.at + REPORT_LIFETIME,
    };
    ensure_link(context, wanted).await
}

async fn reset_asked(
    context: &Context,
    delivery: &Delivery,
    user: &UserRecord,
) -> Result<Option<Letter>, Error> {
    if user.disabled_at.is_some() {
        return Ok(None);
    }
    let expires_at = delivery.at + RESET_LIFETIME;
    let wanted = Wanted {
        id: delivery.id,
        purpose: Purpose::Reset,
        user_id: user.id,
        session_id: None,
        email: user.email.clone(),
        expires_at,
    };
    let Some(url) = ensure_link(context, wanted).await? else {
        return Ok(None);
    };
    Ok(Some(Letter {
        paragraphs: words(&[
            "Somebody, most likely you, asked for a new password for your account.",
        ]),
        action: action("Choose a new password", url.reveal()),
        closing: vec![
            format!(
                "The link works once, until {}. An older one does not work any more.",
                when(expires_at)
            ),
            "If you did not ask for it, there is nothing to do: your password stays as it is."
                .to_owned(),
        ],
        ..letter(context, user, "Choose a new password")
    }))
}

async fn invited(
    context: &Context,
    delivery: &Delivery,
    user: &UserRecord,
) -> Result<Option<Letter>, Error> {
    let kept = kept(context, Purpose::Invitation, delivery).await?;
    let (Some(url), Some(id)) = (kept, delivery.link_id) else {
        return Ok(None);
    };
    // The administrator sees the same link without this, and so cannot speak for the mailbox.
    let url = format!("{url}&mailed={}", mail_tag(context, id).reveal());
    let first = !user.has_password;
    let (subject, told) = if first {
        ("You are invited", "An account was made for you.")
    } else {
        (
            "Choose a new password",
            "An administrator made a link for you on which to choose a new password.",
        )
    };
    Ok(Some(Letter {
        paragraphs: words(&[told]),
        action: action("Choose your password", &url),
        closing: vec![format!(
            "The link works once, until {}. Your name to sign in with is {}.",
            when(delivery.at + invitation::LIFETIME),
            user.email
        )],
        ..letter(context, user, subject)
    }))
}

async fn kept(
    context: &Context,
    purpose: Purpose,
    delivery: &Delivery,
) -> Result<Option<String>, Error> {
    let Some(id) = delivery.link_id else {
        return Ok(None);
    };
    let url = kept_link(context, purpose, id).await?;
    Ok(url.map(|url| url.reveal().to_owned()))
}
