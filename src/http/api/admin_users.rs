//! `/api/admin/users`.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use serde_json::json;
use uuid::Uuid;

use crate::http::api::admin::{limit, user_id};
use crate::http::api::auth::origin;
use crate::http::api::documents::{AdminUserDocument, TokensDocument};
use crate::http::body;
use crate::http::guards::{Admin, FreshAdmin, FreshImpersonator, Json};
use crate::http::problem::Problem;
use crate::http::state::State;
use crate::service::impersonate::{self, Opening};
use crate::service::invitation::Invitation;
use crate::service::users::{NewUser, UserPatch};
use crate::service::{invitation, users};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UsersQuery {
    #[serde(default)]
    q: String,
    cursor: Option<Uuid>,
    limit: Option<u64>,
}

/// A user to be made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateDocument {
    email: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    roles: Vec<String>,
}

/// What to change; what is not there stays.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PatchDocument {
    name: Option<String>,
    roles: Option<Vec<String>>,
    enabled: Option<bool>,
}

/// Why somebody wants to look on as a user, and whether they also want to change things.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImpersonateDocument {
    reason: String,
    #[serde(default = "yes")]
    read_only: bool,
}

fn yes() -> bool {
    true
}

/// `GET /api/admin/users`
pub async fn list(_by: Admin, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let context = &State::of(&request).context;
    let query: UsersQuery = body::query(&request)?;
    let limit = limit(query.limit)?;
    let listed = context
        .store
        .search_users(&query.q, query.cursor, limit, context.now())
        .await?;
    let total = context.store.count_users(&query.q).await?;
    let users: Vec<_> = listed
        .rows
        .into_iter()
        .map(AdminUserDocument::from)
        .collect();
    Ok(HttpResponse::Ok().json(json!({
        "users": users, "next_cursor": listed.next_cursor, "total": total,
    })))
}

/// `POST /api/admin/users`
pub async fn create(
    call: Json<FreshAdmin, CreateDocument>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let CreateDocument { email, name, roles } = call.document;
    let origin = origin(state, &request, &call.by.0.facts);
    let new = NewUser { email, name, roles };
    let (user, invitation) = users::create_user(&state.context, new, origin).await?;
    let mut document = serde_json::to_value(AdminUserDocument::from(user)).unwrap_or_default();
    add(&mut document, &invitation);
    Ok(HttpResponse::Created().json(document))
}

/// `GET /api/admin/users/{id}`
pub async fn show(
    _by: Admin,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let user = users::get_user(&State::of(&request).context, user_id(&id)?).await?;
    Ok(HttpResponse::Ok().json(AdminUserDocument::from(user)))
}

/// `PATCH /api/admin/users/{id}`
pub async fn update(
    call: Json<FreshAdmin, PatchDocument>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let PatchDocument {
        name,
        roles,
        enabled,
    } = call.document;
    let origin = origin(state, &request, &call.by.0.facts);
    let patch = UserPatch {
        name,
        roles,
        enabled,
    };
    let user = users::update_user(&state.context, user_id(&id)?, patch, origin).await?;
    Ok(HttpResponse::Ok().json(AdminUserDocument::from(user)))
}

/// `DELETE /api/admin/users/{id}`
pub async fn delete(
    by: FreshAdmin,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let origin = origin(state, &request, &by.0.facts);
    users::delete_user(&state.context, user_id(&id)?, origin).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `POST /api/admin/users/{id}/invitation`
pub async fn invite(
    by: FreshAdmin,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let origin = origin(state, &request, &by.0.facts);
    let invitation = invitation::invite(&state.context, user_id(&id)?, origin).await?;
    let mut document = json!({});
    add(&mut document, &invitation);
    Ok(HttpResponse::Created().json(document))
}

/// `POST /api/admin/users/{id}/impersonate`
pub async fn impersonate(
    call: Json<FreshImpersonator, ImpersonateDocument>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let ImpersonateDocument { reason, read_only } = call.document;
    let opening = Opening {
        user_id: user_id(&id)?,
        reason,
        read_only,
    };
    let visitor = state.visitor(&request);
    let opened = impersonate::open(&state.context, &call.by.0, opening, &visitor).await?;
    Ok(HttpResponse::Ok().json(TokensDocument::new(&opened, state.context.now())))
}

fn add(document: &mut serde_json::Value, invitation: &Invitation) {
    document["invitation_url"] = invitation.url.reveal().into();
    document["invitation_expires_at"] = json!(invitation.expires_at);
}
