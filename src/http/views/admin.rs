//! The console's pages about sessions.
//!
//! Rows come ready made; links to the next page are addresses whoever fills the page in
//! has built.

use serde::Serialize;

use super::sessions::SessionCard;
use super::{NoticeKind, Page, Section, Shell, samples};

/// `/admin/sessions`: everyone's sessions, searched.
#[derive(Clone, Serialize)]
pub struct AdminSessionsPage {
    /// The frame.
    pub shell: Shell,
    /// One page of what was found.
    pub rows: Vec<AdminSessionRow>,
    /// What was searched for.
    pub q: String,
    /// `live`, `ended` or `all`.
    pub status: String,
    /// Name or e-mail address of the user the list is narrowed to.
    pub user: Option<String>,
    /// Id of that user.
    pub user_id: Option<String>,
    /// How many were found in all, counted no further than the store counts.
    pub total: u64,
    /// Address of the next page of the list.
    pub next_url: Option<String>,
    /// Address of the first page of the list, unless this is it.
    pub first_url: Option<String>,
    /// Path and query of this page, to come back to.
    pub back: String,
}

/// A session with its owner.
#[derive(Clone, Serialize)]
pub struct AdminSessionRow {
    /// The session.
    pub card: SessionCard,
    /// Its owner's id.
    pub user_id: String,
    /// Its owner's e-mail address.
    pub user_email: String,
    /// Its owner's name; may be empty.
    pub user_name: String,
}

impl Page for AdminSessionsPage {
    const TEMPLATE: &'static str = "admin_sessions.html";

    fn samples() -> Vec<Self> {
        let shell = samples::admin("Sessions", Section::AdminSessions);
        let row = |card: SessionCard, user: u8, email: &str, name: &str| AdminSessionRow {
            card,
            user_id: samples::id(user),
            user_email: email.to_owned(),
            user_name: name.to_owned(),
        };
        let mut rows = vec![
            row(samples::this_device(), 2, "grace@example.org", ""),
            row(samples::phone(), 1, "ada@example.org", "Ada Lovelace"),
            row(
                samples::unknown_device(),
                3,
                "a.very.long.address.indeed@subdivision.example.com",
                "Alan Turing",
            ),
        ];
        let live = Self {
            shell: shell.clone(),
            rows: rows.clone(),
            q: String::new(),
            status: "live".to_owned(),
            user: None,
            user_id: None,
            total: 2_051,
            next_url: Some("/admin/sessions?status=live&cursor=abc".to_owned()),
            first_url: None,
            back: "/admin/sessions".to_owned(),
        };
        rows.extend(
            samples::ended()
                .into_iter()
                .map(|card| row(card, 1, "ada@example.org", "Ada Lovelace")),
        );
        vec![
            live.clone(),
            Self {
                shell: samples::noticed(
                    shell,
                    NoticeKind::Success,
                    "The session of ada@example.org has been ended.",
                ),
                rows,
                q: "ada".to_owned(),
                status: "all".to_owned(),
                user: Some("Ada Lovelace".to_owned()),
                user_id: Some(samples::id(1)),
                total: 6,
                next_url: None,
                first_url: Some("/admin/sessions?status=all&q=ada".to_owned()),
                back: "/admin/sessions?status=all&q=ada&cursor=abc".to_owned(),
            },
            Self {
                rows: Vec::new(),
                status: "ended".to_owned(),
                total: 1,
                next_url: None,
                ..live.clone()
            },
            Self {
                rows: Vec::new(),
                q: "nobody".to_owned(),
                total: 0,
                next_url: None,
                ..live
            },
        ]
    }
}

/// `/admin/sessions/end-all`: what will happen, and the button.
#[derive(Clone, Serialize)]
pub struct EndEveryonePage {
    /// The frame.
    pub shell: Shell,
    /// Live sessions, the administrator's own included.
    pub live_sessions: u64,
    /// Users they belong to.
    pub users: u64,
}

impl Page for EndEveryonePage {
    const TEMPLATE: &'static str = "end_everyone.html";

    fn samples() -> Vec<Self> {
        let shell = samples::admin("End everyone's sessions", Section::AdminSessions);
        vec![
            Self {
                shell: shell.clone(),
                live_sessions: 2_051,
                users: 907,
            },
            Self {
                shell,
                live_sessions: 1,
                users: 1,
            },
        ]
    }
}
