//! Signing in and out.

use actix_web::http::header::CLEAR_SITE_DATA;
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use serde::Deserialize;

use crate::http::api::auth::{CLEARED, Password, end_own};
use crate::http::body;
use crate::http::edge::see_other;
use crate::http::guards::{DeadSession, Form, Leaver, Outdated, Perhaps};
use crate::http::pages::shell::{again, bare_shell, cards, go_to, page};
use crate::http::problem::Problem;
use crate::http::state::State;
use crate::http::views::{ChooseSessionPage, Instant, Notice, NoticeKind, SignInPage};
use crate::rules::end_reason::EndReason;
use crate::rules::id::SessionId;
use crate::rules::next_path::next_path;
use crate::service::error::Error;
use crate::service::open_session::{Chosen, go_on};
use crate::service::sign_in::SignIn;
use crate::service::{set_up, sign_in};

const HOME: &str = "/account";

#[derive(Deserialize)]
struct SignInQuery {
    #[serde(default)]
    next: String,
    ended: Option<SessionId>,
}

/// The form.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignInForm {
    email: String,
    password: Password,
    #[serde(default)]
    remember: bool,
    #[serde(default)]
    next: String,
}

/// The session to end, so that there is room for a new one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChoiceForm {
    choice_token: Password,
    end: SessionId,
    #[serde(default)]
    remember: bool,
    #[serde(default)]
    next: String,
}

/// A form without fields.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoFields {}

/// `GET /`
pub async fn home(by: Perhaps, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let context = &State::of(&request).context;
    let path = match by.0 {
        Some(_) => HOME,
        None if set_up::is_needed(context).await? => "/set-up",
        None => "/sign-in",
    };
    Ok(see_other(path))
}

/// `GET /sign-in`
pub async fn show(by: Perhaps, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let query: SignInQuery = body::query(&request)?;
    if by.0.is_some() {
        return Ok(see_other(next_path(&query.next, HOME)));
    }
    let outdated = request.extensions().get::<Outdated>().is_some();
    if outdated {
        State::of(&request).cookies.clear(&request);
    }
    // Whoever comes from an application behind a proxy brings nothing but the dead cookie.
    let dead = request.extensions().get::<DeadSession>().map(|dead| dead.0);
    if dead.is_some() && State::of(&request).cookies.take_up_own(&request) {
        return Ok(go_to(HOME, "impersonation-ended"));
    }
    let mut shell = bare_shell(&request, "Sign in")?;
    if let Some(session_id) = query.ended.or(dead) {
        shell.notice = Some(why_signed_out(&request, session_id).await?);
    }
    page(
        &request,
        &SignInPage {
            shell,
            email: String::new(),
            remember: false,
            next: next_path(&query.next, "").to_owned(),
            problem: None,
        },
    )
}

/// `POST /sign-in`
pub async fn submit(
    form: Form<Perhaps, SignInForm>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let fields = form.fields;
    let attempt = SignIn {
        email: fields.email.clone(),
        password: fields.password.0,
        remember: fields.remember,
        replaces: form.by.0.map(|principal| principal.facts.session_id),
    };
    match sign_in::sign_in(&state.context, attempt, &state.visitor(&request)).await {
        Ok(signed_in) => {
            // Nothing that somebody else has laid aside in this browser may come back.
            state.cookies.clear(&request);
            state
                .cookies
                .set_session(&request, &signed_in, state.context.now());
            Ok(see_other(next_path(&fields.next, HOME)))
        }
        Err(error) => not_in(&request, error, fields.email, fields.remember, &fields.next),
    }
}

/// `POST /sign-in/choice`
pub async fn choose(
    form: Form<Perhaps, ChoiceForm>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let fields = form.fields;
    let chosen = Chosen {
        token: fields.choice_token.0,
        end: fields.end,
        remember: fields.remember,
        replaces: form.by.0.map(|principal| principal.facts.session_id),
    };
    match go_on(&state.context, chosen, &state.visitor(&request)).await {
        Ok(signed_in) => {
            state.cookies.clear(&request);
            state
                .cookies
                .set_session(&request, &signed_in, state.context.now());
            Ok(see_other(next_path(&fields.next, HOME)))
        }
        Err(error) => not_in(
            &request,
            error,
            String::new(),
            fields.remember,
            &fields.next,
        ),
    }
}

/// The form again, or the sessions of which one must end first.
fn not_in(
    request: &HttpRequest,
    error: Error,
    email: String,
    remember: bool,
    next: &str,
) -> Result<HttpResponse, Problem> {
    let next = next_path(next, "").to_owned();
    let problem = Problem::from(error);
    if let Some(choice) = problem.choice().cloned() {
        let now = State::of(request).context.now();
        let nobodys = SessionId(uuid::Uuid::nil());
        let shell = bare_shell(request, "Choose a session to end")?;
        return again(request, problem, |problem| ChooseSessionPage {
            shell,
            choice_token: choice.token.reveal().to_owned(),
            sessions: cards(&choice.sessions, nobodys, now),
            remember,
            next,
            problem,
        });
    }
    let shell = bare_shell(request, "Sign in")?;
    again(request, problem, |problem| SignInPage {
        shell,
        email,
        remember,
        next,
        problem: Some(problem),
    })
}

/// `POST /sign-out`
pub async fn sign_out(
    form: Form<Leaver, NoFields>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    end_own(&request, &form.by.0.facts).await?;
    let mut answer = go_to("/sign-in", "signed-out");
    answer.headers_mut().insert(CLEAR_SITE_DATA, CLEARED);
    Ok(answer)
}

/// Why a session that somebody comes from has ended.
async fn why_signed_out(request: &HttpRequest, session_id: SessionId) -> Result<Notice, Problem> {
    let context = &State::of(request).context;
    let now = context.now();
    let found = context.store.find_session(session_id, now).await?;
    let text = match found.map(|session| session.ended) {
        Some(Some(ended)) => {
            let at = Instant::new(ended.at, now);
            let words = ended.reason.words();
            let advice = if ended.reason == EndReason::RefreshReuse {
                " Sign in again, and end every session that you do not know."
            } else {
                ""
            };
            format!("You were signed out because {words} on {}.{advice}", at.text)
        }
        Some(None) => "Sign in again to go on.".to_owned(),
        None => "You were signed out because the session, or the account it belonged to, does not exist any more.".to_owned(),
    };
    Ok(Notice {
        kind: NoticeKind::Warning,
        text,
    })
}
