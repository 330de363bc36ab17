//! "This was not me": the page behind the link in a mail about a sign-in.

use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use crate::http::api::auth::Password;
use crate::http::body;
use crate::http::edge::see_other;
use crate::http::guards::{Form, Perhaps};
use crate::http::pages::invitation::dead;
use crate::http::pages::shell::{bare_shell, card, go_to, page};
use crate::http::problem::Problem;
use crate::http::state::State;
use crate::http::views::NotMePage;
use crate::rules::id::SessionId;
use crate::service::error::Error;
use crate::service::report::{self, Reported};

#[derive(Deserialize)]
struct LinkQuery {
    #[serde(default)]
    token: String,
}

/// The form.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReportForm {
    token: Password,
}

/// `GET /not-me`
pub async fn show(_by: Perhaps, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let query: LinkQuery = body::query(&request)?;
    let context = &State::of(&request).context;
    let (email, session) = match report::find(context, &query.token).await {
        Ok(found) => found,
        Err(Error::DeadLink) => return dead(&request),
        Err(error) => return Err(error.into()),
    };
    // Nobody needs to be signed in here, so that none of the sessions is this browser's.
    let nobody = SessionId(uuid::Uuid::nil());
    let now = context.now();
    page(
        &request,
        &NotMePage {
            shell: bare_shell(&request, "Was this you?")?,
            token: query.token,
            email,
            card: session.map(|session| card(&session, nobody, now)),
        },
    )
}

/// `POST /not-me`
pub async fn submit(
    form: Form<Perhaps, ReportForm>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let token = form.fields.token.0.reveal();
    match report::report(&state.context, token, &state.visitor(&request)).await {
        Ok(Reported::Disabled) => Ok(go_to("/sign-in", "reported")),
        Ok(Reported::Ask) => Ok(go_to("/sign-in", "reported-ask")),
        Ok(Reported::Choose(token)) => {
            let path = format!("/new-password?token={}&reported=true", token.reveal());
            Ok(see_other(&path))
        }
        Err(Error::DeadLink) => dead(&request),
        Err(error) => Err(error.into()),
    }
}
