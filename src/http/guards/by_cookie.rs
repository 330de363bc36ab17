//! Somebody signed in with a browser: what is handed out to no other holder of an access token.
//!
//! An access token may be stolen from a service that it was shown to. Neither as bearer nor in the
//! cookie's place does it lead to another, or it would live for as long as its session.

use actix_web::HttpRequest;

use super::{Guard, has_bearer, principal};
use crate::http::problem::{Code, Problem};
use crate::http::request_log;
use crate::http::state::State;
use crate::rules::id::SessionId;
use crate::rules::impersonation::Want;
use crate::service::authenticate::Principal;
use crate::service::error::Refusal;
use crate::service::refresh::can_renew;
use crate::settings::Secret;

/// Somebody signed in, who presents both cookies of the session and no bearer token.
#[derive(Clone, Debug)]
pub struct CookieUser(pub Principal);

impl Guard for CookieUser {
    const NAME: &'static str = "CookieUser";

    async fn admit(request: &HttpRequest) -> Result<Self, Problem> {
        let principal = principal(request, Want::Change).await?;
        let state = State::of(request);
        // A bearer token counts before any cookie.
        let token = state
            .cookies
            .refresh_token(request)
            .filter(|_| !has_bearer(request));
        let Some(token) = token else {
            request_log::warn(request, "refused: without both cookies of the session");
            let detail = "An access token is handed out here for the two cookies of a browser alone: \
                          no access token leads to another. Leave `Authorization` out, or renew with \
                          POST /api/auth/refresh.";
            return Err(Problem::new(Code::Forbidden, detail));
        };
        let token = Secret::new(token.to_owned());
        if can_renew(&state.context, principal.facts.session_id, &token).await? {
            return Ok(Self(principal));
        }
        request_log::warn(request, "refused: without both cookies of the session");
        Err(Refusal::UnknownRefreshToken.into())
    }

    fn session_id(&self) -> Option<SessionId> {
        Some(self.0.facts.session_id)
    }
}
