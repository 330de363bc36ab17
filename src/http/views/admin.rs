//! The console's overview and its pages about sessions.
//!
//! Figures and rows come ready made; links to the next page are addresses whoever fills the page in
//! has built.

use serde::Serialize;

use super::audit::AuditRow;
use super::sessions::SessionCard;
use super::{NoticeKind, Page, Section, Shell, samples};

/// `/admin`: figures of the last day and the newest acts.
#[derive(Clone, Serialize)]
pub struct AdminOverviewPage {
    /// The frame.
    pub shell: Shell,
    /// All users.
    pub users: u64,
    /// Those of them who are disabled.
    pub disabled_users: u64,
    /// Live sessions.
    pub live_sessions: u64,
    /// Users with at least one live session.
    pub signed_in_users: u64,
    /// Sign-ins of the last 24 hours.
    pub sign_ins_24h: u64,
    /// Refused sign-ins of the last 24 hours.
    pub failed_sign_ins_24h: u64,
    /// Ended sessions of the last 24 hours, by reason.
    pub ended_24h: Vec<ReasonCount>,
    /// The newest acts.
    pub recent: Vec<AuditRow>,
    /// Of the server that draws the page.
    pub node: NodeFigures,
    /// Idle timeout in words, e.g. "1 hour".
    pub idle_limit: String,
    /// Absolute lifetime in words.
    pub absolute_limit: String,
    /// Idle timeout of remembered sessions in words.
    pub remembered_idle_limit: String,
    /// Absolute lifetime of remembered sessions in words.
    pub remembered_absolute_limit: String,
}

/// What one server knows of itself. Durations are in words.
#[derive(Clone, Serialize)]
pub struct NodeFigures {
    /// Within which it learns of changes made elsewhere.
    pub bound: String,
    /// How long the latest changes took.
    pub visible: Option<VisibleFigures>,
    /// How long ago it read the change list.
    pub lag: Option<String>,
    /// Access tokens checked.
    pub checks: u64,
    /// The part of them that needed no database, e.g. "99.9 %".
    pub from_memory: String,
    /// Sessions held in memory.
    pub held: u64,
}

/// How long the latest changes took to be seen, in words.
#[derive(Clone, Serialize)]
pub struct VisibleFigures {
    /// Half of them took no longer.
    pub median: String,
    /// 99 of 100 took no longer.
    pub p99: String,
    /// None took longer.
    pub longest: String,
}

/// How many sessions ended for one reason.
#[derive(Clone, Serialize)]
pub struct ReasonCount {
    /// The reason, in words.
    pub reason: String,
    /// How many.
    pub count: u64,
}

impl Page for AdminOverviewPage {
    const TEMPLATE: &'static str = "admin_overview.html";

    fn samples() -> Vec<Self> {
        let count = |reason: &str, count: u64| ReasonCount {
            reason: reason.to_owned(),
            count,
        };
        let busy = Self {
            shell: samples::admin("Overview", Section::AdminOverview),
            users: 1_284,
            disabled_users: 12,
            live_sessions: 2_051,
            signed_in_users: 907,
            sign_ins_24h: 1_533,
            failed_sign_ins_24h: 48,
            ended_24h: vec![
                count("signed out", 611),
                count("idle too long", 540),
                count("ended by an administrator", 1),
            ],
            recent: AuditRow::samples(),
            node: NodeFigures {
                bound: "1 second".to_owned(),
                visible: Some(VisibleFigures {
                    median: "3 ms".to_owned(),
                    p99: "11 ms".to_owned(),
                    longest: "48 ms".to_owned(),
                }),
                lag: Some("120 ms".to_owned()),
                checks: 1_204_551,
                from_memory: "99.98 %".to_owned(),
                held: 1_876,
            },
            idle_limit: "1 hour".to_owned(),
            absolute_limit: "8 hours".to_owned(),
            remembered_idle_limit: "7 days".to_owned(),
            remembered_absolute_limit: "30 days".to_owned(),
        };
        vec![
            Self {
                users: 1,
                disabled_users: 0,
                live_sessions: 1,
                signed_in_users: 1,
                sign_ins_24h: 1,
                failed_sign_ins_24h: 0,
                ended_24h: Vec::new(),
                recent: Vec::new(),
                node: NodeFigures {
                    visible: None,
                    lag: None,
                    checks: 0,
                    from_memory: "–".to_owned(),
                    held: 1,
                    ..busy.node.clone()
                },
                ..busy.clone()
            },
            busy,
        ]
    }
}

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
