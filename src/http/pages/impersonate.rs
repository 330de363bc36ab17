//! Looking on as another user, and being oneself again.

use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use crate::http::api::admin::user_id;
use crate::http::edge::see_other;
use crate::http::guards::{Form, FreshImpersonator, Leaver};
use crate::http::pages::admin_users::user_page;
use crate::http::pages::shell::{again, go_to};
use crate::http::pages::sign_in::NoFields;
use crate::http::problem::{Code, Problem};
use crate::http::state::State;
use crate::http::views::AdminUserPage;
use crate::service::impersonate::{self, Opening};
use crate::settings::Secret;

/// The form.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImpersonateForm {
    reason: String,
    #[serde(default)]
    may_change: bool,
}

/// `POST /admin/users/{id}/impersonate`
pub async fn start(
    form: Form<FreshImpersonator, ImpersonateForm>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let Form {
        by: FreshImpersonator(principal),
        fields,
    } = form;
    let opening = Opening {
        user_id: user_id(&id)?,
        reason: fields.reason.clone(),
        read_only: !fields.may_change,
    };
    let visitor = state.visitor(&request);
    match impersonate::open(&state.context, &principal, opening, &visitor).await {
        Ok(signed_in) => {
            state.cookies.keep_own(&request);
            let now = state.context.now();
            state.cookies.set_session(&request, &signed_in, now);
            Ok(see_other("/account"))
        }
        Err(error) => {
            let problem = Problem::from(error);
            if problem.code == Code::NotFound {
                return Err(problem);
            }
            let drawn = user_page(&request, &principal, user_id(&id)?).await?;
            again(&request, problem, |problem| AdminUserPage {
                impersonation_problem: Some(problem),
                impersonation_reason: fields.reason,
                impersonation_may_change: fields.may_change,
                ..drawn
            })
        }
    }
}

/// `POST /impersonation/stop`
pub async fn stop(
    form: Form<Leaver, NoFields>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let principal = form.by.0;
    let own = state.cookies.own_refresh_token(&request);
    let own = own.map(|token| Secret::new(token.to_owned()));
    let visitor = state.visitor(&request);
    let resumed = impersonate::stop(&state.context, &principal, own.as_ref(), &visitor).await?;
    state.cookies.clear(&request);
    match resumed {
        Some(signed_in) => {
            let now = state.context.now();
            state.cookies.set_session(&request, &signed_in, now);
            let user = format!("/admin/users/{}", principal.facts.user_id);
            Ok(go_to(&user, "impersonation-ended"))
        }
        None => Ok(go_to("/sign-in", "impersonation-ended")),
    }
}
