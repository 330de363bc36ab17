//! How users are written.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::cli::failure::Failure;
use crate::cli::output::{self, Row, instant};
use crate::cli::session_rows::SessionRow;
use crate::rules::id::UserId;
use crate::rules::record::UserRecord;
use crate::service::Context;

/// A user, as written.
#[derive(Debug, Serialize)]
pub(super) struct UserRow {
    id: UserId,
    email: String,
    email_verified: bool,
    email_verified_at: Option<DateTime<Utc>>,
    name: String,
    roles: Vec<String>,
    organizations: Vec<String>,
    enabled: bool,
    disabled_at: Option<DateTime<Utc>>,
    has_password: bool,
    password_changed_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    live_sessions: u64,
}

impl From<UserRecord> for UserRow {
    fn from(user: UserRecord) -> Self {
        Self {
            id: user.id,
            email: user.email,
            email_verified: user.email_verified_at.is_some(),
            email_verified_at: user.email_verified_at,
            name: user.name,
            roles: user.roles.iter().map(ToString::to_string).collect(),
            organizations: user
                .organizations
                .into_iter()
                .map(|organization| organization.slug)
                .collect(),
            enabled: user.disabled_at.is_none(),
            disabled_at: user.disabled_at,
            has_password: user.has_password,
            password_changed_at: user.password_changed_at,
            created_at: user.created_at,
            live_sessions: user.live_sessions,
        }
    }
}

impl UserRow {
    fn state(&self) -> &'static str {
        match (self.enabled, self.has_password) {
            (false, _) => "disabled",
            (true, false) => "invited",
            (true, true) => "enabled",
        }
    }
}

impl Row for UserRow {
    const HEADINGS: &'static [&'static str] =
        &["E-MAIL", "NAME", "ROLES", "STATE", "SESSIONS", "MADE", "ID"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.email.clone(),
            self.name.clone(),
            self.roles.join(","),
            self.state().to_owned(),
            self.live_sessions.to_string(),
            instant(self.created_at),
            self.id.to_string(),
        ]
    }
}

/// Writes everything about one user.
pub(super) async fn show(
    context: &Context,
    user: UserRecord,
    as_json: bool,
) -> Result<(), Failure> {
    #[derive(Serialize)]
    struct Shown {
        #[serde(flatten)]
        user: UserRow,
        sessions: Vec<SessionRow>,
    }

    let live = context
        .store
        .live_sessions_of(user.id, context.now())
        .await?;
    let sessions = live
        .into_iter()
        .map(|session| SessionRow::new(session, &user.email))
        .collect();
    let Shown { user, sessions } = Shown {
        user: UserRow::from(user),
        sessions,
    };
    if as_json {
        return output::json(&Shown { user, sessions });
    }
    let or_never = |at: Option<DateTime<Utc>>| at.map_or_else(|| "never".to_owned(), instant);
    output::pairs(&[
        ("id", user.id.to_string()),
        ("e-mail", user.email.clone()),
        ("e-mail verified", or_never(user.email_verified_at)),
        ("name", user.name.clone()),
        ("roles", user.roles.join(", ")),
        ("organisations", user.organizations.join(", ")),
        ("state", user.state().to_owned()),
        ("password chosen", or_never(user.password_changed_at)),
        ("disabled", or_never(user.disabled_at)),
        ("made", instant(user.created_at)),
        ("live sessions", user.live_sessions.to_string()),
    ])?;
    if sessions.is_empty() {
        return Ok(());
    }
    output::line("")?;
    output::list(&sessions, false, "")
}
