//! `/api/admin`: sessions of everybody, clean-up, audit.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::http::api::auth::origin;
use crate::http::api::documents::{AdminSessionDocument, AuditDocument};
use crate::http::api::sessions::{no_session, session_id};
use crate::http::body;
use crate::http::guards::{Admin, FreshAdmin, Json};
use crate::http::problem::{Code, Problem};
use crate::http::state::State;
use crate::rules::audit::Action;
use crate::rules::end_reason::EndReason;
use crate::rules::id::UserId;
use crate::rules::record::{SessionSearch, SessionStatus};
use crate::service::session_query::{TypedQuery, preview};
use crate::service::users::get_user;
use crate::service::{cleanup, end_session};
use crate::store::audit::AuditSearch;
use crate::store::sessions::Which;

/// Rows of a page, unless asked otherwise.
pub const PAGE: u64 = 50;

/// Most rows of a page.
const PAGE_MAX: u64 = 200;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SessionsQuery {
    user: Option<String>,
    status: Option<String>,
    #[serde(default)]
    q: String,
    cursor: Option<Uuid>,
    limit: Option<u64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EveryoneQuery {
    #[serde(default)]
    include_self: bool,
}

/// Which sessions to end.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndWhere {
    query: TypedQuery,
    /// Only count them.
    #[serde(default)]
    dry_run: bool,
    #[serde(default)]
    include_self: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CleanupQuery {
    dry_run: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AuditQuery {
    user: Option<String>,
    action: Option<String>,
    receipt: Option<Uuid>,
    cursor: Option<Uuid>,
    limit: Option<u64>,
}

/// `GET /api/admin/sessions`
pub async fn sessions(by: Admin, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let context = &State::of(&request).context;
    let query: SessionsQuery = body::query(&request)?;
    let search = SessionSearch {
        user_id: query.user.as_deref().map(user_id).transpose()?,
        status: status(query.status.as_deref())?,
        text: query.q,
    };
    let now = context.now();
    let listed = context
        .store
        .search_sessions(&search, query.cursor, limit(query.limit)?, now)
        .await?;
    let total = context.store.count_sessions(&search, now).await?;
    let current = by.0.facts.session_id;
    let sessions: Vec<_> = listed
        .rows
        .into_iter()
        .map(|record| AdminSessionDocument::new(record, current))
        .collect();
    Ok(HttpResponse::Ok().json(json!({
        "sessions": sessions, "next_cursor": listed.next_cursor, "total": total,
    })))
}

/// `DELETE /api/admin/sessions/{sid}`
pub async fn end_session(
    by: Admin,
    sid: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let session_id = session_id(&sid)?;
    let origin = origin(state, &request, &by.0.facts);
    let which = Which::One(session_id);
    let ended = end_session::end(&state.context, which, EndReason::EndedByAdmin, origin).await?;
    let now = state.context.now();
    if ended == 0
        && state
            .context
            .store
            .find_session(session_id, now)
            .await?
            .is_none()
    {
        return Err(no_session());
    }
    Ok(HttpResponse::NoContent().finish())
}

/// `DELETE /api/admin/users/{id}/sessions`
pub async fn end_sessions_of(
    by: Admin,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let user_id = get_user(&state.context, user_id(&id)?).await?.id;
    let origin = origin(state, &request, &by.0.facts);
    let which = Which::User(user_id);
    let ended = end_session::end(&state.context, which, EndReason::EndedByAdmin, origin).await?;
    Ok(HttpResponse::Ok().json(json!({ "ended": ended })))
}

/// `DELETE /api/admin/sessions`
pub async fn end_everyone(by: FreshAdmin, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let query: EveryoneQuery = body::query(&request)?;
    let facts = &by.0.facts;
    let except = (!query.include_self).then_some(facts.session_id);
    let origin = origin(state, &request, facts);
    let ended = end_session::end_everyone(&state.context, except, origin).await?;
    Ok(HttpResponse::Ok().json(json!({ "ended": ended })))
}

/// `POST /api/admin/sessions/end`
pub async fn end_where(
    body: Json<FreshAdmin, EndWhere>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let facts = &body.by.0.facts;
    let EndWhere {
        query,
        dry_run,
        include_self,
    } = body.document;
    let query = query.resolve(&state.context).await?;
    let except = (!include_self).then_some(facts.session_id);
    if dry_run {
        let preview = preview(&state.context, query, except, 0).await?;
        return Ok(HttpResponse::Ok().json(json!({
            "matched": preview.sessions, "users": preview.users, "ended": 0, "receipt_id": null,
        })));
    }
    let origin = origin(state, &request, facts);
    let receipt = end_session::end_where(&state.context, query, except, origin).await?;
    Ok(HttpResponse::Ok().json(json!({
        "matched": receipt.matched, "users": receipt.users, "ended": receipt.ended,
        "receipt_id": receipt.id,
    })))
}

/// `POST /api/admin/cleanup`
pub async fn cleanup(by: Admin, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let query: CleanupQuery = body::query(&request)?;
    let dry_run = match query.dry_run.as_deref() {
        None | Some("false") => false,
        Some("true") => true,
        Some(other) => {
            let detail = format!("`dry_run` is `{other}`, which is neither `true` nor `false`.");
            return Err(Problem::new(Code::InvalidRequest, detail));
        }
    };
    let done = if dry_run {
        cleanup::dry_run(&state.context).await?
    } else {
        let origin = origin(state, &request, &by.0.facts);
        cleanup::cleanup(&state.context, origin).await?
    };
    let deleted: serde_json::Map<_, _> = done
        .deleted
        .into_iter()
        .map(|(kept, count)| (kept.code().to_owned(), count.into()))
        .collect();
    Ok(HttpResponse::Ok().json(json!({
        "cleaned": done.ended, "deleted": deleted, "dry_run": dry_run,
    })))
}

/// `GET /api/admin/audit`
pub async fn audit(_by: Admin, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let context = &State::of(&request).context;
    let query: AuditQuery = body::query(&request)?;
    let action = query.action.as_deref().map(|code| {
        Action::from_code(code).ok_or_else(|| {
            Problem::new(
                Code::InvalidRequest,
                format!("There is no action `{code}`."),
            )
        })
    });
    let search = AuditSearch {
        user_id: query.user.as_deref().map(user_id).transpose()?,
        action: action.transpose()?,
        receipt_id: query.receipt,
    };
    let listed = context
        .store
        .search_audit(search, query.cursor, limit(query.limit)?)
        .await?;
    let events: Vec<_> = listed.rows.into_iter().map(AuditDocument::from).collect();
    Ok(HttpResponse::Ok().json(json!({ "events": events, "next_cursor": listed.next_cursor })))
}

/// The user that a path or a query names.
pub fn user_id(text: &str) -> Result<UserId, Problem> {
    text.parse()
        .map_err(|_| Problem::new(Code::NotFound, "There is no such user."))
}

/// The status that a query names.
pub fn status(text: Option<&str>) -> Result<SessionStatus, Problem> {
    match text {
        None | Some("" | "live") => Ok(SessionStatus::Live),
        Some("ended") => Ok(SessionStatus::Ended),
        Some("all") => Ok(SessionStatus::All),
        Some(other) => {
            let detail = format!("`{other}` is none of the statuses live, ended and all.");
            Err(Problem::new(Code::InvalidRequest, detail))
        }
    }
}

/// How many rows a query asks for.
pub fn limit(asked: Option<u64>) -> Result<u64, Problem> {
    match asked {
        None => Ok(PAGE),
        Some(limit) if (1..=PAGE_MAX).contains(&limit) => Ok(limit),
        Some(limit) => {
            let detail = format!("The limit `{limit}` is not between 1 and {PAGE_MAX}.");
            Err(Problem::new(Code::InvalidRequest, detail))
        }
    }
}
