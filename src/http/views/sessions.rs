//! Sessions on a page: the card every list of sessions is made of, and a person's own list.
//!
//! Knows what a card shows, not whether a session is live; whoever fills it in has judged that.

use serde::Serialize;

use super::{Instant, NoticeKind, Page, Section, Shell, samples};

/// One session as people see it. Used by the account pages and the console alike.
#[derive(Clone, Serialize)]
pub struct SessionCard {
    /// Its id, a name rather than a secret.
    pub id: String,
    /// Whether it is the session this page was asked for with.
    pub current: bool,
    /// A name the person gave it.
    pub name: Option<String>,
    /// Kind of device; may be empty.
    pub device: String,
    /// Browser; may be empty.
    pub browser: String,
    /// Operating system; may be empty.
    pub os: String,
    /// Address it was opened from, for as long as that is kept.
    pub ip: Option<String>,
    /// Where that is, roughly, in words.
    pub place: Option<String>,
    /// When it began.
    pub created_at: Instant,
    /// When it was last used.
    pub last_seen_at: Instant,
    /// When it ends if nobody uses it.
    pub idle_expires_at: Instant,
    /// When it ends in any case.
    pub expires_at: Instant,
    /// Whether the person asked to stay signed in.
    pub remembered: bool,
    /// When it ended.
    pub ended_at: Option<Instant>,
    /// Why it ended, in words.
    pub end_reason: Option<String>,
    /// Whether somebody or something other than its owner ended it.
    pub ended_by_other: bool,
    /// Why an administrator opened it as this user, if one did.
    pub opened_by_admin: Option<String>,
}

/// `/account/sessions`: a person's own sessions.
#[derive(Clone, Serialize)]
pub struct SessionsPage {
    /// The frame.
    pub shell: Shell,
    /// Live ones; the current one first reads best.
    pub live: Vec<SessionCard>,
    /// Recently ended ones.
    pub ended: Vec<SessionCard>,
    /// How many live ones are not the current one.
    pub others: u64,
    /// Longest name of a device.
    pub name_max_chars: u32,
    /// The session whose new name was refused.
    pub named: Option<String>,
    /// The name that was typed.
    pub typed: String,
    /// Why it was refused.
    pub problem: Option<String>,
}

impl Page for SessionsPage {
    const TEMPLATE: &'static str = "sessions.html";

    fn samples() -> Vec<Self> {
        let shell = samples::member("Your sessions", Section::Sessions);
        let bare = Self {
            shell: shell.clone(),
            live: Vec::new(),
            ended: Vec::new(),
            others: 0,
            name_max_chars: 60,
            named: None,
            typed: String::new(),
            problem: None,
        };
        vec![
            Self {
                shell: samples::noticed(shell, NoticeKind::Success, "That session has been ended."),
                live: vec![
                    samples::this_device(),
                    samples::phone(),
                    samples::unknown_device(),
                    samples::looked_on(),
                ],
                ended: samples::ended(),
                others: 3,
                ..bare.clone()
            },
            Self {
                live: vec![samples::this_device(), samples::phone()],
                others: 1,
                named: Some(samples::phone().id),
                typed: "a\u{202e}b".to_owned(),
                problem: Some(
                    "The name has a character that cannot be printed (U+202E).".to_owned(),
                ),
                ..bare.clone()
            },
            Self {
                live: vec![samples::this_device()],
                ..bare.clone()
            },
            bare,
        ]
    }
}
