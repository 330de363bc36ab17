//! `/api/sessions`: one's own.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;

use crate::http::api::auth::origin;
use crate::http::api::documents::SessionDocument;
use crate::http::body;
use crate::http::guards::{ActingUser, FreshUser, Json, SignedInUser};
use crate::http::problem::{Code, Problem};
use crate::http::state::State;
use crate::rules::end_reason::EndReason;
use crate::rules::id::SessionId;
use crate::service::end_session;
use crate::service::name_session::name_session;
use crate::store::sessions::Which;

/// How long one's ended sessions are listed.
pub const RECENT: chrono::TimeDelta = chrono::TimeDelta::days(30);

/// How many of them.
pub const RECENT_MAX: u64 = 20;

/// What to change of a session.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SessionPatch {
    /// What to call the device from now on; nothing takes its name away.
    #[serde(deserialize_with = "Option::deserialize")]
    name: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EndQuery {
    others: Option<bool>,
}

/// `GET /api/sessions`
pub async fn list(by: SignedInUser, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let context = &State::of(&request).context;
    let now = context.now();
    let facts = &by.0.facts;
    let mut records = context.store.live_sessions_of(facts.user_id, now).await?;
    let ended = context
        .store
        .ended_sessions_of(facts.user_id, now - RECENT, RECENT_MAX, now);
    records.extend(ended.await?);
    let sessions: Vec<_> = records
        .into_iter()
        .map(|record| SessionDocument::new(record, facts.session_id))
        .collect();
    Ok(HttpResponse::Ok().json(json!({ "sessions": sessions })))
}

/// `PATCH /api/sessions/{sid}`
pub async fn update(
    body: Json<SignedInUser, SessionPatch>,
    sid: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let facts = &body.by.0.facts;
    let session_id = session_id(&sid)?;
    let origin = origin(state, &request, facts);
    let typed = body.document.name.as_deref().unwrap_or_default();
    let named = name_session(&state.context, facts.user_id, session_id, typed, origin).await?;
    Ok(HttpResponse::Ok().json(SessionDocument::new(named, facts.session_id)))
}

/// `DELETE /api/sessions/{sid}`
pub async fn end(
    by: FreshUser,
    sid: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let facts = &by.0.facts;
    let session_id = session_id(&sid)?;
    let own = session_id == facts.session_id;
    let reason = if own {
        EndReason::SignedOut
    } else {
        EndReason::EndedByUser
    };
    let which = Which::OneOf(facts.user_id, session_id);
    let origin = origin(state, &request, facts);
    let ended = end_session::end(&state.context, which, reason, origin).await?;
    if ended == 0 {
        let found = state
            .context
            .store
            .find_session(session_id, state.context.now())
            .await?;
        if found.is_none_or(|found| found.user_id != facts.user_id) {
            return Err(no_session());
        }
    }
    if own {
        state.cookies.clear(&request);
    }
    Ok(HttpResponse::NoContent().finish())
}

/// `DELETE /api/sessions?others=true`
pub async fn end_others(by: FreshUser, request: HttpRequest) -> Result<HttpResponse, Problem> {
    if body::query::<EndQuery>(&request)?.others != Some(true) {
        let detail = "Say which sessions to end: ?others=true ends all of yours but this one.";
        return Err(Problem::new(Code::InvalidRequest, detail));
    }
    let state = State::of(&request);
    let facts = &by.0.facts;
    let which = Which::UserExcept(facts.user_id, facts.session_id);
    let origin = origin(state, &request, facts);
    let ended = end_session::end(&state.context, which, EndReason::EndedByUser, origin).await?;
    Ok(HttpResponse::Ok().json(json!({ "ended": ended })))
}

/// `POST /api/sessions/ensure`: whoever gets here has a session that is stored and live.
pub async fn ensure(_by: ActingUser) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "exists": true }))
}

/// The session that a path names.
pub fn session_id(text: &str) -> Result<SessionId, Problem> {
    text.parse().map_err(|_| no_session())
}

/// There is no such session, or not for this caller.
pub fn no_session() -> Problem {
    Problem::new(Code::NotFound, "There is no such session.")
}
