//! Pages on the way in: sign-in, first set-up, invitation.
//!
//! They send back what somebody typed, except passwords: those are in no struct, so no page can
//! show them again.

use serde::Serialize;

use super::sessions::SessionCard;
use super::{NoticeKind, Page, Section, Shell, samples};

/// `/sign-in`. Why somebody was signed out comes as the frame's notice.
#[derive(Clone, Serialize)]
pub struct SignInPage {
    /// The frame.
    pub shell: Shell,
    /// What was typed before.
    pub email: String,
    /// Whether the box was ticked before.
    pub remember: bool,
    /// Path on this site to go to afterwards; may be empty.
    pub next: String,
    /// Why the last try was refused.
    pub problem: Option<String>,
}

impl Page for SignInPage {
    const TEMPLATE: &'static str = "sign_in.html";

    fn samples() -> Vec<Self> {
        let shell = samples::signed_out("Sign in");
        let empty = Self {
            shell: shell.clone(),
            email: String::new(),
            remember: false,
            next: String::new(),
            problem: None,
        };
        vec![
            empty.clone(),
            Self {
                shell: samples::noticed(
                    shell.clone(),
                    NoticeKind::Warning,
                    "You were signed out because an administrator ended this session on 21 Nov 2026, 08:12 UTC.",
                ),
                next: "/account/sessions?a=1&b=\"2\"".to_owned(),
                ..empty.clone()
            },
            Self {
                email: "ada@example.org".to_owned(),
                remember: true,
                problem: Some("The e-mail address or the password is not right.".to_owned()),
                ..empty.clone()
            },
            Self {
                shell: samples::noticed(shell, NoticeKind::Success, "You have signed out."),
                ..empty
            },
        ]
    }
}

/// In place of `/sign-in`, after the right password: which session ends, so that there is room.
#[derive(Clone, Serialize)]
pub struct ChooseSessionPage {
    /// The frame.
    pub shell: Shell,
    /// Stands for the proof that was given.
    pub choice_token: String,
    /// The live sessions.
    pub sessions: Vec<SessionCard>,
    /// Whether the box was ticked before.
    pub remember: bool,
    /// Path on this site to go to afterwards; may be empty.
    pub next: String,
    /// Why one must end.
    pub problem: String,
}

impl Page for ChooseSessionPage {
    const TEMPLATE: &'static str = "choose_session.html";

    fn samples() -> Vec<Self> {
        let page = |remember: bool, next: &str| {
            Self {
            shell: samples::signed_out("Choose a session to end"),
            choice_token: "sample-choice-token".to_owned(),
            sessions: vec![samples::phone(), samples::unknown_device()],
            remember,
            next: next.to_owned(),
            problem: "At most 2 sessions are allowed at once, and there is no room for one more. Choose one to end, to go on.".to_owned(),
        }
        };
        vec![page(false, ""), page(true, "/account/sessions")]
    }
}

/// `/set-up`: makes the first administrator.
#[derive(Clone, Serialize)]
pub struct SetUpPage {
    /// The frame.
    pub shell: Shell,
    /// The one-time code; filled in where the link carried it, typed by hand where not.
    pub code: String,
    /// What was typed before.
    pub email: String,
    /// What was typed before.
    pub name: String,
    /// Shortest password that is taken.
    pub min_chars: u32,
    /// Why the last try was refused.
    pub problem: Option<String>,
}

impl Page for SetUpPage {
    const TEMPLATE: &'static str = "set_up.html";

    fn samples() -> Vec<Self> {
        let shell = samples::signed_out("Set up Portcullis");
        vec![
            Self {
                shell: shell.clone(),
                code: "7Q4M-2KXD-9TRW".to_owned(),
                email: String::new(),
                name: String::new(),
                min_chars: 15,
                problem: None,
            },
            Self {
                shell,
                code: String::new(),
                email: "grace@example.org".to_owned(),
                name: "Grace Hopper".to_owned(),
                min_chars: 15,
                problem: Some("The two passwords are not the same.".to_owned()),
            },
        ]
    }
}

/// `/invitation`: choose a password behind a one-time link.
#[derive(Clone, Serialize)]
pub struct InvitationPage {
    /// The frame.
    pub shell: Shell,
    /// The link's token, sent back by the form.
    pub token: String,
    /// What the link has beside it where it came by mail, sent back too; else empty.
    pub mailed: String,
    /// Whose account it is.
    pub email: String,
    /// Their name; may be empty.
    pub name: String,
    /// Whether it is the account's first password; otherwise it replaces one.
    pub first: bool,
    /// Shortest password that is taken.
    pub min_chars: u32,
    /// Why the last try was refused.
    pub problem: Option<String>,
}

impl Page for InvitationPage {
    const TEMPLATE: &'static str = "invitation.html";

    fn samples() -> Vec<Self> {
        let first = Self {
            shell: samples::signed_out("Choose a password"),
            token: "sample-invitation-token".to_owned(),
            mailed: String::new(),
            email: "ada@example.org".to_owned(),
            name: "Ada Lovelace".to_owned(),
            first: true,
            min_chars: 15,
            problem: None,
        };
        vec![
            first.clone(),
            Self {
                mailed: "sample-mail-tag".to_owned(),
                name: String::new(),
                first: false,
                problem: Some(
                    "The password is too short: it needs at least 15 characters.".to_owned(),
                ),
                ..first
            },
        ]
    }
}

/// Behind an invitation link that was used, replaced or has expired. Says the same for all three,
/// and for links that never were, so that trying tells nothing.
#[derive(Clone, Serialize)]
pub struct InvitationDeadPage {
    /// The frame.
    pub shell: Shell,
}

impl Page for InvitationDeadPage {
    const TEMPLATE: &'static str = "invitation_dead.html";

    fn samples() -> Vec<Self> {
        vec![
            Self {
                shell: samples::signed_out("This link no longer works"),
            },
            Self {
                shell: samples::member("This link no longer works", Section::None),
            },
        ]
    }
}
