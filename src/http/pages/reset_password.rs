//! A new password instead of a forgotten one.

use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use crate::http::api::auth::Password;
use crate::http::body;
use crate::http::guards::{Form, Perhaps};
use crate::http::pages::invitation::dead;
use crate::http::pages::set_up::{min_chars, must_match};
use crate::http::pages::shell::{again, bare_shell, go_to, page};
use crate::http::problem::Problem;
use crate::http::state::State;
use crate::http::views::{NewPasswordPage, ResetPage};
use crate::rules::record::UserRecord;
use crate::service::error::Error;
use crate::service::reset_password;

#[derive(Deserialize)]
struct LinkQuery {
    #[serde(default)]
    token: String,
    #[serde(default)]
    reported: bool,
}

/// The form that asks for a link.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AskForm {
    email: String,
}

/// The form behind the link.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewPasswordForm {
    token: Password,
    password: Password,
    password_again: Password,
    #[serde(default)]
    end_all: bool,
}

/// `GET /reset-password`
pub async fn show(_by: Perhaps, request: HttpRequest) -> Result<HttpResponse, Problem> {
    page(&request, &reset_page(&request, String::new(), false)?)
}

/// `POST /reset-password`
pub async fn ask(
    form: Form<Perhaps, AskForm>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let email = form.fields.email;
    match reset_password::ask(&state.context, &email, &state.visitor(&request)).await {
        Ok(()) => page(&request, &reset_page(&request, email, true)?),
        Err(error) => {
            let drawn = reset_page(&request, email, false)?;
            again(&request, error, |problem| ResetPage {
                problem: Some(problem),
                ..drawn
            })
        }
    }
}

/// `GET /new-password`
pub async fn show_new(_by: Perhaps, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let query: LinkQuery = body::query(&request)?;
    match reset_password::find(&State::of(&request).context, &query.token).await {
        Ok(user) => {
            let drawn = new_password_page(&request, user, query.token)?;
            let reported = query.reported;
            page(&request, &NewPasswordPage { reported, ..drawn })
        }
        Err(Error::DeadLink) => dead(&request),
        Err(error) => Err(error.into()),
    }
}

/// `POST /new-password`
pub async fn choose(
    form: Form<Perhaps, NewPasswordForm>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let fields = form.fields;
    let token = fields.token.0.reveal();
    let chosen = match must_match(&fields.password, &fields.password_again) {
        Ok(()) => {
            let (password, visitor) = (&fields.password.0, state.visitor(&request));
            let context = &state.context;
            reset_password::choose(context, token, password, fields.end_all, &visitor).await
        }
        Err(error) => Err(error),
    };
    match chosen {
        Ok(()) => Ok(go_to("/sign-in", "password-chosen")),
        Err(Error::DeadLink) => dead(&request),
        Err(error) => {
            let user = match reset_password::find(&state.context, token).await {
                Ok(user) => user,
                Err(Error::DeadLink) => return dead(&request),
                Err(error) => return Err(error.into()),
            };
            let drawn = new_password_page(&request, user, token.to_owned())?;
            again(&request, error, |problem| NewPasswordPage {
                problem: Some(problem),
                ..drawn
            })
        }
    }
}

fn reset_page(request: &HttpRequest, email: String, asked: bool) -> Result<ResetPage, Problem> {
    Ok(ResetPage {
        shell: bare_shell(request, "Forgot your password?")?,
        email,
        asked,
        problem: None,
    })
}

fn new_password_page(
    request: &HttpRequest,
    user: UserRecord,
    token: String,
) -> Result<NewPasswordPage, Problem> {
    Ok(NewPasswordPage {
        shell: bare_shell(request, "Choose a new password")?,
        token,
        email: user.email,
        min_chars: min_chars(request),
        reported: false,
        problem: None,
    })
}
