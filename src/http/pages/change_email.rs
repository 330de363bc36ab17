//! Changing one's own e-mail address.

use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use crate::http::api::auth::Password;
use crate::http::body;
use crate::http::guards::{Form, FreshUser, Perhaps, SignedInUser};
use crate::http::pages::invitation::dead;
use crate::http::pages::shell::{again, bare_shell, go_to, page, shell};
use crate::http::problem::Problem;
use crate::http::state::State;
use crate::http::views::{ChangeEmailPage, ConfirmEmailPage, Section};
use crate::service::authenticate::Principal;
use crate::service::change_email;
use crate::service::error::Error;

#[derive(Deserialize)]
struct LinkQuery {
    #[serde(default)]
    token: String,
}

/// The form that asks for a link.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailForm {
    email: String,
}

/// The form behind the link.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ConfirmForm {
    token: Password,
}

/// `GET /account/email`
pub async fn show(by: SignedInUser, request: HttpRequest) -> Result<HttpResponse, Problem> {
    page(&request, &change_page(&request, &by.0, String::new()))
}

/// `POST /account/email`
pub async fn ask(
    form: Form<FreshUser, EmailForm>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let Form {
        by: FreshUser(principal),
        fields,
    } = form;
    let visitor = state.visitor(&request);
    let drawn = change_page(&request, &principal, fields.email.clone());
    match change_email::ask(&state.context, &principal, &fields.email, &visitor).await {
        Ok(()) => page(
            &request,
            &ChangeEmailPage {
                asked: true,
                ..drawn
            },
        ),
        Err(error) => again(&request, error, |problem| ChangeEmailPage {
            problem: Some(problem),
            ..drawn
        }),
    }
}

/// `GET /confirm-email`
pub async fn show_confirm(_by: Perhaps, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let query: LinkQuery = body::query(&request)?;
    match change_email::find(&State::of(&request).context, &query.token).await {
        Ok(email) => page(&request, &confirm_page(&request, email, query.token)?),
        Err(Error::DeadLink) => dead(&request),
        Err(error) => Err(error.into()),
    }
}

/// `POST /confirm-email`
pub async fn confirm(
    form: Form<Perhaps, ConfirmForm>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let token = form.fields.token.0.reveal();
    match change_email::confirm(&state.context, token, &state.visitor(&request)).await {
        Ok(()) => Ok(match form.by.0 {
            Some(_) => go_to("/account", "email-changed"),
            None => go_to("/sign-in", "email-changed"),
        }),
        Err(Error::DeadLink) => dead(&request),
        Err(error) => {
            let email = match change_email::find(&state.context, token).await {
                Ok(email) => email,
                Err(Error::DeadLink) => return dead(&request),
                Err(error) => return Err(error.into()),
            };
            let drawn = confirm_page(&request, email, token.to_owned())?;
            again(&request, error, |problem| ConfirmEmailPage {
                problem: Some(problem),
                ..drawn
            })
        }
    }
}

fn change_page(request: &HttpRequest, principal: &Principal, email: String) -> ChangeEmailPage {
    ChangeEmailPage {
        shell: shell(
            request,
            principal,
            "Change your e-mail address",
            Section::Security,
        ),
        current: principal.facts.person.email().to_owned(),
        email,
        asked: false,
        problem: None,
    }
}

fn confirm_page(
    request: &HttpRequest,
    email: String,
    token: String,
) -> Result<ConfirmEmailPage, Problem> {
    Ok(ConfirmEmailPage {
        shell: bare_shell(request, "Confirm your e-mail address")?,
        token,
        email,
        problem: None,
    })
}
