//! Confirming by password that it is still the same person.

use actix_web::{HttpMessage, HttpRequest, HttpResponse};
use serde::Deserialize;

use crate::http::api::auth::Password;
use crate::http::body::{self, PROOF};
use crate::http::carry_on::Waiting;
use crate::http::edge::page_of;
use crate::http::guards::{Form, SignedInUser};
use crate::http::pages::shell::{again, draw, go_to, page, shell};
use crate::http::problem::{Code, Problem};
use crate::http::request_log::Pattern;
use crate::http::state::State;
use crate::http::views::{HiddenField, Section, StepUpPage};
use crate::rules::id::UserId;
use crate::rules::next_path::next_path;
use crate::service::authenticate::Principal;
use crate::service::step_up::step_up;

const TITLE: &str = "Confirm that it is you";

/// What is done behind each form that needs a recent proof, to follow "To …". `{user}` is whom it is
/// done to.
const ACTS: &[(&str, &str)] = &[
    ("/account/email", "change your e-mail address"),
    ("/admin/policies", "save a policy of sessions"),
    (
        "/admin/policies/{kind}/{name}/delete",
        "delete a policy of sessions",
    ),
    (
        "/admin/sessions/end-where",
        "end the sessions that match what you asked for",
    ),
    (
        "/account/sessions/{sid}/end",
        "end a session on another device",
    ),
    (
        "/account/sessions/end-others",
        "end your sessions on all other devices",
    ),
    ("/admin/sessions/end-all", "end everyone's sessions"),
    ("/admin/users", "make a new user"),
    ("/admin/users/{id}", "change the name and roles of {user}"),
    ("/admin/users/{id}/disable", "disable the account of {user}"),
    ("/admin/users/{id}/enable", "enable the account of {user}"),
    (
        "/admin/users/{id}/invitation",
        "make a link on which {user} chooses a password",
    ),
    ("/admin/users/{id}/impersonate", "look on as {user}"),
    ("/admin/users/{id}/delete", "delete {user} for good"),
];

#[derive(Deserialize)]
struct StepUpQuery {
    #[serde(default)]
    next: String,
}

/// The form.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepUpForm {
    password: Password,
    #[serde(default)]
    next: String,
}

/// The words for what the form on this path does, if it needs a recent proof.
pub fn act_of(pattern: &str) -> Option<&'static str> {
    let act = ACTS.iter().find(|(path, _)| *path == pattern);
    act.map(|(_, words)| *words)
}

/// `GET /step-up`
pub async fn show(by: SignedInUser, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let query: StepUpQuery = body::query(&request)?;
    page(&request, &first_proof(&request, &by.0, &query.next, None))
}

/// `POST /step-up`
pub async fn submit(
    form: Form<SignedInUser, StepUpForm>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let Form { by, fields } = form;
    let visitor = state.visitor(&request);
    match step_up(&state.context, &by.0, &fields.password.0, &visitor).await {
        Ok(signed_in) => {
            state
                .cookies
                .set_session(&request, &signed_in, state.context.now());
            Ok(go_to(next_path(&fields.next, "/account"), "confirmed"))
        }
        Err(error) => again(&request, in_words(error.into()), |problem| {
            first_proof(&request, &by.0, &fields.next, Some(problem))
        }),
    }
}

/// The page that asks for a proof before anything was sent, and leads to `next`.
fn first_proof(
    request: &HttpRequest,
    by: &Principal,
    next: &str,
    problem: Option<String>,
) -> StepUpPage {
    let next = next_path(next, "/account").to_owned();
    StepUpPage {
        shell: shell(request, by, TITLE, Section::None),
        act: "go on".to_owned(),
        carries_on: false,
        action: "/step-up".to_owned(),
        fields: vec![HiddenField {
            name: "next".to_owned(),
            value: next.clone(),
        }],
        proof: "password".to_owned(),
        back: next,
        problem,
    }
}

/// The page that asks for a proof and goes on with the form that waits for it.
///
/// # Errors
/// The problem, where it is nothing that this page could mend.
pub async fn carrying_on(
    request: &HttpRequest,
    waiting: Waiting,
    problem: &Problem,
) -> Result<HttpResponse, Problem> {
    let principal = request.extensions().get::<Principal>().cloned();
    let principal = principal.ok_or_else(|| problem.clone())?;
    let Waiting(fields) = waiting;
    let drawn = |problem| StepUpPage {
        shell: shell(request, &principal, TITLE, Section::None),
        act: String::new(),
        carries_on: true,
        action: address(request),
        fields: fields
            .into_iter()
            .map(|(name, value)| HiddenField { name, value })
            .collect(),
        proof: PROOF.to_owned(),
        back: page_of(request),
        problem,
    };
    let act = words(request).await;
    if problem.code == Code::StepUpRequired {
        let page = StepUpPage { act, ..drawn(None) };
        return draw(request, problem.code.status(), &page);
    }
    again(request, in_words(problem.clone()), |problem| StepUpPage {
        act,
        ..drawn(Some(problem))
    })
}

/// Who is signed in has given no e-mail address that might be wrong.
fn in_words(problem: Problem) -> Problem {
    if problem.code != Code::InvalidCredentials {
        return problem;
    }
    Problem {
        detail: "The password is wrong. Nothing was done.".into(),
        ..problem
    }
}

/// Where the form was sent to, which may say more than its path.
fn address(request: &HttpRequest) -> String {
    let uri = request.uri();
    uri.path_and_query()
        .map_or_else(|| uri.path().to_owned(), ToString::to_string)
}

/// What the form on this path does, in words.
async fn words(request: &HttpRequest) -> String {
    let pattern = request.app_data::<Pattern>();
    let act = pattern
        .and_then(|Pattern(path)| act_of(path))
        .unwrap_or("go on");
    let context = &State::of(request).context;
    let id = request
        .match_info()
        .get("id")
        .and_then(|id| id.parse::<UserId>().ok());
    let user = match id {
        Some(id) => context
            .store
            .find_user(id, context.now())
            .await
            .ok()
            .flatten(),
        None => None,
    };
    // The words are needed where the database does not answer, too.
    let user = user.map_or_else(|| "this user".to_owned(), |user| user.email);
    act.replace("{user}", &user)
}
