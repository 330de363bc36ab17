//! `/api/auth`: signing in and out, renewing, and "who is this?".

use actix_web::http::header::{CLEAR_SITE_DATA, HeaderName, HeaderValue};
use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;
use serde_json::json;

use crate::http::api::documents::{TokensDocument, WhoDocument};
use crate::http::body;
use crate::http::guards::{
    Anyone, CookieUser, Json, Leaver, PerhapsLeaver, SignedInUser, has_bearer,
    same_origin_if_cookie,
};
use crate::http::problem::{Code, Problem};
use crate::http::state::State;
use crate::rules::audit::{Actor, Origin};
use crate::rules::end_reason::EndReason;
use crate::rules::id::SessionId;
use crate::rules::session::Facts;
use crate::service;
use crate::service::open_session::{Chosen, go_on};
use crate::service::sign_in::{SignIn, SignedIn};
use crate::service::tokens::issue_access_token_until;
use crate::service::{end_session, impersonate, sign_out};
use crate::settings::Secret;
use crate::store::sessions::Which;

/// What is emptied in the browser at sign-out. Not `"cookies"`: that would empty every application
/// under the same registrable domain.
pub const CLEARED: HeaderValue = HeaderValue::from_static("\"cache\", \"storage\"");

/// A sign-in by password.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignInDocument {
    email: String,
    password: Password,
    #[serde(default)]
    remember: bool,
}

/// Which session to end, so that there is room for a new one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChoiceDocument {
    choice_token: Password,
    end_session: SessionId,
    #[serde(default)]
    remember: bool,
}

/// A password, which never shows itself.
#[derive(Debug, Deserialize)]
#[serde(from = "String")]
pub struct Password(pub Secret);

impl From<String> for Password {
    fn from(text: String) -> Self {
        Self(Secret::new(text))
    }
}

/// A refresh token; without one, that of the cookie.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefreshDocument {
    refresh_token: Option<Password>,
}

/// A fresh proof.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepUpDocument {
    password: Password,
}

#[derive(Deserialize)]
struct VerifyQuery {
    role: Option<String>,
}

/// `POST /api/auth/sign-in`
pub async fn sign_in(
    call: Json<Anyone, SignInDocument>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let document = call.document;
    let attempt = SignIn {
        email: document.email,
        password: document.password.0,
        remember: document.remember,
        replaces: None,
    };
    let signed_in =
        service::sign_in::sign_in(&state.context, attempt, &state.visitor(&request)).await?;
    Ok(tokens(state, &signed_in))
}

/// `POST /api/auth/sign-in/choice`
pub async fn choose(
    call: Json<Anyone, ChoiceDocument>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let chosen = Chosen {
        token: call.document.choice_token.0,
        end: call.document.end_session,
        remember: call.document.remember,
        replaces: None,
    };
    let signed_in = go_on(&state.context, chosen, &state.visitor(&request)).await?;
    Ok(tokens(state, &signed_in))
}

/// `POST /api/auth/refresh`
pub async fn refresh(
    call: Json<Anyone, RefreshDocument>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let visitor = state.visitor(&request);
    if let Some(Password(token)) = call.document.refresh_token {
        let signed_in = service::refresh::refresh(&state.context, &token, &visitor).await?;
        return Ok(tokens(state, &signed_in));
    }
    same_origin_if_cookie(&request)?;
    let token = state
        .cookies
        .refresh_token(&request)
        .ok_or_else(Problem::no_credential)?;
    let token = Secret::new(token.to_owned());
    let signed_in = service::refresh::refresh(&state.context, &token, &visitor).await?;
    Ok(renewed_cookies(state, &request, &signed_in))
}

/// `POST /api/auth/step-up`
pub async fn step_up(
    call: Json<SignedInUser, StepUpDocument>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let visitor = state.visitor(&request);
    let Password(password) = call.document.password;
    let signed_in =
        service::step_up::step_up(&state.context, &call.by.0, &password, &visitor).await?;
    if has_bearer(&request) {
        return Ok(tokens(state, &signed_in));
    }
    Ok(renewed_cookies(state, &request, &signed_in))
}

/// `GET /api/auth/session`
pub async fn session(by: SignedInUser) -> HttpResponse {
    HttpResponse::Ok().json(WhoDocument::new(&by.0.facts))
}

/// `GET /api/auth/token`
pub async fn token(by: CookieUser, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let context = &State::of(&request).context;
    let now = context.now();
    let access = issue_access_token_until(context, &by.0.facts, by.0.token_expires_at, now)?;
    Ok(HttpResponse::Ok().json(json!({
        "access_token": access.text.reveal(),
        "token_type": "Bearer",
        "expires_in": access.expires_at.timestamp() - now.timestamp(),
    })))
}

/// `GET /api/auth/verify`
pub async fn verify(by: SignedInUser, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let facts = &by.0.facts;
    if !request.query_string().is_empty()
        && let Some(role) = body::query::<VerifyQuery>(&request)?.role
        && !facts.has_role(&role)
    {
        return Err(Problem::new(
            Code::Forbidden,
            "The user does not have the required role.",
        ));
    }
    if facts.impersonation.as_ref().is_some_and(|by| by.read_only) && asks_to_change(&request) {
        return Err(Problem::new(
            Code::Forbidden,
            "An administrator looks on as the user, and for looking alone: nothing can be changed.",
        ));
    }
    Ok(identified(facts))
}

/// Does a proxy say that the request it asks about has an unsafe method (RFC 9110 §9.2.1)? Any of
/// them suffices: a client that sent one along gains nothing by it.
fn asks_to_change(request: &HttpRequest) -> bool {
    ["x-original-method", "x-forwarded-method"]
        .iter()
        .flat_map(|name| request.headers().get_all(*name))
        .any(|method| !["GET", "HEAD", "OPTIONS"].iter().any(|safe| method == safe))
}

/// `POST /api/auth/sign-out`
pub async fn sign_out(by: Leaver, request: HttpRequest) -> Result<HttpResponse, Problem> {
    end_own(&request, &by.0.facts).await?;
    Ok(HttpResponse::NoContent()
        .insert_header((CLEAR_SITE_DATA, CLEARED))
        .finish())
}

/// `POST /api/auth/clear-session`
pub async fn clear_session(
    by: PerhapsLeaver,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    same_origin_if_cookie(&request)?;
    match &by.0 {
        Some(principal) => end_own(&request, &principal.facts).await?,
        None => end_by_cookies(&request).await?,
    }
    Ok(HttpResponse::Ok()
        .insert_header((CLEAR_SITE_DATA, CLEARED))
        .json(json!({"success": true, "message": "Session cleared successfully"})))
}

/// Ends the caller's own session and takes its cookies away. Whoever looks on as somebody else ends
/// both sessions: to sign out is to be nobody.
pub async fn end_own(request: &HttpRequest, facts: &Facts) -> Result<(), Problem> {
    let state = State::of(request);
    let origin = origin(state, request, facts);
    let which = Which::One(facts.session_id);
    // The person did not sign out, so their list must not say so.
    let reason = match facts.impersonation {
        Some(_) => EndReason::ImpersonationStopped,
        None => EndReason::SignedOut,
    };
    end_session::end(&state.context, which, reason, origin).await?;
    if facts.impersonation.is_some()
        && let Some(own) = state.cookies.own_refresh_token(request)
    {
        let (own, visitor) = (Secret::new(own.to_owned()), state.visitor(request));
        impersonate::sign_out_own(&state.context, facts, &own, &visitor).await?;
    }
    state.cookies.clear(request);
    Ok(())
}

/// Ends the sessions whose refresh tokens a browser brings with an access token that admits no more,
/// and takes its cookies away. A bearer token counts before any cookie and says nothing of them.
async fn end_by_cookies(request: &HttpRequest) -> Result<(), Problem> {
    let state = State::of(request);
    if !has_bearer(request) && state.cookies.any(request) {
        let visitor = state.visitor(request);
        let cookies = state.cookies;
        for token in [
            cookies.refresh_token(request),
            cookies.own_refresh_token(request),
        ] {
            let Some(token) = token else { continue };
            let token = Secret::new(token.to_owned());
            sign_out::by_refresh_token(&state.context, &token, &visitor).await?;
        }
    }
    state.cookies.clear(request);
    Ok(())
}

/// The caller, as the audit notes them.
pub fn origin(state: &State, request: &HttpRequest, facts: &Facts) -> Origin {
    Origin {
        actor: Actor::User(facts.actor()),
        ip: Some(state.visitor(request).ip),
    }
}

fn tokens(state: &State, signed_in: &SignedIn) -> HttpResponse {
    HttpResponse::Ok().json(TokensDocument::new(signed_in, state.context.now()))
}

/// Whoever lives by cookies gets them anew, and is not shown their values (ASVS 3.3.4).
fn renewed_cookies(state: &State, request: &HttpRequest, signed_in: &SignedIn) -> HttpResponse {
    state
        .cookies
        .set_session(request, signed_in, state.context.now());
    HttpResponse::Ok().json(WhoDocument::new(&signed_in.facts))
}

/// 200 with the headers that a reverse proxy hands on.
fn identified(facts: &Facts) -> HttpResponse {
    const USER_ID: HeaderName = HeaderName::from_static("x-user-id");
    const USER_EMAIL: HeaderName = HeaderName::from_static("x-user-email");
    const USER_ROLES: HeaderName = HeaderName::from_static("x-user-roles");
    const SESSION_ID: HeaderName = HeaderName::from_static("x-session-id");
    const TENANT_ID: HeaderName = HeaderName::from_static("x-tenant-id");
    const ORGANIZATION_ID: HeaderName = HeaderName::from_static("x-organization-id");
    const IMPERSONATOR_ID: HeaderName = HeaderName::from_static("x-impersonator-id");
    const READ_ONLY: HeaderName = HeaderName::from_static("x-read-only");

    let mut answer = HttpResponse::Ok().finish();
    let headers = answer.headers_mut();
    let mut put = |name, bytes: &[u8]| {
        if let Ok(value) = HeaderValue::from_bytes(bytes) {
            headers.insert(name, value);
        }
    };
    let mut buffer = uuid::Uuid::encode_buffer();
    put(
        USER_ID,
        facts
            .user_id
            .0
            .hyphenated()
            .encode_lower(&mut buffer)
            .as_bytes(),
    );
    put(
        SESSION_ID,
        facts
            .session_id
            .0
            .hyphenated()
            .encode_lower(&mut buffer)
            .as_bytes(),
    );
    put(USER_EMAIL, facts.person.email().as_bytes());
    let roles = facts.person.roles_text();
    if roles.contains(' ') {
        put(USER_ROLES, roles.replace(' ', ",").as_bytes());
    } else {
        put(USER_ROLES, roles.as_bytes());
    }
    // Empty rather than absent: a proxy that copies what is there must find nothing to let pass.
    let organization = facts.organization_id.map(|id| id.0.hyphenated());
    let text = organization
        .as_ref()
        .map_or("", |id| id.encode_lower(&mut buffer));
    put(TENANT_ID, text.as_bytes());
    put(ORGANIZATION_ID, text.as_bytes());
    let (impersonator, read_only): (&str, &[u8]) = match &facts.impersonation {
        None => ("", b"false"),
        Some(impersonation) => {
            let id = impersonation.impersonator_id.0.hyphenated();
            let read_only: &[u8] = if impersonation.read_only {
                b"true"
            } else {
                b"false"
            };
            (id.encode_lower(&mut buffer), read_only)
        }
    };
    put(IMPERSONATOR_ID, impersonator.as_bytes());
    put(READ_ONLY, read_only);
    answer
}
