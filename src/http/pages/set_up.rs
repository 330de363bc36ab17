//! Making the first administrator.

use actix_web::{HttpRequest, HttpResponse};
use serde::Deserialize;

use crate::http::api::auth::Password;
use crate::http::body;
use crate::http::edge::see_other;
use crate::http::guards::{Form, Perhaps};
use crate::http::pages::shell::{again, bare_shell, go_to, page};
use crate::http::problem::{Code, Problem};
use crate::http::request_log;
use crate::http::state::State;
use crate::http::views::SetUpPage;
use crate::service::error::Error;
use crate::service::set_up;
use crate::service::sign_in::{SignIn, sign_in};

#[derive(Deserialize)]
struct SetUpQuery {
    #[serde(default)]
    code: String,
}

/// The form.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetUpForm {
    code: Password,
    email: String,
    name: String,
    password: Password,
    password_again: Password,
}

/// `GET /set-up`
pub async fn show(_by: Perhaps, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let query: SetUpQuery = body::query(&request)?;
    let context = &State::of(&request).context;
    if !set_up::is_needed(context).await? {
        return Ok(see_other("/sign-in"));
    }
    page(
        &request,
        &SetUpPage {
            shell: bare_shell(&request, "Set up")?,
            code: query.code,
            email: String::new(),
            name: String::new(),
            min_chars: min_chars(&request),
            problem: None,
        },
    )
}

/// `POST /set-up`
pub async fn submit(
    form: Form<Perhaps, SetUpForm>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let fields = form.fields;
    let visitor = state.visitor(&request);
    let code = fields.code.0.reveal();
    let made = match must_match(&fields.password, &fields.password_again) {
        Ok(()) => {
            let (email, name) = (fields.email.clone(), fields.name.clone());
            let password = &fields.password.0;
            set_up::make_administrator(&state.context, code, email, name, password, &visitor).await
        }
        Err(error) => Err(error),
    };
    let problem = match made {
        Ok(_) => {
            let attempt = SignIn {
                email: fields.email,
                password: fields.password.0,
                remember: false,
                replaces: None,
            };
            let signed_in = match sign_in(&state.context, attempt, &visitor).await {
                Ok(signed_in) => signed_in,
                // What was asked for is done all the same; only the way on is longer.
                Err(error) => {
                    request_log::note(&request, Problem::from(error).code);
                    return Ok(go_to("/sign-in", "administrator-made"));
                }
            };
            state
                .cookies
                .set_session(&request, &signed_in, state.context.now());
            return Ok(see_other("/admin"));
        }
        Err(Error::DeadLink) => {
            let detail = "This code has been used, replaced or has expired. The newest one is in the log of the server; it prints another at each start while there is no administrator.";
            Problem::new(Code::Conflict, detail)
        }
        Err(error) => error.into(),
    };
    let shell = bare_shell(&request, "Set up")?;
    let min_chars = min_chars(&request);
    again(&request, problem, |problem| SetUpPage {
        shell,
        code: code.to_owned(),
        email: fields.email,
        name: fields.name,
        min_chars,
        problem: Some(problem),
    })
}

/// Shortest password, as pages say it.
pub fn min_chars(request: &HttpRequest) -> u32 {
    let min = State::of(request).context.settings.password_min_chars;
    u32::try_from(min).unwrap_or(u32::MAX)
}

/// A password that was typed twice was typed the same way twice.
pub fn must_match(one: &Password, other: &Password) -> Result<(), Error> {
    if one.0.reveal() == other.0.reveal() {
        return Ok(());
    }
    let problem = "The two passwords are not the same. Type the new one twice.".to_owned();
    Err(Error::Invalid {
        field: "password_again",
        problem,
    })
}
