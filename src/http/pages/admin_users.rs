//! The console: users.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;
use uuid::Uuid;

use crate::http::api::admin::{PAGE, user_id};
use crate::http::api::auth::origin;
use crate::http::body;
use crate::http::guards::{Admin, Form, FreshAdmin};
use crate::http::pages::admin::address;
use crate::http::pages::admin_policies::limit_rows;
use crate::http::pages::shell::{again, cards, go_to, page, shell};
use crate::http::pages::sign_in::NoFields;
use crate::http::problem::Problem;
use crate::http::state::State;
use crate::http::views::{
    AdminUserPage, AdminUsersPage, DeleteUserPage, Instant, InvitationMadePage, NewUserPage,
    Section, UserRow,
};
use crate::rules::end_reason::EndReason;
use crate::rules::id::UserId;
use crate::rules::impersonation::{self, Target};
use crate::rules::record::UserRecord;
use crate::rules::role::ADMIN;
use crate::service::authenticate::Principal;
use crate::service::invitation::Invitation;
use crate::service::policies::effective_of;
use crate::service::users::{NewUser, UserPatch, get_user};
use crate::service::{end_session, invitation, users};
use crate::store::sessions::Which;

const LIST: &str = "/admin/users";

#[derive(Deserialize)]
struct UsersQuery {
    #[serde(default)]
    q: String,
    cursor: Option<Uuid>,
}

/// The form for a new user.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewUserForm {
    email: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    admin: bool,
    #[serde(default)]
    roles: String,
}

/// The form for a user's name and roles.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UserForm {
    name: String,
    roles: String,
}

/// `GET /admin/users`
pub async fn list(by: Admin, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let context = &State::of(&request).context;
    let query: UsersQuery = body::query(&request)?;
    let now = context.now();
    let listed = context
        .store
        .search_users(&query.q, query.cursor, PAGE, now)
        .await?;
    let total = context.store.count_users(&query.q).await?;
    let url = |cursor| address(LIST, &[("q", &query.q)], cursor);
    page(
        &request,
        &AdminUsersPage {
            shell: shell(&request, &by.0, "Users", Section::AdminUsers),
            rows: listed
                .rows
                .into_iter()
                .map(|user| UserRow {
                    id: user.id.to_string(),
                    roles: user.roles.iter().map(ToString::to_string).collect(),
                    email: user.email,
                    name: user.name,
                    enabled: user.disabled_at.is_none(),
                    has_password: user.has_password,
                    live_sessions: user.live_sessions,
                    created_at: Instant::new(user.created_at, now),
                })
                .collect(),
            q: query.q.clone(),
            total,
            next_url: listed.next_cursor.map(|cursor| url(Some(cursor))),
            first_url: query.cursor.map(|_| url(None)),
        },
    )
}

/// `GET /admin/users/new`
pub async fn new(by: Admin, request: HttpRequest) -> Result<HttpResponse, Problem> {
    page(
        &request,
        &NewUserPage {
            shell: shell(&request, &by.0, "New user", Section::AdminUsers),
            email: String::new(),
            name: String::new(),
            admin: false,
            roles_text: String::new(),
            problem: None,
        },
    )
}

/// `POST /admin/users`
pub async fn create(
    form: Form<FreshAdmin, NewUserForm>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let Form {
        by: FreshAdmin(principal),
        fields,
    } = form;
    let mut roles = roles_in(&fields.roles);
    if fields.admin {
        roles.push(ADMIN.to_owned());
    }
    let new = NewUser {
        email: fields.email.clone(),
        name: fields.name.clone(),
        roles,
    };
    let origin = origin(state, &request, &principal.facts);
    match users::create_user(&state.context, new, origin).await {
        Ok((user, invitation)) => invitation_made(&request, &principal, user, &invitation),
        Err(error) => {
            let shell = shell(&request, &principal, "New user", Section::AdminUsers);
            again(&request, error, |problem| NewUserPage {
                shell,
                email: fields.email,
                name: fields.name,
                admin: fields.admin,
                roles_text: fields.roles,
                problem: Some(problem),
            })
        }
    }
}

/// `GET /admin/users/{id}`
pub async fn show(
    by: Admin,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let drawn = user_page(&request, &by.0, user_id(&id)?).await?;
    page(&request, &drawn)
}

/// `POST /admin/users/{id}`
pub async fn update(
    form: Form<FreshAdmin, UserForm>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let fields = form.fields;
    let patch = UserPatch {
        name: Some(fields.name.clone()),
        roles: Some(roles_in(&fields.roles)),
        enabled: None,
    };
    change(
        &request,
        &form.by.0,
        user_id(&id)?,
        patch,
        "saved",
        Some((fields.name, fields.roles)),
    )
    .await
}

/// `POST /admin/users/{id}/disable`
pub async fn disable(
    form: Form<FreshAdmin, NoFields>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let patch = UserPatch {
        enabled: Some(false),
        ..UserPatch::default()
    };
    change(&request, &form.by.0, user_id(&id)?, patch, "disabled", None).await
}

/// `POST /admin/users/{id}/enable`
pub async fn enable(
    form: Form<FreshAdmin, NoFields>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let patch = UserPatch {
        enabled: Some(true),
        ..UserPatch::default()
    };
    change(&request, &form.by.0, user_id(&id)?, patch, "enabled", None).await
}

/// `POST /admin/users/{id}/end-sessions`
pub async fn end_sessions(
    form: Form<Admin, NoFields>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let user = get_user(&state.context, user_id(&id)?).await?;
    let origin = origin(state, &request, &form.by.0.facts);
    let which = Which::User(user.id);
    end_session::end(&state.context, which, EndReason::EndedByAdmin, origin).await?;
    Ok(go_to(&format!("{LIST}/{}", user.id), "sessions-ended"))
}

/// `POST /admin/users/{id}/invitation`
pub async fn invite(
    form: Form<FreshAdmin, NoFields>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let user = get_user(&state.context, user_id(&id)?).await?;
    let origin = origin(state, &request, &form.by.0.facts);
    let invitation = invitation::invite(&state.context, user.id, origin).await?;
    invitation_made(&request, &form.by.0, user, &invitation)
}

/// `GET /admin/users/{id}/delete`
pub async fn confirm_delete(
    by: Admin,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let user = get_user(&State::of(&request).context, user_id(&id)?).await?;
    page(
        &request,
        &DeleteUserPage {
            shell: shell(&request, &by.0, "Delete a user", Section::AdminUsers),
            id: user.id.to_string(),
            email: user.email,
            name: user.name,
            live_sessions: user.live_sessions,
        },
    )
}

/// `POST /admin/users/{id}/delete`
pub async fn delete(
    form: Form<FreshAdmin, NoFields>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let origin = origin(state, &request, &form.by.0.facts);
    users::delete_user(&state.context, user_id(&id)?, origin).await?;
    Ok(go_to(LIST, "user-deleted"))
}

async fn change(
    request: &HttpRequest,
    by: &Principal,
    id: UserId,
    patch: UserPatch,
    done: &str,
    typed: Option<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let state = State::of(request);
    let origin = origin(state, request, &by.facts);
    match users::update_user(&state.context, id, patch, origin).await {
        Ok(user) => Ok(go_to(&format!("{LIST}/{}", user.id), done)),
        Err(error) => {
            let problem = Problem::from(error);
            if problem.code == crate::http::problem::Code::NotFound {
                return Err(problem);
            }
            let mut drawn = user_page(request, by, id).await?;
            if let Some((name, roles)) = typed {
                (drawn.name, drawn.roles_text) = (name, roles);
            }
            again(request, problem, |problem| AdminUserPage {
                problem: Some(problem),
                ..drawn
            })
        }
    }
}

pub(super) async fn user_page(
    request: &HttpRequest,
    by: &Principal,
    id: UserId,
) -> Result<AdminUserPage, Problem> {
    let context = &State::of(request).context;
    let now = context.now();
    let user = get_user(context, id).await?;
    let sessions = context.store.live_sessions_of(id, now).await?;
    let limits = limit_rows(&effective_of(context, id).await?);
    let roles: Vec<String> = user.roles.iter().map(ToString::to_string).collect();
    let target = Target {
        user_id: id,
        enabled: user.disabled_at.is_none(),
        roles: &user.roles,
    };
    let objection =
        impersonation::judge(by.facts.user_id, |role| by.facts.has_role(role), target).err();
    let title = if user.name.is_empty() {
        &user.email
    } else {
        &user.name
    };
    Ok(AdminUserPage {
        shell: shell(request, by, title, Section::AdminUsers),
        id: user.id.to_string(),
        roles_text: roles.join(", "),
        roles,
        organizations: user.organizations.into_iter().map(|o| o.name).collect(),
        enabled: user.disabled_at.is_none(),
        is_self: user.id == by.facts.user_id,
        has_password: user.has_password,
        created_at: Instant::new(user.created_at, now),
        password_changed_at: user.password_changed_at.map(|at| Instant::new(at, now)),
        limits,
        sessions: cards(&sessions, by.facts.session_id, now),
        live_sessions: user.live_sessions,
        email: user.email,
        email_verified: user.email_verified_at.is_some(),
        name: user.name,
        problem: None,
        may_impersonate: objection.is_none(),
        impersonation_problem: None,
        impersonation_reason: String::new(),
        impersonation_may_change: false,
    })
}

fn invitation_made(
    request: &HttpRequest,
    by: &Principal,
    user: UserRecord,
    invitation: &Invitation,
) -> Result<HttpResponse, Problem> {
    let now = State::of(request).context.now();
    page(
        request,
        &InvitationMadePage {
            shell: shell(request, by, "Invitation link", Section::AdminUsers),
            user_id: user.id.to_string(),
            email: user.email,
            invitation_url: invitation.url.reveal().to_owned(),
            expires_at: Instant::new(invitation.expires_at, now),
        },
    )
}

/// Roles as typed, separated by commas or blanks.
fn roles_in(text: &str) -> Vec<String> {
    text.split([',', ' '])
        .filter(|role| !role.is_empty())
        .map(str::to_owned)
        .collect()
}
