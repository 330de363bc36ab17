//! How sessions are written.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::cli::failure::Failure;
use crate::cli::output::{self, Row, instant, instant_from};
use crate::rules::end_reason::EndReason;
use crate::rules::id::{SessionId, UserId};
use crate::rules::record::SessionRecord;
use crate::rules::span;
use crate::service::Context;
use crate::service::policies::{effective_of, set_by};
use crate::service::users::get_user;

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

/// Writes everything about one session, with its limits and who set them.
pub(super) async fn show(
    context: &Context,
    session_id: SessionId,
    as_json: bool,
) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Shown {
        #[serde(flatten)]
        session: SessionRow,
        idle_timeout_secs: i64,
        idle_timeout_set_by: Option<String>,
        lifetime_secs: i64,
        lifetime_set_by: Option<String>,
    }

    let now = context.now();
    let record = context.store.find_session(session_id, now).await?;
    let record =
        record.ok_or_else(|| Failure::said(format!("there is no session {session_id}")))?;
    let user = get_user(context, record.user_id).await?;
    let [idle_by, lifetime_by] = set_by(&effective_of(context, user.id).await?, &record);
    let (idle, lifetime) = (record.idle_timeout, record.expires_at - record.created_at);
    let session = SessionRow::new(record, &user.email);
    if as_json {
        return output::json(&Shown {
            session,
            idle_timeout_secs: idle.num_seconds(),
            idle_timeout_set_by: idle_by,
            lifetime_secs: lifetime.num_seconds(),
            lifetime_set_by: lifetime_by,
        });
    }
    let limit = |length: chrono::TimeDelta, by: Option<String>| {
        let by = by.unwrap_or_else(|| "settings or policies of before".to_owned());
        format!(
            "{} (set by: {by})",
            span::words(length.num_seconds().unsigned_abs())
        )
    };
    let state = match (session.end_reason, session.ended_at) {
        (Some(reason), Some(at)) => format!("ended at {}: {reason}", instant(at)),
        (None, _) | (_, None) => "live".to_owned(),
    };
    output::pairs(&[
        ("session", session.id.to_string()),
        ("user", format!("{} ({})", session.email, session.user_id)),
        ("state", state),
        ("signed in", instant_from(session.created_at, now)),
        ("by", session.amr.join(" ")),
        (
            "stays signed in",
            if session.remembered { "yes" } else { "no" }.to_owned(),
        ),
        ("last seen", instant_from(session.last_seen_at, now)),
        ("idle timeout", limit(idle, idle_by)),
        ("ends if unused", instant_from(session.idle_expires_at, now)),
        ("lifetime", limit(lifetime, lifetime_by)),
        ("ends at the latest", instant_from(session.expires_at, now)),
        ("address", session.ip.unwrap_or_default()),
        (
            "device",
            format!("{} {} {}", session.device, session.browser, session.os),
        ),
    ])
}
