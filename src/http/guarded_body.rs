//! A guard around the body that it reads: forms of our pages and documents of the API.

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use serde::de::DeserializeOwned;

use crate::http::body::{self, Sent};
use crate::http::carry_on::prove;
use crate::http::guards::{Admitted, Extraction, Guard, Guarded, claimed_origin, cross_site};
use crate::http::problem::{Code, Problem};
use crate::http::state::State;
use crate::rules::id::SessionId;
use crate::rules::same_origin::Evidence;
use crate::service::authenticate::Principal;
use crate::service::tokens::{form_token, form_token_before_sign_in, same_secret};

/// A guard, and behind it the fields of a form of ours, with its hidden text checked.
#[derive(Clone, Debug)]
pub struct Form<G, T> {
    /// Who sent it.
    pub by: G,
    /// What it says.
    pub fields: T,
}

/// A guard, and behind it a JSON document.
#[derive(Clone, Debug)]
pub struct Json<G, T> {
    /// Who sent it.
    pub by: G,
    /// What it says.
    pub document: T,
}

impl<G: Guard, T: DeserializeOwned + 'static> FromRequest for Form<G, T> {
    type Error = Problem;
    type Future = Extraction<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = payload.take();
        Box::pin(async move {
            if claimed_origin(&request) == Evidence::CrossSite {
                return Err(cross_site(&request));
            }
            let (by, fields) = match G::admit(&request).await {
                Ok(by) => {
                    let sent = body::form(&request, payload).await?;
                    must_be_own_form(&request, by.session_id(), &sent)?;
                    (admit_again(&request).await?, sent.fields()?)
                }
                // All that is missing is a recent proof, which can be made up for.
                Err(stale) if stale.code == Code::StepUpRequired => {
                    let sent = body::form(&request, payload).await?;
                    prove(&request, &sent, stale).await?
                }
                Err(problem) => return Err(problem),
            };
            Ok(Self { by, fields })
        })
    }
}

impl<G: Guard, T: DeserializeOwned + 'static> Guarded for Form<G, T> {
    const GUARD: &'static str = G::NAME;
}

impl<G: Guard, T: DeserializeOwned + 'static> FromRequest for Json<G, T> {
    type Error = Problem;
    type Future = Extraction<Self>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let request = request.clone();
        let payload = payload.take();
        Box::pin(async move {
            G::admit(&request).await?;
            let document = body::json(&request, payload).await?;
            let by = admit_again(&request).await?;
            Ok(Self { by, document })
        })
    }
}

impl<G: Guard, T: DeserializeOwned + 'static> Guarded for Json<G, T> {
    const GUARD: &'static str = G::NAME;
}

/// A body may take its time to arrive, and whoever sends it may be put out meanwhile: what counts
/// is who may pass when all of it is there.
async fn admit_again<G: Guard>(request: &HttpRequest) -> Result<G, Problem> {
    let admitted = request.extensions().get::<Principal>().cloned();
    if let Some(principal) = admitted {
        request.extensions_mut().insert(Admitted(principal));
    }
    G::admit(request).await
}

/// Refuses a form that was not drawn for this caller.
pub fn must_be_own_form(
    request: &HttpRequest,
    session_id: Option<SessionId>,
    sent: &Sent,
) -> Result<(), Problem> {
    let expected = expected_form_token(request, session_id);
    if expected.is_some_and(|expected| same_secret(&expected, &sent.token)) {
        return Ok(());
    }
    Err(cross_site(request))
}

/// The hidden text that forms of this caller must carry.
pub fn expected_form_token(request: &HttpRequest, session_id: Option<SessionId>) -> Option<String> {
    let state = State::of(request);
    match session_id {
        Some(session_id) => Some(form_token(&state.context, session_id)),
        None => state
            .cookies
            .before_sign_in(request)
            .map(|cookie| form_token_before_sign_in(&state.context, cookie)),
    }
}
