//! Somebody signed in with a browser: what is handed out to no other holder of an access token.
//!
//! An access token may be stolen from a service that it was shown to. As bearer it leads to no other;
//! in the cookie's place to none that is good for longer, which whoever hands out sees to.

use actix_web::HttpRequest;

use super::{Guard, has_bearer, principal};
use crate::http::problem::{Code, Problem};
use crate::http::request_log;
use crate::rules::id::SessionId;
use crate::rules::impersonation::Want;
use crate::service::authenticate::Principal;

/// Somebody signed in, who presents the cookie and no bearer token.
#[derive(Clone, Debug)]
pub struct CookieUser(pub Principal);

impl Guard for CookieUser {
    const NAME: &'static str = "CookieUser";

    async fn admit(request: &HttpRequest) -> Result<Self, Problem> {
        let principal = principal(request, Want::Change).await?;
        // A bearer token counts before any cookie.
        if has_bearer(request) {
            request_log::warn(request, "refused: with a bearer token");
            let detail = "An access token is handed out here for the cookie of a browser alone: no \
                          access token leads to another. Leave `Authorization` out, or renew with \
                          POST /api/auth/refresh.";
            return Err(Problem::new(Code::Forbidden, detail));
        }
        Ok(Self(principal))
    }

    fn session_id(&self) -> Option<SessionId> {
        Some(self.0.facts.session_id)
    }
}
