//! A form that was sent with too old a proof of identity is kept on the page that asks for the
//! password, and goes on from there with one submit.
//!
//! The page holds the form's fields as hidden ones and posts them to the same address, together
//! with the password. Nothing of it is kept on the server. A password that the form itself holds is
//! never written onto a page: such a form has to be sent again.

use actix_web::{HttpMessage, HttpRequest};
use serde::de::DeserializeOwned;

use crate::http::body::Sent;
use crate::http::guarded_body::must_be_own_form;
use crate::http::guards::Guard;
use crate::http::problem::{Code, Problem};
use crate::http::state::State;
use crate::service::authenticate::Principal;
use crate::service::step_up::step_up;

/// The fields of a form that waits for a proof, put beside its request.
#[derive(Clone, Debug)]
pub struct Waiting(pub Vec<(String, String)>);

/// Who has just proven who they are in this very request. Their cookies are in the answer and not
/// in the request, so nobody is asked for by cookie once this is beside it.
#[derive(Clone, Debug)]
pub struct Proven(pub Principal);

/// Lets a form pass that its guard refused as `stale`, if it brings the password.
///
/// # Errors
/// `stale` itself where there is none, or what is wrong with it. What is answered then is the page
/// that asks for it, if [`waiting`] says so.
pub async fn prove<G: Guard, T: DeserializeOwned>(
    request: &HttpRequest,
    sent: &Sent,
    stale: Problem,
) -> Result<(G, T), Problem> {
    let principal = request.extensions().get::<Principal>().cloned();
    let Some(principal) = principal else {
        return Err(stale);
    };
    must_be_own_form(request, Some(principal.facts.session_id), sent)?;
    // Nobody is asked for a password for the sake of a form that cannot be read.
    let fields = sent.fields()?;
    let Some(harmless) = sent.harmless() else {
        return Err(stale);
    };
    request.extensions_mut().insert(Waiting(harmless));
    let Some(password) = &sent.proof else {
        return Err(stale);
    };
    let state = State::of(request);
    let visitor = state.visitor(request);
    let signed_in = step_up(&state.context, &principal, password, &visitor).await?;
    request.extensions_mut().remove::<Waiting>();
    state
        .cookies
        .set_session(request, &signed_in, state.context.now());
    let principal = Principal {
        token_expires_at: signed_in.tokens.access.expires_at,
        facts: signed_in.facts,
    };
    request.extensions_mut().insert(Proven(principal));
    Ok((G::admit(request).await?, fields))
}

/// The fields of a form that goes on once the password is right, if this is why it was refused.
pub fn waiting(request: &HttpRequest, problem: &Problem) -> Option<Waiting> {
    let for_want_of_proof = matches!(
        problem.code,
        Code::StepUpRequired
            | Code::InvalidCredentials
            | Code::Throttled
            | Code::Overloaded
            | Code::StoreUnavailable
    );
    let waiting = request.extensions().get::<Waiting>().cloned();
    waiting.filter(|_| for_want_of_proof)
}
