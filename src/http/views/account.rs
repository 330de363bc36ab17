//! A person's own account: who they are here, and their password.
//!
//! Passwords are never part of a page: what was typed is not sent back.

use serde::Serialize;

use super::{Instant, NoticeKind, Page, Section, Shell, samples};

/// `/account`: the profile.
#[derive(Clone, Serialize)]
pub struct AccountPage {
    /// The frame.
    pub shell: Shell,
    /// E-mail address.
    pub email: String,
    /// Whether it is known that mails to it arrive.
    pub email_verified: bool,
    /// Name; may be empty.
    pub name: String,
    /// Roles.
    pub roles: Vec<String>,
    /// Name of the organisation.
    pub organization: Option<String>,
    /// How many of their sessions are live, this one included.
    pub live_sessions: u64,
    /// When the password was last changed.
    pub password_changed_at: Option<Instant>,
    /// When the account was made.
    pub created_at: Instant,
    /// Why the last try to have the address verified was refused.
    pub problem: Option<String>,
}

impl Page for AccountPage {
    const TEMPLATE: &'static str = "account.html";

    fn samples() -> Vec<Self> {
        let full = Self {
            shell: samples::member("Your account", Section::Account),
            email: "ada@example.org".to_owned(),
            email_verified: true,
            name: "Ada Lovelace".to_owned(),
            roles: vec!["editor".to_owned(), "billing".to_owned()],
            organization: Some("Analytical Engines".to_owned()),
            live_sessions: 3,
            password_changed_at: Some(samples::instant(-40 * 86_400)),
            created_at: samples::instant(-400 * 86_400),
            problem: None,
        };
        vec![
            Self {
                shell: samples::looking_on("Your account", Section::Account, true),
                ..full.clone()
            },
            Self {
                shell: samples::looking_on("Your account", Section::Account, false),
                ..full.clone()
            },
            Self {
                shell: samples::admin("Your account", Section::Account),
                email: "grace@example.org".to_owned(),
                email_verified: false,
                problem: Some("Too many mails were asked for. Try again in 2 minutes.".to_owned()),
                name: String::new(),
                roles: Vec::new(),
                organization: None,
                live_sessions: 1,
                password_changed_at: None,
                ..full.clone()
            },
            full,
        ]
    }
}

/// `/account/security`: change the password.
#[derive(Clone, Serialize)]
pub struct SecurityPage {
    /// The frame.
    pub shell: Shell,
    /// Shortest password that is taken.
    pub min_chars: u32,
    /// Longest password that is taken.
    pub max_chars: u32,
    /// How many of the person's other sessions are live.
    pub other_sessions: u64,
    /// Why the last try was refused.
    pub problem: Option<String>,
}

impl Page for SecurityPage {
    const TEMPLATE: &'static str = "security.html";

    fn samples() -> Vec<Self> {
        let shell = samples::member("Security", Section::Security);
        let page = |other_sessions: u64, problem: Option<&str>| Self {
            shell: shell.clone(),
            min_chars: 15,
            max_chars: 256,
            other_sessions,
            problem: problem.map(str::to_owned),
        };
        let mut changed = page(1, None);
        changed.shell = samples::noticed(
            changed.shell,
            NoticeKind::Success,
            "Your password has been changed. 2 other sessions were ended.",
        );
        vec![
            page(2, None),
            page(0, Some("The current password is not right.")),
            changed,
        ]
    }
}
