//! Who may pass. A handler's first parameter is a guard, alone or around the body that it reads,
//! and a route without one cannot be written.
//!
//! A body is read only after its guard has admitted the caller, or would if a form brought a fresh
//! proof (`guarded_body`).

mod as_another;
mod by_cookie;

use std::future::Future;
use std::pin::Pin;

use actix_web::dev::Payload;
use actix_web::http::Method;
use actix_web::http::header::{AUTHORIZATION, HeaderName, ORIGIN};
use actix_web::{FromRequest, HttpMessage, HttpRequest};

use crate::http::carry_on::Proven;
pub use crate::http::guarded_body::{Form, Json, expected_form_token};
pub use crate::http::guards::as_another::{ActingUser, FreshImpersonator, Leaver, PerhapsLeaver};
pub use crate::http::guards::by_cookie::CookieUser;
use crate::http::problem::{Code, Problem};
use crate::http::request_log;
use crate::http::state::{State, header_text};
use crate::rules::access_token::Fault;
use crate::rules::id::{SessionId, UserId};
use crate::rules::impersonation::Want;
use crate::rules::same_origin::{Evidence, evidence};
use crate::rules::session::is_fresh;
use crate::service::authenticate::{Authentication, Principal, authenticate, authenticate_again};
use crate::service::error::{Error, Refusal};
use crate::service::refresh::refresh;
use crate::settings::Secret;

/// Decides who may pass, before anything else of the request is read.
pub trait Guard: Sized + 'static {
    /// How the table of routes calls it.
    const NAME: &'static str;

    /// Lets the caller pass or says why not.
    fn admit(request: &HttpRequest) -> impl Future<Output = Result<Self, Problem>>;

    /// The session that the caller's forms are bound to.
    fn session_id(&self) -> Option<SessionId>;
}

/// Anybody; credentials are not looked at.
#[derive(Clone, Copy, Debug)]
pub struct Anyone;

/// Anybody; who is signed in is recognised, and a dead credential is the same as none.
#[derive(Clone, Debug)]
pub struct Perhaps(pub Option<Principal>);

/// The session that the caller's dead credential belonged to, put beside a request by [`Perhaps`].
#[derive(Clone, Copy, Debug)]
pub struct DeadSession(pub SessionId);

/// Put beside a request whose cookies were replaced by a fresh proof of identity. Most likely the
/// browser has the new ones by now, from another tab, and must not be made to drop those; if it
/// still sends the old ones to the sign-in page, that drops them.
#[derive(Clone, Copy, Debug)]
pub struct Outdated;

/// Somebody signed in.
#[derive(Clone, Debug)]
pub struct SignedInUser(pub Principal);

/// Somebody signed in, who has proven lately who they are.
#[derive(Clone, Debug)]
pub struct FreshUser(pub Principal);

/// An administrator.
#[derive(Clone, Debug)]
pub struct Admin(pub Principal);

/// An administrator who has proven lately who they are.
#[derive(Clone, Debug)]
pub struct FreshAdmin(pub Principal);

/// Who was admitted before the body was read, put beside a request: the same session is asked about
/// again, and no token.
#[derive(Clone, Debug)]
pub struct Admitted(pub Principal);

/// Whose request this is, for the log.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The session.
    pub session_id: SessionId,
    /// The user.
    pub user_id: UserId,
}

impl Guard for Anyone {
    const NAME: &'static str = "Anyone";

    async fn admit(_: &HttpRequest) -> Result<Self, Problem> {
        Ok(Self)
    }

    fn session_id(&self) -> Option<SessionId> {
        None
    }
}

impl Guard for Perhaps {
    const NAME: &'static str = "Perhaps";

    async fn admit(request: &HttpRequest) -> Result<Self, Problem> {
        match principal(request, Want::Change).await {
            Ok(principal) => Ok(Self(Some(principal))),
            Err(problem) if problem.needs_sign_in() => {
                if let Some(session_id) = problem.session_id {
                    request.extensions_mut().insert(DeadSession(session_id));
                }
                Ok(Self(None))
            }
            Err(problem) => Err(problem),
        }
    }

    fn session_id(&self) -> Option<SessionId> {
        self.0.as_ref().map(|principal| principal.facts.session_id)
    }
}

macro_rules! guard {
    ($name:ident, $check:expr) => {
        impl Guard for $name {
            const NAME: &'static str = stringify!($name);

            async fn admit(request: &HttpRequest) -> Result<Self, Problem> {
                let principal = principal(request, Want::Change).await?;
                let check: fn(&HttpRequest, &Principal) -> Result<(), Problem> = $check;
                check(request, &principal)?;
                Ok(Self(principal))
            }

            fn session_id(&self) -> Option<SessionId> {
                Some(self.0.facts.session_id)
            }
        }
    };
}

guard!(SignedInUser, |_, _| Ok(()));
guard!(FreshUser, must_be_fresh);
guard!(Admin, must_be_admin);
guard!(FreshAdmin, |request, principal| {
    must_be_admin(request, principal)?;
    must_be_fresh(request, principal)
});

/// Something that begins with a guard.
pub trait Guarded: FromRequest {
    /// The guard's name.
    const GUARD: &'static str;
}

/// What a guard's way through a request is.
pub type Extraction<T> = Pin<Box<dyn Future<Output = Result<T, Problem>>>>;

macro_rules! from_request {
    ($($name:ident)*) => {
        $(
            impl FromRequest for $name {
                type Error = Problem;
                type Future = Extraction<Self>;

                fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
                    let request = request.clone();
                    Box::pin(async move { Self::admit(&request).await })
                }
            }

            impl Guarded for $name {
                const GUARD: &'static str = <Self as Guard>::NAME;
            }
        )*
    };
}

from_request!(Anyone Perhaps SignedInUser FreshUser Admin FreshAdmin);
from_request!(Leaver PerhapsLeaver ActingUser FreshImpersonator CookieUser);

/// Refuses an unsafe request that was made with a cookie and does not come from our own pages.
/// Without a cookie there is nothing that another site could misuse.
pub fn same_origin_if_cookie(request: &HttpRequest) -> Result<(), Problem> {
    let with_cookie = bearer(request)?.is_none() && State::of(request).cookies.any(request);
    if is_safe(request) || !with_cookie || claimed_origin(request) == Evidence::SameOrigin {
        return Ok(());
    }
    Err(cross_site(request))
}

/// Somebody signed in: by bearer token or cookie under `/api`, by cookie on pages, where an
/// expired access token is renewed on the way. `unsafe_want` is what an unsafe method asks for.
async fn principal(request: &HttpRequest, unsafe_want: Want) -> Result<Principal, Problem> {
    let proven = request.extensions().get().cloned();
    if let Some(Proven(principal)) = proven {
        as_another::must_be_allowed(request, &principal, unsafe_want)?;
        return Ok(principal);
    }
    let state = State::of(request);
    let admitted = request.extensions().get().cloned();
    if let Some(Admitted(before)) = admitted {
        return match authenticate_again(&state.context, &before).await? {
            Authentication::SignedIn(principal) => {
                as_another::must_be_allowed(request, &principal, unsafe_want)?;
                Ok(principal)
            }
            Authentication::Refused(refusal) => Err(refusal.into()),
            Authentication::NotPresented => Err(Problem::no_credential()),
        };
    }
    let api = is_api(request.path());
    let bearer = if api { bearer(request)? } else { None };
    let token = bearer.or_else(|| state.cookies.access_token(request));
    let outcome = match token {
        None => Authentication::NotPresented,
        Some(token) => authenticate(&state.context, token).await?,
    };
    if api && bearer.is_none() {
        same_origin_if_cookie(request)?;
    }
    let principal = match outcome {
        Authentication::SignedIn(principal) => principal,
        Authentication::NotPresented | Authentication::Refused(Refusal::Token(_)) if !api => {
            renew(request, outcome).await?
        }
        Authentication::NotPresented => return Err(Problem::no_credential()),
        Authentication::Refused(refusal) => return Err(refusal.into()),
    };
    let facts = &principal.facts;
    request.extensions_mut().insert(Identity {
        session_id: facts.session_id,
        user_id: facts.user_id,
    });
    request.extensions_mut().insert(principal.clone());
    as_another::must_be_allowed(request, &principal, unsafe_want)?;
    Ok(principal)
}

/// The page request goes on with the session of its refresh cookie, and the answer carries the
/// new tokens.
async fn renew(request: &HttpRequest, outcome: Authentication) -> Result<Principal, Problem> {
    let state = State::of(request);
    let Some(token) = state.cookies.refresh_token(request) else {
        return Err(match outcome {
            Authentication::Refused(refusal) => refusal.into(),
            Authentication::NotPresented | Authentication::SignedIn(_) => Problem::no_credential(),
        });
    };
    let token = Secret::new(token.to_owned());
    let visitor = state.visitor(request);
    match refresh(&state.context, &token, &visitor).await {
        Ok(signed_in) => {
            state
                .cookies
                .set_session(request, &signed_in, state.context.now());
            Ok(Principal {
                token_expires_at: signed_in.tokens.access.expires_at,
                facts: signed_in.facts,
            })
        }
        // Nobody issued it: as if there were none.
        Err(Error::Refused(Refusal::UnknownRefreshToken)) => {
            if let Authentication::Refused(Refusal::Token(Fault::Superseded)) = outcome {
                request.extensions_mut().insert(Outdated);
            }
            Err(Problem::no_credential())
        }
        Err(error) => Err(error.into()),
    }
}

/// Recognises who asks for a page that is not there, if that can be told: such a page is the same
/// without it. Programs are told nothing more.
pub async fn recognise(request: &HttpRequest) {
    if !is_api(request.path()) {
        // Without the database, or with cookies that are good for nothing, it is nobody.
        let _ = principal(request, Want::Look).await;
    }
}

/// Does the caller present a bearer token, which then counts before any cookie?
pub fn has_bearer(request: &HttpRequest) -> bool {
    matches!(bearer(request), Ok(Some(_)) | Err(_))
}

/// The bearer token, if there is one; other schemes are not ours to judge.
fn bearer(request: &HttpRequest) -> Result<Option<&str>, Problem> {
    let headers = request.headers();
    if !headers.contains_key(AUTHORIZATION) {
        return Ok(None);
    }
    let malformed = || Problem::from(Refusal::Token(Fault::Malformed));
    let text = header_text(headers, AUTHORIZATION).ok_or_else(malformed)?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token)),
        None if text.eq_ignore_ascii_case("bearer") => Err(malformed()),
        Some(_) | None => Ok(None),
    }
}

/// Is an answer on this path read by a program?
pub fn is_api(path: &str) -> bool {
    ["/api", "/oauth", "/.well-known", "/health"]
        .iter()
        .any(|prefix| {
            path.strip_prefix(prefix)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        })
}

fn is_safe(request: &HttpRequest) -> bool {
    matches!(*request.method(), Method::GET | Method::HEAD)
}

/// Where the browser says that the request comes from.
pub(super) fn claimed_origin(request: &HttpRequest) -> Evidence {
    const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
    let headers = request.headers();
    let own = &State::of(request).context.settings.public_origin;
    evidence(
        header_text(headers, SEC_FETCH_SITE),
        header_text(headers, ORIGIN),
        own,
    )
}

/// The refusal of what does not come from a page of ours.
pub(super) fn cross_site(request: &HttpRequest) -> Problem {
    request_log::warn(request, "refused: not from our own page");
    Problem::new(
        Code::CrossSite,
        "This request did not come from a current page of ours. Load the page again and repeat what you did.",
    )
}

fn must_be_admin(request: &HttpRequest, principal: &Principal) -> Result<(), Problem> {
    if principal.facts.is_admin() {
        return Ok(());
    }
    request_log::warn(request, "refused: not an administrator");
    Err(Problem::new(
        Code::Forbidden,
        "Only administrators may do this.",
    ))
}

fn must_be_fresh(request: &HttpRequest, principal: &Principal) -> Result<(), Problem> {
    let context = &State::of(request).context;
    let max_age = context.settings.step_up;
    if is_fresh(principal.facts.auth_time.at(), max_age, context.now()) {
        return Ok(());
    }
    let seconds = max_age.num_seconds();
    let detail = format!(
        "This needs a proof of who you are from the last {seconds} seconds. Send the password to \
         POST /api/auth/step-up, and try again with the tokens that it answers."
    );
    Err(Problem {
        max_age_secs: Some(seconds),
        ..Problem::new(Code::StepUpRequired, detail)
    })
}
