//! The page behind a one-time link, on which a person chooses a password.

use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use crate::http::api::auth::Password;
use crate::http::body;
use crate::http::guards::{Form, Perhaps};
use crate::http::pages::set_up::{min_chars, must_match};
use crate::http::pages::shell::{again, bare_shell, go_to, page, shell_for_anybody};
use crate::http::problem::{Code, Problem};
use crate::http::state::State;
use crate::http::views::{InvitationDeadPage, InvitationPage};
use crate::rules::record::UserRecord;
use crate::service::error::Error;
use crate::service::invitation;

#[derive(Deserialize)]
struct InvitationQuery {
    #[serde(default)]
    token: String,
}

/// The form.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvitationForm {
    token: Password,
    password: Password,
    password_again: Password,
}

/// `GET /invitation`
pub async fn show(_by: Perhaps, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let query: InvitationQuery = body::query(&request)?;
    match invitation::find_invited(&State::of(&request).context, &query.token).await {
        Ok(user) => {
            let drawn = invitation_page(&request, user, query.token, None)?;
            page(&request, &drawn)
        }
        Err(Error::DeadLink) => dead(&request),
        Err(error) => Err(error.into()),
    }
}

/// `POST /invitation`
pub async fn submit(
    form: Form<Perhaps, InvitationForm>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let fields = form.fields;
    let token = fields.token.0.reveal();
    let accepted = match must_match(&fields.password, &fields.password_again) {
        Ok(()) => {
            let visitor = state.visitor(&request);
            invitation::accept(&state.context, token, &fields.password.0, &visitor).await
        }
        Err(error) => Err(error),
    };
    match accepted {
        Ok(_) => Ok(go_to("/sign-in", "password-chosen")),
        Err(Error::DeadLink) => dead(&request),
        Err(error) => {
            let user = match invitation::find_invited(&state.context, token).await {
                Ok(user) => user,
                Err(Error::DeadLink) => return dead(&request),
                Err(error) => return Err(error.into()),
            };
            let drawn = invitation_page(&request, user, token.to_owned(), None)?;
            again(&request, error, |problem| InvitationPage {
                problem: Some(problem),
                ..drawn
            })
        }
    }
}

fn invitation_page(
    request: &HttpRequest,
    user: UserRecord,
    token: String,
    problem: Option<String>,
) -> Result<InvitationPage, Problem> {
    Ok(InvitationPage {
        shell: bare_shell(request, "Choose a password")?,
        token,
        email: user.email,
        name: user.name,
        first: !user.has_password,
        min_chars: min_chars(request),
        problem,
    })
}

/// The page behind a link that is not good.
pub fn dead(request: &HttpRequest) -> Result<HttpResponse, Problem> {
    let shell = shell_for_anybody(request, "This link is not good any more")?;
    let mut answer = page(request, &InvitationDeadPage { shell })?;
    *answer.status_mut() = Code::NotFound.status();
    Ok(answer)
}
