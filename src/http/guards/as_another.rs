//! Administrators who look on as another user: what they may ask for, and the guards of the few
//! doors that are open to them although something changes behind.
//!
//! The default is closed. A guard that says nothing wants [`Want::Change`] where the method is
//! unsafe, and that is refused to whoever looks on as another.

use actix_web::HttpRequest;

use super::{Guard, is_safe, must_be_admin, must_be_fresh, principal};
use crate::http::problem::{Code, Problem};
use crate::http::request_log;
use crate::rules::id::SessionId;
use crate::rules::impersonation::{Refused, Want, allows, may_impersonate};
use crate::service::authenticate::Principal;

/// Somebody signed in, who may be done with it whoever they are.
#[derive(Clone, Debug)]
pub struct Leaver(pub Principal);

/// As [`Leaver`], and anybody; a dead credential is the same as none.
#[derive(Clone, Debug)]
pub struct PerhapsLeaver(pub Option<Principal>);

/// Somebody signed in, or an administrator who looks on as them and may also change things.
#[derive(Clone, Debug)]
pub struct ActingUser(pub Principal);

/// An administrator with the right to look on as others, who has proven lately who they are.
#[derive(Clone, Debug)]
pub struct FreshImpersonator(pub Principal);

impl Guard for Leaver {
    const NAME: &'static str = "Leaver";

    async fn admit(request: &HttpRequest) -> Result<Self, Problem> {
        Ok(Self(principal(request, Want::Leave).await?))
    }

    fn session_id(&self) -> Option<SessionId> {
        Some(self.0.facts.session_id)
    }
}

impl Guard for PerhapsLeaver {
    const NAME: &'static str = "PerhapsLeaver";

    async fn admit(request: &HttpRequest) -> Result<Self, Problem> {
        match principal(request, Want::Leave).await {
            Ok(principal) => Ok(Self(Some(principal))),
            Err(problem) if problem.needs_sign_in() => Ok(Self(None)),
            Err(problem) => Err(problem),
        }
    }

    fn session_id(&self) -> Option<SessionId> {
        self.0.as_ref().map(|principal| principal.facts.session_id)
    }
}

impl Guard for ActingUser {
    const NAME: &'static str = "ActingUser";

    async fn admit(request: &HttpRequest) -> Result<Self, Problem> {
        Ok(Self(principal(request, Want::ChangeAsUser).await?))
    }

    fn session_id(&self) -> Option<SessionId> {
        Some(self.0.facts.session_id)
    }
}

impl Guard for FreshImpersonator {
    const NAME: &'static str = "FreshImpersonator";

    async fn admit(request: &HttpRequest) -> Result<Self, Problem> {
        let principal = principal(request, Want::Change).await?;
        must_be_admin(request, &principal)?;
        if !may_impersonate(|role| principal.facts.has_role(role)) {
            request_log::warn(request, "refused: without the role impersonator");
            let detail = "Only administrators with the role impersonator may do this.";
            return Err(Problem::new(Code::Forbidden, detail));
        }
        must_be_fresh(request, &principal)?;
        Ok(Self(principal))
    }

    fn session_id(&self) -> Option<SessionId> {
        Some(self.0.facts.session_id)
    }
}

/// The one place where it is refused that somebody who looks on as another changes anything: every
/// guard that knows who is there comes by.
pub(super) fn must_be_allowed(
    request: &HttpRequest,
    principal: &Principal,
    unsafe_want: Want,
) -> Result<(), Problem> {
    let want = if is_safe(request) {
        Want::Look
    } else {
        unsafe_want
    };
    let detail = match allows(principal.facts.impersonation.as_deref(), want) {
        Ok(()) => return Ok(()),
        Err(Refused::ReadOnly) => {
            "You are looking on as somebody else, and for looking alone: nothing can be changed. Stop looking on first."
        }
        Err(Refused::Personal) => {
            "You are looking on as somebody else, and only they themselves may do this. Stop looking on first."
        }
    };
    request_log::warn(request, "refused: looking on as another user");
    Err(Problem::new(Code::Forbidden, detail))
}
