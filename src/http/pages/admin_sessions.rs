//! The console: everybody's sessions.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use uuid::Uuid;

use crate::http::api::admin::{PAGE, status, user_id};
use crate::http::api::auth::origin;
use crate::http::api::sessions::{no_session, session_id};
use crate::http::body;
use crate::http::guards::{Admin, Form, FreshAdmin};
use crate::http::pages::admin::address;
use crate::http::pages::shell::{card, go_to, page, shell};
use crate::http::problem::Problem;
use crate::http::state::State;
use crate::http::views::{AdminSessionRow, AdminSessionsPage, EndEveryonePage, Section};
use crate::rules::end_reason::EndReason;
use crate::rules::next_path::next_path;
use crate::rules::record::{SessionSearch, SessionStatus};
use crate::service::end_session;
use crate::service::figures::levels;
use crate::store::sessions::Which;

const LIST: &str = "/admin/sessions";

#[derive(Deserialize)]
struct SessionsQuery {
    #[serde(default)]
    q: String,
    status: Option<String>,
    #[serde(default)]
    user: String,
    cursor: Option<Uuid>,
}

/// Where to go back to.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BackForm {
    #[serde(default)]
    back: String,
}

/// The confirmation.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EveryoneForm {
    #[serde(default)]
    pub(super) include_self: bool,
}

/// `GET /admin/sessions`
pub async fn list(by: Admin, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let context = &State::of(&request).context;
    let query: SessionsQuery = body::query(&request)?;
    let now = context.now();
    let status = status(query.status.as_deref())?;
    let owner = match query.user.as_str() {
        "" => None,
        id => context.store.find_user(user_id(id)?, now).await?,
    };
    let user = match query.user.as_str() {
        "" => None,
        id => Some(user_id(id)?),
    };
    let search = SessionSearch {
        user_id: user,
        status,
        text: query.q.clone(),
    };
    let listed = context
        .store
        .search_sessions(&search, query.cursor, PAGE, now)
        .await?;
    let total = context.store.count_sessions(&search, now).await?;
    let status = match status {
        SessionStatus::Live => "live",
        SessionStatus::Ended => "ended",
        SessionStatus::All => "all",
    };
    let url = |cursor: Option<Uuid>| {
        address(
            LIST,
            &[("q", &query.q), ("status", status), ("user", &query.user)],
            cursor,
        )
    };
    let current = by.0.facts.session_id;
    page(
        &request,
        &AdminSessionsPage {
            shell: shell(&request, &by.0, "Sessions", Section::AdminSessions),
            rows: listed
                .rows
                .into_iter()
                .map(|row| AdminSessionRow {
                    card: card(&row.session, current, now),
                    user_id: row.session.user_id.to_string(),
                    user_email: row.email,
                    user_name: row.name,
                })
                .collect(),
            q: query.q.clone(),
            status: status.to_owned(),
            user: owner.map(|user| user.email),
            user_id: user.map(|id| id.to_string()),
            total,
            next_url: listed.next_cursor.map(|cursor| url(Some(cursor))),
            first_url: query.cursor.map(|_| url(None)),
            back: url(query.cursor),
        },
    )
}

/// `POST /admin/sessions/{sid}/end`
pub async fn end(
    form: Form<Admin, BackForm>,
    sid: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let session_id = session_id(&sid)?;
    let origin = origin(state, &request, &form.by.0.facts);
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
    Ok(go_to(next_path(&form.fields.back, LIST), "session-ended"))
}

/// `GET /admin/sessions/end-all`
pub async fn confirm_end_everyone(
    by: Admin,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let context = &State::of(&request).context;
    // Those of administrators looking on end too.
    let everybody = SessionSearch::default();
    let counted = context.store.count_sessions(&everybody, context.now());
    let (counted, levels) = (counted.await?, levels(context).await?);
    page(
        &request,
        &EndEveryonePage {
            shell: shell(
                &request,
                &by.0,
                "End everyone's sessions",
                Section::AdminSessions,
            ),
            live_sessions: counted.max(levels.live_sessions.count),
            users: levels.signed_in_users.count,
        },
    )
}

/// `POST /admin/sessions/end-all`
pub async fn end_everyone(
    form: Form<FreshAdmin, EveryoneForm>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let facts = &form.by.0.facts;
    let except = (!form.fields.include_self).then_some(facts.session_id);
    let origin = origin(state, &request, facts);
    end_session::end_everyone(&state.context, except, origin).await?;
    Ok(go_to(LIST, "everyone-out"))
}
