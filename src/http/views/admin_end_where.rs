//! The page on which an administrator says which sessions to end, sees which these are, and ends
//! them.

use serde::Serialize;

use super::{AdminSessionRow, Page, Section, Shell, samples};

/// The fields, as typed.
#[derive(Clone, Debug, Default, Serialize)]
pub struct EndWhereFields {
    /// A user's e-mail address or id.
    pub user: String,
    /// A role.
    pub role: String,
    /// An organisation's short name or id.
    pub organization: String,
    /// A network.
    pub cidr: String,
    /// A method of proof.
    pub method: String,
    /// An instant, in UTC.
    pub signed_in_before: String,
    /// Minutes without use.
    pub idle_minutes: String,
    /// A part of what browsers say of themselves.
    pub user_agent: String,
}

/// What would be ended.
#[derive(Clone, Serialize)]
pub struct EndWhereFound {
    /// Sessions that match, without one's own.
    pub sessions: u64,
    /// Users whose they are.
    pub users: u64,
    /// Whether the administrator's own session matches too.
    pub own: bool,
    /// The newest of them.
    pub rows: Vec<AdminSessionRow>,
    /// What was understood, a criterion each.
    pub criteria: Vec<String>,
    /// Where the button leads.
    pub url: String,
}

/// `/admin/sessions/end-where`
#[derive(Clone, Serialize)]
pub struct EndWherePage {
    /// The frame.
    pub shell: Shell,
    /// What was typed.
    pub fields: EndWhereFields,
    /// What would be ended; none before anything was asked for.
    pub found: Option<EndWhereFound>,
    /// What was wrong.
    pub problem: Option<String>,
}

impl Page for EndWherePage {
    const TEMPLATE: &'static str = "end_where.html";

    fn samples() -> Vec<Self> {
        let bare = Self {
            shell: samples::admin("End many sessions", Section::AdminSessions),
            fields: EndWhereFields::default(),
            found: None,
            problem: None,
        };
        let row = |card, name: &str| AdminSessionRow {
            card,
            user_id: samples::id(1),
            user_email: "ada@example.org".to_owned(),
            user_name: name.to_owned(),
        };
        let found = EndWhereFound {
            sessions: 1_204,
            users: 1,
            own: true,
            rows: vec![
                row(samples::phone(), "Ada Lovelace"),
                row(samples::unknown_device(), ""),
            ],
            criteria: vec!["role editor".to_owned(), "cidr 203.0.113.0/24".to_owned()],
            url: "/admin/sessions/end-where?role=editor&cidr=203.0.113.0%2F24".to_owned(),
        };
        let fields = EndWhereFields {
            role: "editor".to_owned(),
            cidr: "203.0.113.0/24".to_owned(),
            ..EndWhereFields::default()
        };
        let with = |found: EndWhereFound| Self {
            fields: fields.clone(),
            found: Some(found),
            ..bare.clone()
        };
        vec![
            bare.clone(),
            with(found.clone()),
            with(EndWhereFound {
                sessions: 1,
                own: false,
                rows: found.rows.iter().take(1).cloned().collect(),
                ..found.clone()
            }),
            with(EndWhereFound {
                sessions: 0,
                users: 0,
                own: true,
                rows: Vec::new(),
                ..found.clone()
            }),
            with(EndWhereFound {
                sessions: 0,
                users: 0,
                own: false,
                rows: Vec::new(),
                ..found
            }),
            Self {
                fields: EndWhereFields {
                    user: "ada@example.org".to_owned(),
                    organization: "engines".to_owned(),
                    cidr: "203.0.113.0/99".to_owned(),
                    method: "pwd".to_owned(),
                    signed_in_before: "2026-11-25T17:00".to_owned(),
                    idle_minutes: "90".to_owned(),
                    user_agent: "Firefox/1".to_owned(),
                    ..EndWhereFields::default()
                },
                problem: Some(
                    "cidr: `203.0.113.0/99` is neither a network nor an address.".to_owned(),
                ),
                ..bare
            },
        ]
    }
}
