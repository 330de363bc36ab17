//! The console's audit, and what its other pages show alike.

use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, TimeDelta, Utc};
use serde::Deserialize;
use uuid::Uuid;

use crate::http::api::admin::PAGE;
use crate::http::body;
use crate::http::guards::Admin;
use crate::http::pages::shell::{page, shell};
use crate::http::problem::{Code, Problem};
use crate::http::state::State;
use crate::http::views::{ActionChoice, AuditPage, AuditRow, Instant, Section};
use crate::rules::audit::Action;
use crate::rules::email::Email;
use crate::rules::id::UserId;
use crate::rules::record::AuditRecord;
use crate::rules::span::words;
use crate::store::audit::AuditSearch;

#[derive(Deserialize)]
struct AuditQuery {
    #[serde(default)]
    q: String,
    #[serde(default)]
    action: String,
    receipt: Option<Uuid>,
    cursor: Option<Uuid>,
}

/// `GET /admin/audit`
pub async fn audit(by: Admin, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let context = &State::of(&request).context;
    let query: AuditQuery = body::query(&request)?;
    let now = context.now();
    let search = AuditSearch {
        user_id: user_named(&request, query.q.trim()).await?,
        action: Action::from_code(&query.action),
        receipt_id: query.receipt,
    };
    let listed = context
        .store
        .search_audit(search, query.cursor, PAGE)
        .await?;
    let receipt = query.receipt.map(|id| id.to_string());
    let url = |cursor: Option<Uuid>| {
        let receipt = receipt.as_deref().unwrap_or_default();
        let parameters = [
            ("q", query.q.as_str()),
            ("action", &query.action),
            ("receipt", receipt),
        ];
        address("/admin/audit", &parameters, cursor)
    };
    page(
        &request,
        &AuditPage {
            shell: shell(&request, &by.0, "Audit", Section::AdminAudit),
            rows: listed
                .rows
                .into_iter()
                .map(|record| audit_row(record, now))
                .collect(),
            next_url: listed.next_cursor.map(|cursor| url(Some(cursor))),
            first_url: query.cursor.map(|_| url(None)),
            actions: Action::ALL
                .iter()
                .map(|action| ActionChoice {
                    value: action.code().to_owned(),
                    label: action.words().to_owned(),
                })
                .collect(),
            q: query.q.clone(),
            action: query.action.clone(),
            receipt: receipt.clone(),
        },
    )
}

/// The user whom a search names by address or id; nobody's id if there is none, so that nothing is
/// found instead of everything.
async fn user_named(request: &HttpRequest, text: &str) -> Result<Option<UserId>, Problem> {
    if text.is_empty() {
        return Ok(None);
    }
    if let Ok(id) = text.parse() {
        return Ok(Some(id));
    }
    let context = &State::of(request).context;
    let Ok(email) = Email::new(text) else {
        let detail = "Search for the whole e-mail address or the id of a user.";
        return Err(Problem::new(Code::InvalidRequest, detail));
    };
    let found = context
        .store
        .find_user_by_email(&email, context.now())
        .await?;
    Ok(Some(found.map_or(UserId(Uuid::nil()), |user| user.id)))
}

/// An act as pages show it.
pub fn audit_row(record: AuditRecord, now: DateTime<Utc>) -> AuditRow {
    let who = |email: Option<String>, id: Option<UserId>| {
        email.or_else(|| id.map(|id| format!("deleted user {id}")))
    };
    let action = Action::from_code(&record.action).map_or(record.action, |a| a.words().to_owned());
    AuditRow {
        at: Instant::new(record.at, now),
        action,
        actor: who(record.actor_email, record.actor_id).unwrap_or_else(|| {
            match record.actor_kind.as_str() {
                "host" => "command line".to_owned(),
                "system" => "Portcullis".to_owned(),
                _ => "somebody not signed in".to_owned(),
            }
        }),
        subject: who(record.subject_email, record.subject_id),
        subject_id: record.subject_id.map(|id| id.to_string()),
        session_id: record.session_id.map(|id| id.to_string()),
        by_somebody: matches!(record.actor_kind.as_str(), "user" | "nobody"),
        ip: record.ip,
        reason: record.reason.as_deref().map(reason_words),
        receipt_id: record.receipt_id.map(|id| id.to_string()),
        detail: record.detail,
    }
}

/// The code of a reason as words.
pub fn reason_words(code: &str) -> String {
    match code {
        // A method of RFC 8176, as tokens name it.
        "pwd" => "by password".to_owned(),
        _ => code.replace('-', " "),
    }
}

/// The address of a page of a list.
pub fn address(path: &str, parameters: &[(&str, &str)], cursor: Option<Uuid>) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
        query.append_pair(name, value);
    }
    if let Some(cursor) = cursor {
        query.append_pair("cursor", &cursor.to_string());
    }
    let query = query.finish();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

/// A length of time in words.
pub fn duration(delta: TimeDelta) -> String {
    words(delta.num_seconds().unsigned_abs())
}
