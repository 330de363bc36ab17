//! One log line a request, and beside it a warning where something was tried past a control.
//!
//! Guards and pages note what the line should say; it is written when the answer is known.

use std::time::Instant;

use actix_web::dev::ServiceResponse;
use actix_web::{HttpMessage, HttpRequest};
use tracing::field::display;

use crate::http::guards::Identity;
use crate::http::problem::Code;
use crate::http::state::State;

/// The path of a route, as it stands in the table; put beside each route.
#[derive(Clone, Copy, Debug)]
pub struct Pattern(pub &'static str);

/// What was tried past a control, put beside the request.
#[derive(Clone, Copy, Debug)]
struct Warning(&'static str);

/// Notes that something was tried past a control.
pub fn warn(request: &HttpRequest, what: &'static str) {
    request.extensions_mut().insert(Warning(what));
}

/// Notes why a request was not done as asked, whatever its answer looks like.
pub fn note(request: &HttpRequest, code: Code) {
    request.extensions_mut().insert(code);
    if code == Code::Throttled {
        warn(request, "throttled");
    }
}

/// Writes the line, and the warning with the address it came from.
pub fn write<B>(response: &ServiceResponse<B>, request_id: u64, began: Instant) {
    let request = response.request();
    let path = request
        .app_data::<Pattern>()
        .map_or("(none)", |pattern| pattern.0);
    let millis = began.elapsed().as_secs_f64() * 1000.0;
    let method = request.method().as_str();
    let status = response.status();
    let extensions = request.extensions();
    let identity = extensions.get::<Identity>();
    let session_id = identity.map(|identity| display(identity.session_id));
    let user_id = identity.map(|identity| display(identity.user_id));
    let request_id = format_args!("{request_id:016x}");
    // What was done as asked has none, and is most of all.
    let code = if status.is_success() {
        None
    } else {
        extensions.get::<Code>().map(|code| code.as_str())
    };
    if code.is_some()
        && let Some(Warning(what)) = extensions.get()
    {
        let ip = State::of(request).visitor(request).ip;
        tracing::warn!(
            target: "portcullis::refused",
            %ip, method, path, code, session_id, user_id, request_id, "{what}"
        );
    }
    tracing::info!(
        target: "portcullis::request",
        method, path, status = status.as_u16(), code, millis, session_id, user_id, request_id,
    );
}
