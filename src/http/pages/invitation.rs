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
    #[serde(default)]
    mailed: String,
}

/// The form.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InvitationForm {
    token: Password,
    mailed: Option<Password>,
    password: Password,
    password_again: Password,
}

/// `GET /invitation`
pub async fn show(_by: Perhaps, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let query: InvitationQuery = body::query(&request)?;
    match invitation::find_invited(&State::of(&request).context, &query.token).await {
        Ok(user) => {
            let drawn = invitation_page(&request, user, query.token, query.mailed)?;
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
            let (password, visitor) = (&fields.password.0, state.visitor(&request));
            let mailed = fields.mailed.as_ref().map(|mailed| &mailed.0);
            invitation::accept(&state.context, token, mailed, password, &visitor).await
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
            let mailed = fields.mailed.as_ref().map(|mailed| mailed.0.reveal());
            let mailed = mailed.unwrap_or_default().to_owned();
            let drawn = invitation_page(&request, user, token.to_owned(), mailed)?;
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
    mailed: String,
) -> Result<InvitationPage, Problem> {
    Ok(InvitationPage {
        shell: bare_shell(request, "Choose a password")?,
        token,
        mailed,
        email: user.email,
        name: user.name,
        first: !user.has_password,
        min_chars: min_chars(request),
        problem: None,
    })
}

/// The page behind a link that is not good.
pub fn dead(request: &HttpRequest) -> Result<HttpResponse, Problem> {
    let shell = shell_for_anybody(request, "This link is not good any more")?;
    let mut answer = page(request, &InvitationDeadPage { shell })?;
    *answer.status_mut() = Code::NotFound.status();
    Ok(answer)
}
