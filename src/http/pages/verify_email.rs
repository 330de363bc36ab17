//! Showing that one gets what is mailed to one's address.

use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use crate::http::api::auth::Password;
use crate::http::body;
use crate::http::guards::{Form, Perhaps, SignedInUser};
use crate::http::pages::account::account_page;
use crate::http::pages::invitation::dead;
use crate::http::pages::shell::{again, bare_shell, go_to, page};
use crate::http::pages::sign_in::NoFields;
use crate::http::problem::Problem;
use crate::http::state::State;
use crate::http::views::{AccountPage, VerifyEmailPage};
use crate::service::error::Error;
use crate::service::verify_email;

#[derive(Deserialize)]
struct LinkQuery {
    #[serde(default)]
    token: String,
}

/// The form behind the link.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VerifyForm {
    token: Password,
}

/// `POST /account/email/verify`
pub async fn ask(
    form: Form<SignedInUser, NoFields>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let by = &form.by.0;
    match verify_email::ask(&state.context, by, &state.visitor(&request)).await {
        Ok(()) => Ok(go_to("/account", "verify-mailed")),
        Err(error) => {
            let drawn = account_page(&request, by).await?;
            again(&request, error, |problem| AccountPage {
                problem: Some(problem),
                ..drawn
            })
        }
    }
}

/// `GET /verify-email`
pub async fn show(_by: Perhaps, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let query: LinkQuery = body::query(&request)?;
    match verify_email::find(&State::of(&request).context, &query.token).await {
        Ok(email) => page(
            &request,
            &VerifyEmailPage {
                shell: bare_shell(&request, "Verify your e-mail address")?,
                token: query.token,
                email,
            },
        ),
        Err(Error::DeadLink) => dead(&request),
        Err(error) => Err(error.into()),
    }
}

/// `POST /verify-email`
pub async fn submit(
    form: Form<Perhaps, VerifyForm>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let token = form.fields.token.0.reveal();
    match verify_email::verify(&state.context, token, &state.visitor(&request)).await {
        Ok(()) => Ok(match form.by.0 {
            Some(_) => go_to("/account", "email-verified"),
            None => go_to("/sign-in", "email-verified"),
        }),
        Err(Error::DeadLink) => dead(&request),
        Err(error) => Err(error.into()),
    }
}
