//! Confirming by password that it is still the same person.

use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use crate::http::api::auth::Password;
use crate::http::body;
use crate::http::guards::{Form, SignedInUser};
use crate::http::pages::shell::{again, go_to, page, shell};
use crate::http::problem::Problem;
use crate::http::state::State;
use crate::http::views::{Section, StepUpPage};
use crate::rules::next_path::next_path;
use crate::service::step_up::step_up;

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

/// `GET /step-up`
pub async fn show(by: SignedInUser, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let query: StepUpQuery = body::query(&request)?;
    page(&request, &step_up_page(&request, &by, &query.next, None))
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
        Err(error) => again(&request, error, |problem| {
            step_up_page(&request, &by, &fields.next, Some(problem))
        }),
    }
}

fn step_up_page(
    request: &HttpRequest,
    by: &SignedInUser,
    next: &str,
    problem: Option<String>,
) -> StepUpPage {
    let next = next_path(next, "/account").to_owned();
    let act = match next.split('?').next().unwrap_or_default() {
        "/account/email" => "change your e-mail address",
        "/account/sessions" => "end sessions of your other devices",
        "/admin/sessions/end-all" => "end everyone's sessions",
        path if path.starts_with("/admin/users") => "change users",
        _ => "go on",
    };
    StepUpPage {
        shell: shell(request, &by.0, "Confirm that it is you", Section::None),
        act: act.to_owned(),
        next,
        problem,
    }
}
