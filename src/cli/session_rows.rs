//! How sessions are written.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::cli::output::{Row, instant};
use crate::rules::end_reason::EndReason;
use crate::rules::id::{SessionId, UserId};
use crate::rules::record::SessionRecord;

/// A session, as written.
#[derive(Debug, Serialize)]
pub(super) struct SessionRow {
    id: SessionId,
    user_id: UserId,
    email: String,
    name: Option<String>,
    created_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
    idle_expires_at: DateTime<Utc>,
    expires_at: DateTime<Utc>,
    ip: Option<String>,
    place: Option<String>,
    device: String,
    browser: String,
    os: String,
    amr: Vec<String>,
    remembered: bool,
    ended_at: Option<DateTime<Utc>>,
    end_reason: Option<EndReason>,
    ended_by: Option<UserId>,
    impersonator_id: Option<UserId>,
    impersonation_reason: Option<String>,
    read_only: bool,
}

impl SessionRow {
    /// A session of the user with this address.
    pub(super) fn new(session: SessionRecord, email: &str) -> Self {
        Self {
            id: session.id,
            user_id: session.user_id,
            email: email.to_owned(),
            name: session.name,
            created_at: session.created_at,
            last_seen_at: session.last_seen_at,
            idle_expires_at: session.idle_expires_at,
            expires_at: session.expires_at,
            ip: session.ip,
            place: session.place,
            device: session.device.device,
            browser: session.device.browser,
            os: session.device.os,
            amr: session.amr,
            remembered: session.remembered,
            ended_at: session.ended.map(|ended| ended.at),
            end_reason: session.ended.map(|ended| ended.reason),
            ended_by: session.ended_by,
            impersonator_id: session.opened_by.as_ref().map(|by| by.impersonator_id),
            read_only: session.opened_by.as_ref().is_some_and(|by| by.read_only),
            impersonation_reason: session.opened_by.map(|by| by.reason),
        }
    }
}

impl Row for SessionRow {
    const HEADINGS: &'static [&'static str] = &[
        "SESSION",
        "E-MAIL",
        "NAME",
        "SIGNED IN",
        "LAST SEEN",
        "ENDS OR ENDED",
        "REASON",
        "ADDRESS",
        "PLACE",
        "BROWSER",
        "SYSTEM",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.to_string(),
            self.email.clone(),
            self.name.clone().unwrap_or_default(),
            instant(self.created_at),
            instant(self.last_seen_at),
            instant(self.ended_at.unwrap_or(self.idle_expires_at)),
            self.end_reason.map_or("live", EndReason::code).to_owned(),
            self.ip.clone().unwrap_or_default(),
            self.place.clone().unwrap_or_default(),
            self.browser.clone(),
            self.os.clone(),
        ]
    }
}
