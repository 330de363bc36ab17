//! Who did what: the audit's page, and the row it shares with the overview.
//!
//! Acts arrive as words; which acts there are is known elsewhere and comes as the choices of the
//! filter.

use serde::Serialize;

use super::{Instant, Page, Section, Shell, samples};

/// One act.
#[derive(Clone, Serialize)]
pub struct AuditRow {
    /// When.
    pub at: Instant,
    /// What, in words.
    pub action: String,
    /// Who.
    pub actor: String,
    /// Whom it was done to, in words.
    pub subject: Option<String>,
    /// Their user id, where they can be looked up; a deleted user can't.
    pub subject_id: Option<String>,
    /// The session concerned.
    pub session_id: Option<String>,
    /// Address it came from, for as long as that is kept.
    pub ip: Option<String>,
    /// Whether somebody did it from an address at all, and not this server by itself.
    pub by_somebody: bool,
    /// Why, in words.
    pub reason: Option<String>,
    /// The receipt of the larger act that it is a part of.
    pub receipt_id: Option<String>,
    /// Anything more.
    pub detail: Option<String>,
}

impl AuditRow {
    /// Rows with everything, with as little as possible, and one in between.
    pub(super) fn samples() -> Vec<Self> {
        let least = Self {
            at: samples::instant(-3 * 3_600),
            action: "Server started".to_owned(),
            actor: "system".to_owned(),
            subject: None,
            subject_id: None,
            session_id: None,
            ip: None,
            by_somebody: false,
            reason: None,
            receipt_id: None,
            detail: None,
        };
        vec![
            Self {
                at: samples::instant(-180),
                action: "Session ended".to_owned(),
                actor: "grace@example.org".to_owned(),
                subject: Some("ada@example.org".to_owned()),
                subject_id: Some(samples::id(1)),
                session_id: Some(samples::id(32)),
                ip: Some("2001:db8:4a1:77::1f".to_owned()),
                by_somebody: true,
                reason: Some("ended by an administrator".to_owned()),
                receipt_id: Some(samples::id(64)),
                detail: Some("Safari 26 on iOS".to_owned()),
            },
            Self {
                at: samples::instant(-900),
                action: "User deleted".to_owned(),
                actor: "command line".to_owned(),
                subject: Some("somebody who is gone".to_owned()),
                ..least.clone()
            },
            Self {
                action: "Signed in".to_owned(),
                actor: "ada@example.org".to_owned(),
                by_somebody: true,
                ..least.clone()
            },
            least,
        ]
    }
}

/// One act the filter can be set to.
#[derive(Clone, Serialize)]
pub struct ActionChoice {
    /// What the form sends.
    pub value: String,
    /// What people read.
    pub label: String,
}

/// `/admin/audit`: every act, newest first.
#[derive(Clone, Serialize)]
pub struct AuditPage {
    /// The frame.
    pub shell: Shell,
    /// One page of what was found.
    pub rows: Vec<AuditRow>,
    /// Address of the next page of the list.
    pub next_url: Option<String>,
    /// Address of the first page of the list, unless this is it.
    pub first_url: Option<String>,
    /// The user searched for, by e-mail address or id.
    pub q: String,
    /// The act searched for; empty is any.
    pub action: String,
    /// The acts to choose from.
    pub actions: Vec<ActionChoice>,
    /// The receipt whose acts are shown alone.
    pub receipt: Option<String>,
}

impl Page for AuditPage {
    const TEMPLATE: &'static str = "audit.html";

    fn samples() -> Vec<Self> {
        let choice = |value: &str, label: &str| ActionChoice {
            value: value.to_owned(),
            label: label.to_owned(),
        };
        let all = Self {
            shell: samples::admin("Audit", Section::AdminAudit),
            rows: AuditRow::samples(),
            next_url: Some("/admin/audit?cursor=abc".to_owned()),
            first_url: None,
            q: String::new(),
            action: String::new(),
            actions: vec![
                choice("session-ended", "Session ended"),
                choice("user-deleted", "User deleted"),
            ],
            receipt: None,
        };
        vec![
            Self {
                rows: AuditRow::samples().into_iter().take(1).collect(),
                next_url: None,
                first_url: Some("/admin/audit?q=ada%40example.org&action=session-ended".to_owned()),
                q: "ada@example.org".to_owned(),
                action: "session-ended".to_owned(),
                receipt: Some(samples::id(64)),
                ..all.clone()
            },
            Self {
                rows: Vec::new(),
                next_url: None,
                ..all.clone()
            },
            Self {
                rows: Vec::new(),
                next_url: None,
                q: "nobody".to_owned(),
                ..all.clone()
            },
            all,
        ]
    }
}
