//! Pages that mails lead to, and those on which a mail is asked for.
//!
//! A page behind a link changes nothing by being looked at: what follows links in mails to see
//! whether they are harmful must do no harm itself.

use serde::Serialize;

use super::{Page, Section, SessionCard, Shell, samples};

/// `/reset-password`: asks for a link.
#[derive(Clone, Serialize)]
pub struct ResetPage {
    /// The frame.
    pub shell: Shell,
    /// What was typed before.
    pub email: String,
    /// Was a link asked for just now? Says nothing of whether there is such a user.
    pub asked: bool,
    /// Why the last try was refused.
    pub problem: Option<String>,
}

impl Page for ResetPage {
    const TEMPLATE: &'static str = "reset.html";

    fn samples() -> Vec<Self> {
        let page = |email: &str, asked: bool, problem: Option<&str>| Self {
            shell: samples::signed_out("Forgot your password?"),
            email: email.to_owned(),
            asked,
            problem: problem.map(str::to_owned),
        };
        vec![
            page("", false, None),
            page("ada@example.org", true, None),
            page(
                "ada@example.org",
                false,
                Some("There were too many failed attempts. Try again in 2 minutes."),
            ),
        ]
    }
}

/// `/new-password`: chooses a password behind a link.
#[derive(Clone, Serialize)]
pub struct NewPasswordPage {
    /// The frame.
    pub shell: Shell,
    /// The link's token, sent back by the form.
    pub token: String,
    /// Whose account it is.
    pub email: String,
    /// Shortest password that is taken.
    pub min_chars: u32,
    /// Were all sessions ended just now, by a report?
    pub reported: bool,
    /// Why the last try was refused.
    pub problem: Option<String>,
}

impl Page for NewPasswordPage {
    const TEMPLATE: &'static str = "new_password.html";

    fn samples() -> Vec<Self> {
        let page = |reported: bool, problem: Option<&str>| Self {
            shell: samples::signed_out("Choose a new password"),
            token: "sample-reset-token".to_owned(),
            email: "ada@example.org".to_owned(),
            min_chars: 15,
            reported,
            problem: problem.map(str::to_owned),
        };
        vec![
            page(false, None),
            page(true, None),
            page(false, Some("The two passwords are not the same.")),
        ]
    }
}

/// `/not-me`: reports a sign-in.
#[derive(Clone, Serialize)]
pub struct NotMePage {
    /// The frame.
    pub shell: Shell,
    /// The link's token, sent back by the form.
    pub token: String,
    /// Whose account it is.
    pub email: String,
    /// The session that was opened, if it is still known.
    pub card: Option<SessionCard>,
}

impl Page for NotMePage {
    const TEMPLATE: &'static str = "not_me.html";

    fn samples() -> Vec<Self> {
        let page = |card: Option<SessionCard>| Self {
            shell: samples::signed_out("Was this you?"),
            token: "sample-report-token".to_owned(),
            email: "ada@example.org".to_owned(),
            card,
        };
        let ended = samples::ended().into_iter().next();
        vec![
            page(Some(samples::unknown_device())),
            page(Some(samples::phone())),
            page(ended),
            page(None),
        ]
    }
}

/// `/account/email`: asks to change the address.
#[derive(Clone, Serialize)]
pub struct ChangeEmailPage {
    /// The frame.
    pub shell: Shell,
    /// The address of now.
    pub current: String,
    /// What was typed before.
    pub email: String,
    /// Was a link asked for just now?
    pub asked: bool,
    /// Why the last try was refused.
    pub problem: Option<String>,
}

impl Page for ChangeEmailPage {
    const TEMPLATE: &'static str = "change_email.html";

    fn samples() -> Vec<Self> {
        let page = |email: &str, asked: bool, problem: Option<&str>| Self {
            shell: samples::member("Change your e-mail address", Section::Security),
            current: "ada@example.org".to_owned(),
            email: email.to_owned(),
            asked,
            problem: problem.map(str::to_owned),
        };
        vec![
            page("", false, None),
            page("ada@new.example.org", true, None),
            page("ada", false, Some("This is no e-mail address.")),
        ]
    }
}

/// `/confirm-email`: confirms a new address behind a link.
#[derive(Clone, Serialize)]
pub struct ConfirmEmailPage {
    /// The frame.
    pub shell: Shell,
    /// The link's token, sent back by the form.
    pub token: String,
    /// The new address.
    pub email: String,
    /// Why the last try was refused.
    pub problem: Option<String>,
}

impl Page for ConfirmEmailPage {
    const TEMPLATE: &'static str = "confirm_email.html";

    fn samples() -> Vec<Self> {
        let page = |problem: Option<&str>| Self {
            shell: samples::signed_out("Confirm your e-mail address"),
            token: "sample-email-token".to_owned(),
            email: "ada@new.example.org".to_owned(),
            problem: problem.map(str::to_owned),
        };
        vec![page(None), page(Some("Somebody else uses it by now."))]
    }
}

/// `/verify-email`: shows behind a link that mails to the address arrive.
#[derive(Clone, Serialize)]
pub struct VerifyEmailPage {
    /// The frame.
    pub shell: Shell,
    /// The link's token, sent back by the form.
    pub token: String,
    /// The address.
    pub email: String,
}

impl Page for VerifyEmailPage {
    const TEMPLATE: &'static str = "verify_email.html";

    fn samples() -> Vec<Self> {
        vec![Self {
            shell: samples::signed_out("Verify your e-mail address"),
            token: "sample-verify-token".to_owned(),
            email: "ada@example.org".to_owned(),
        }]
    }
}
