//! One's own account: profile, sessions, password.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use crate::http::api::auth::{Password, origin};
use crate::http::api::sessions::{RECENT, RECENT_MAX, no_session, session_id};
use crate::http::guards::{Form, FreshUser, SignedInUser};
use crate::http::pages::set_up::{min_chars, must_match};
use crate::http::pages::shell::{again, cards, go_to, page, shell};
use crate::http::pages::sign_in::NoFields;
use crate::http::problem::Problem;
use crate::http::state::State;
use crate::http::views::{AccountPage, Instant, Section, SecurityPage, SessionsPage};
use crate::rules::end_reason::EndReason;
use crate::rules::password::MAX_CHARS;
use crate::rules::session_name;
use crate::service::authenticate::Principal;
use crate::service::name_session::name_session;
use crate::service::users::get_user;
use crate::service::{change_password, end_session};
use crate::store::sessions::Which;

/// The form for a new password.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PasswordForm {
    current_password: Password,
    new_password: Password,
    new_password_again: Password,
    #[serde(default)]
    end_others: bool,
}

/// The form for the name of a device.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NameForm {
    name: String,
}

/// `GET /account`
pub async fn show(by: SignedInUser, request: HttpRequest) -> Result<HttpResponse, Problem> {
    page(&request, &account_page(&request, &by.0).await?)
}

/// `GET /account/sessions`
pub async fn sessions(by: SignedInUser, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let drawn = sessions_page(&request, &by.0).await?;
    page(&request, &drawn)
}

/// `POST /account/sessions/{sid}/name`
pub async fn name(
    form: Form<SignedInUser, NameForm>,
    sid: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let facts = &form.by.0.facts;
    let session_id = session_id(&sid)?;
    let origin = origin(state, &request, facts);
    let typed = form.fields.name;
    let named = name_session(&state.context, facts.user_id, session_id, &typed, origin).await;
    match named {
        Ok(_) => Ok(go_to("/account/sessions", "session-named")),
        Err(error) => {
            let drawn = sessions_page(&request, &form.by.0).await?;
            again(&request, error, |problem| SessionsPage {
                named: Some(session_id.to_string()),
                problem: Some(problem),
                typed,
                ..drawn
            })
        }
    }
}

/// `POST /account/sessions/{sid}/end`
pub async fn end(
    form: Form<FreshUser, NoFields>,
    sid: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let facts = &form.by.0.facts;
    let session_id = session_id(&sid)?;
    let found = state
        .context
        .store
        .find_session(session_id, state.context.now())
        .await?;
    if found.is_none_or(|found| found.user_id != facts.user_id) {
        return Err(no_session());
    }
    let which = Which::OneOf(facts.user_id, session_id);
    let origin = origin(state, &request, facts);
    end_session::end(&state.context, which, EndReason::EndedByUser, origin).await?;
    Ok(go_to("/account/sessions", "session-ended"))
}

/// `POST /account/sessions/end-others`
pub async fn end_others(
    form: Form<FreshUser, NoFields>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let facts = &form.by.0.facts;
    let which = Which::UserExcept(facts.user_id, facts.session_id);
    let origin = origin(state, &request, facts);
    end_session::end(&state.context, which, EndReason::EndedByUser, origin).await?;
    Ok(go_to("/account/sessions", "others-ended"))
}

/// `GET /account/security`
pub async fn security(by: SignedInUser, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let drawn = security_page(&request, &by.0, None).await?;
    page(&request, &drawn)
}

/// `POST /account/security`
pub async fn change_password(
    form: Form<SignedInUser, PasswordForm>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let Form {
        by: SignedInUser(principal),
        fields,
    } = form;
    let changed = match must_match(&fields.new_password, &fields.new_password_again) {
        Ok(()) => {
            let (current, new) = (&fields.current_password.0, &fields.new_password.0);
            let visitor = state.visitor(&request);
            let others = fields.end_others;
            let context = &state.context;
            change_password::change_password(context, &principal, current, new, others, &visitor)
                .await
        }
        Err(error) => Err(error),
    };
    match changed {
        Ok(signed_in) => {
            state
                .cookies
                .set_session(&request, &signed_in, state.context.now());
            Ok(go_to("/account/security", "password-changed"))
        }
        Err(error) => {
            let mut problem = Problem::from(error);
            if problem.code == crate::http::problem::Code::InvalidCredentials {
                problem.detail = "The current password is wrong. Nothing was changed.".into();
            }
            let drawn = security_page(&request, &principal, None).await?;
            again(&request, problem, |problem| SecurityPage {
                problem: Some(problem),
                ..drawn
            })
        }
    }
}

pub(super) async fn account_page(
    request: &HttpRequest,
    principal: &Principal,
) -> Result<AccountPage, Problem> {
    let context = &State::of(request).context;
    let user = get_user(context, principal.facts.user_id).await?;
    let now = context.now();
    Ok(AccountPage {
        shell: shell(request, principal, "Your account", Section::Account),
        organization: user
            .organizations
            .into_iter()
            .find(|o| Some(o.id) == principal.facts.organization_id)
            .map(|o| o.name),
        email: user.email,
        email_verified: user.email_verified_at.is_some(),
        name: user.name,
        roles: user.roles.iter().map(ToString::to_string).collect(),
        live_sessions: user.live_sessions,
        password_changed_at: user.password_changed_at.map(|at| Instant::new(at, now)),
        created_at: Instant::new(user.created_at, now),
        problem: None,
    })
}

async fn security_page(
    request: &HttpRequest,
    principal: &Principal,
    problem: Option<String>,
) -> Result<SecurityPage, Problem> {
    let context = &State::of(request).context;
    let facts = &principal.facts;
    let live = context
        .store
        .live_sessions_of(facts.user_id, context.now())
        .await?;
    Ok(SecurityPage {
        shell: shell(request, principal, "Password", Section::Security),
        min_chars: min_chars(request),
        max_chars: u32::try_from(MAX_CHARS).unwrap_or(u32::MAX),
        other_sessions: live
            .iter()
            .filter(|session| session.id != facts.session_id)
            .count() as u64,
        problem,
    })
}

async fn sessions_page(
    request: &HttpRequest,
    principal: &Principal,
) -> Result<SessionsPage, Problem> {
    let context = &State::of(request).context;
    let now = context.now();
    let facts = &principal.facts;
    let live = context.store.live_sessions_of(facts.user_id, now).await?;
    let ended = context
        .store
        .ended_sessions_of(facts.user_id, now - RECENT, RECENT_MAX, now);
    let ended = ended.await?;
    Ok(SessionsPage {
        shell: shell(request, principal, "Your sessions", Section::Sessions),
        others: live
            .iter()
            .filter(|session| session.id != facts.session_id)
            .count() as u64,
        live: cards(&live, facts.session_id, now),
        ended: cards(&ended, facts.session_id, now),
        name_max_chars: u32::try_from(session_name::MAX_CHARS).unwrap_or(u32::MAX),
        named: None,
        typed: String::new(),
        problem: None,
    })
}
