//! What all pages share: the frame, messages after an act, problems.

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::entropy;
use crate::http::edge::{page_of, see_other};
use crate::http::guards::expected_form_token;
use crate::http::problem::{Code, Problem};
use crate::http::request_log;
use crate::http::state::State;
use crate::http::views::{
    ErrorPage, Instant, LookingOn, Notice, NoticeKind, Page, Section, SessionCard, Shell, ShellUser,
};
use crate::rules::id::SessionId;
use crate::rules::record::SessionRecord;
use crate::service::authenticate::Principal;
use crate::service::tokens::form_token_before_sign_in;

/// What has just been done, as the address of the next page says it. A code, so that nobody can
/// put words of their own on a page.
const DONE: &[(&str, &str)] = &[
    (
        "session-ended",
        "The session was ended. Its next request is refused.",
    ),
    ("session-named", "The name was saved."),
    ("others-ended", "Your other sessions were ended."),
    ("password-changed", "Your password was changed."),
    (
        "email-changed",
        "Your e-mail address was changed. Sign in with the new one from now on.",
    ),
    (
        "verify-mailed",
        "A mail with a link is on its way to your address. The link works once, for an hour.",
    ),
    ("email-verified", "Your e-mail address is verified."),
    (
        "reported",
        "All sessions of the account were ended, and its password works no more. Its e-mail address is another one by now than yours, so the account is disabled: tell your administrator.",
    ),
    (
        "reported-ask",
        "All sessions of the account were ended, and its password works no more. It was changed since that mail was sent: choose the next with “Forgot your password?”.",
    ),
    ("signed-out", "You are signed out."),
    (
        "password-chosen",
        "Your password is set. Sign in with it now.",
    ),
    ("confirmed", "Thank you. Now repeat what you wanted to do."),
    (
        "saved",
        "The changes were saved. They count from the user's next request.",
    ),
    (
        "disabled",
        "The account was disabled and all its sessions were ended.",
    ),
    (
        "enabled",
        "The account was enabled. Sessions that were ended stay ended.",
    ),
    ("delivery-retried", "The delivery is tried again at once."),
    ("delivery-dropped", "The delivery was dropped."),
    (
        "policy-saved",
        "The policy was saved. Sessions that are live keep within it too.",
    ),
    (
        "policy-deleted",
        "The policy was deleted. Sessions that are live keep the limits they have.",
    ),
    ("sessions-ended", "All sessions of this user were ended."),
    (
        "impersonation-ended",
        "You are no longer looking on as somebody else.",
    ),
    ("everyone-out", "Everyone else was signed out."),
    (
        "ended-where",
        "The sessions were ended. This is the receipt, and below it each of them.",
    ),
    (
        "administrator-made",
        "The administrator was made. Sign in now.",
    ),
    (
        "user-deleted",
        "The user was deleted and all their sessions were ended.",
    ),
];

/// The part of a page's address that names what was done.
#[derive(Deserialize)]
struct DoneQuery {
    done: Option<String>,
}

/// The frame for somebody signed in.
pub fn shell(request: &HttpRequest, principal: &Principal, title: &str, section: Section) -> Shell {
    let facts = &principal.facts;
    Shell {
        title: title.to_owned(),
        user: Some(ShellUser {
            id: facts.user_id.to_string(),
            name: facts.person.name().to_owned(),
            email: facts.person.email().to_owned(),
            is_admin: facts.is_admin(),
        }),
        csrf_token: expected_form_token(request, Some(facts.session_id)).unwrap_or_default(),
        notice: done(request),
        section,
        impersonation: looking_on(request, Some(principal)),
    }
}

fn looking_on(request: &HttpRequest, principal: Option<&Principal>) -> Option<LookingOn> {
    let facts = &principal?.facts;
    let impersonation = facts.impersonation.as_ref()?;
    let now = State::of(request).context.now();
    let name = if facts.person.name().is_empty() {
        facts.person.email()
    } else {
        facts.person.name()
    };
    Some(LookingOn {
        name: name.to_owned(),
        reason: impersonation.reason.to_string(),
        ends_at: Instant::new(facts.expires_at.at(), now),
        read_only: impersonation.read_only,
    })
}

/// The frame of a page that belongs to nobody, for whoever is there.
pub fn shell_for_anybody(request: &HttpRequest, title: &str) -> Result<Shell, Problem> {
    let principal = request.extensions().get::<Principal>().cloned();
    match principal {
        Some(principal) => Ok(shell(request, &principal, title, Section::None)),
        None => bare_shell(request, title),
    }
}

/// The frame of a page that nobody needs to be signed in for. Its forms are bound to the session if
/// there is one, else to a text that the browser gets.
pub fn bare_shell(request: &HttpRequest, title: &str) -> Result<Shell, Problem> {
    let state = State::of(request);
    let principal = request.extensions().get::<Principal>().cloned();
    let session_id = principal.as_ref().map(|by| by.facts.session_id);
    let csrf_token = match expected_form_token(request, session_id) {
        Some(token) => token,
        None => {
            let random = entropy::random_token().map_err(crate::service::error::Error::from)?;
            let cookie = state.cookies.set_before_sign_in(request, &random);
            form_token_before_sign_in(&state.context, &cookie)
        }
    };
    Ok(Shell {
        title: title.to_owned(),
        user: None,
        csrf_token,
        notice: done(request),
        section: Section::None,
        impersonation: looking_on(request, principal.as_ref()),
    })
}

fn done(request: &HttpRequest) -> Option<Notice> {
    let query: DoneQuery = serde_urlencoded::from_str(request.query_string()).ok()?;
    let code = query.done?;
    let (_, text) = DONE.iter().find(|(known, _)| *known == code)?;
    Some(Notice {
        kind: NoticeKind::Success,
        text: (*text).to_owned(),
    })
}

/// To a page that says what was done.
pub fn go_to(path: &str, done: &str) -> HttpResponse {
    let separator = if path.contains('?') { '&' } else { '?' };
    see_other(&format!("{path}{separator}done={done}"))
}

/// A page.
pub fn page<P: Page>(request: &HttpRequest, page: &P) -> Result<HttpResponse, Problem> {
    draw(request, StatusCode::OK, page)
}

/// A page with this status.
pub fn draw<P: Page>(
    request: &HttpRequest,
    status: StatusCode,
    page: &P,
) -> Result<HttpResponse, Problem> {
    match State::of(request).renderer.render(page) {
        Ok(html) => Ok(HttpResponse::build(status)
            .content_type("text/html; charset=utf-8")
            .body(html)),
        Err(error) => {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            tracing::error!(source, "{error}");
            Err(Problem::new(
                Code::Internal,
                "Something went wrong on this server. It has been written to its log.",
            ))
        }
    }
}

/// The same form again, with what was wrong; where that is nothing the form could mend, the
/// problem itself.
pub fn again<P: Page>(
    request: &HttpRequest,
    problem: impl Into<Problem>,
    page: impl FnOnce(String) -> P,
) -> Result<HttpResponse, Problem> {
    let problem = problem.into();
    let mendable = matches!(
        problem.code,
        Code::InvalidCredentials
            | Code::Throttled
            | Code::Overloaded
            | Code::StoreUnavailable
            | Code::InvalidField
            | Code::Conflict
    );
    if !mendable {
        return Err(problem);
    }
    request_log::note(request, problem.code);
    let mut answer = draw(
        request,
        problem.code.status(),
        &page(problem.detail.to_string()),
    )?;
    if let Some(seconds) = problem.retry_after_secs {
        answer
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if problem.code == Code::InvalidCredentials {
        answer
            .headers_mut()
            .insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    Ok(answer)
}

/// A problem as a page.
pub fn error_page(request: &HttpRequest, problem: &Problem) -> HttpResponse {
    let principal = request.extensions().get::<Principal>().cloned();
    let title = problem.code.title();
    let shell = match &principal {
        Some(principal) => Shell {
            notice: None,
            ..shell(request, principal, title, Section::None)
        },
        None => Shell {
            title: title.to_owned(),
            user: None,
            csrf_token: String::new(),
            notice: None,
            section: Section::None,
            impersonation: None,
        },
    };
    let (url, label) = if problem.code == Code::CrossSite {
        (page_of(request), "Load the page again")
    } else if principal.is_some() {
        ("/account".to_owned(), "To your account")
    } else {
        ("/".to_owned(), "To the start")
    };
    let status = problem.code.status();
    let error = ErrorPage {
        shell,
        status: status.as_u16(),
        heading: title.to_owned(),
        text: problem.detail.to_string(),
        retry_after_secs: problem.retry_after_secs,
        action_url: Some(url),
        action_label: Some(label.to_owned()),
    };
    draw(request, status, &error).unwrap_or_else(|_| {
        HttpResponse::build(status)
            .content_type("text/plain; charset=utf-8")
            .body(title)
    })
}

/// A session as pages show it.
pub fn card(record: &SessionRecord, current: SessionId, now: DateTime<Utc>) -> SessionCard {
    let instant = |at| Instant::new(at, now);
    SessionCard {
        id: record.id.to_string(),
        current: record.id == current,
        name: record.name.clone(),
        device: record.device.device.clone(),
        browser: record.device.browser.clone(),
        os: record.device.os.clone(),
        ip: record.ip.clone(),
        place: record.place.clone(),
        created_at: instant(record.created_at),
        last_seen_at: instant(record.last_seen_at),
        idle_expires_at: instant(record.idle_expires_at),
        expires_at: instant(record.expires_at),
        remembered: record.remembered,
        ended_at: record.ended.map(|ended| instant(ended.at)),
        end_reason: record.ended.map(|ended| ended.reason.words().to_owned()),
        ended_by_other: record.ended_by.is_some_and(|by| by != record.user_id),
        opened_by_admin: record.opened_by.as_ref().map(|by| by.reason.clone()),
    }
}

/// Sessions as pages show them, the current one first.
pub fn cards(
    records: &[SessionRecord],
    current: SessionId,
    now: DateTime<Utc>,
) -> Vec<SessionCard> {
    let mut cards: Vec<_> = records
        .iter()
        .map(|record| card(record, current, now))
        .collect();
    cards.sort_by_key(|card| !card.current);
    cards
}
