//! The outermost layer: what every answer carries and what every refusal looks like.
//!
//! Knows the caller's path and which kind of answer is read there. Knows no route.

use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{Service, ServiceRequest, ServiceResponse, Transform, forward_ready};
use actix_web::http::header::{
    ALLOW, AUTHORIZATION, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap,
    HeaderName, HeaderValue, LOCATION, REFERRER_POLICY, RETRY_AFTER, SET_COOKIE,
    STRICT_TRANSPORT_SECURITY, WWW_AUTHENTICATE, X_CONTENT_TYPE_OPTIONS,
};
use actix_web::http::{Method, StatusCode};
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, HttpResponseBuilder};

use crate::http::carry_on::waiting;
use crate::http::cookies;
use crate::http::guards::{Outdated, is_api};
use crate::http::pages::shell::error_page;
use crate::http::pages::step_up::carrying_on;
use crate::http::problem::{Code, Problem};
use crate::http::request_log;
use crate::http::state::State;

/// Wraps the whole application.
#[derive(Clone, Debug)]
pub struct Edge;

/// The wrapped application.
#[derive(Debug)]
pub struct EdgeService<S> {
    inner: S,
    numbers: RequestNumbers,
}

impl<S, B> Transform<S, ServiceRequest> for Edge
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Transform = EdgeService<S>;
    type InitError = ();
    type Future = Ready<Result<Self::Transform, ()>>;

    fn new_transform(&self, inner: S) -> Self::Future {
        ready(Ok(EdgeService {
            inner,
            numbers: RequestNumbers::new(),
        }))
    }
}

impl<S, B> Service<ServiceRequest> for EdgeService<S>
where
    S: Service<ServiceRequest, Response = ServiceResponse<B>, Error = Error> + 'static,
    B: MessageBody + 'static,
{
    type Response = ServiceResponse<BoxBody>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Error>>>>;

    forward_ready!(inner);

    fn call(&self, request: ServiceRequest) -> Self::Future {
        let began = Instant::now();
        let request_id = self.numbers.next();
        let answer = self.inner.call(request);
        // Refusals come as responses; nothing inside ends in an error of its own.
        Box::pin(async move { Ok(seal(finish(answer.await?).await, request_id, began)) })
    }
}

const INTERNAL: &str = "Something went wrong on this server. It has been written to its log.";

/// Writes out a refusal in the form that is read on its path.
async fn finish<B: MessageBody + 'static>(
    response: ServiceResponse<B>,
) -> ServiceResponse<BoxBody> {
    let status = response.status();
    if !(status.is_client_error() || status.is_server_error()) {
        return response.map_into_boxed_body();
    }
    let Some(error) = response.response().error() else {
        return response.map_into_boxed_body();
    };
    let problem = match error.as_error::<Problem>() {
        Some(problem) => problem.clone(),
        None => foreign(error, status),
    };
    let request = response.request().clone();
    let answer = refusal(&request, &problem).await;
    ServiceResponse::new(request, answer)
}

/// An error that actix made: its kind is kept, its words are not.
fn foreign(error: &Error, status: StatusCode) -> Problem {
    if status.is_server_error() {
        tracing::error!(%error, "a request failed");
        return Problem::new(Code::Internal, INTERNAL);
    }
    let code = match status {
        StatusCode::NOT_FOUND => Code::NotFound,
        StatusCode::PAYLOAD_TOO_LARGE => Code::TooLarge,
        _ => Code::InvalidRequest,
    };
    Problem::new(code, "The request is not valid.")
}

async fn refusal(request: &HttpRequest, problem: &Problem) -> HttpResponse {
    let api = is_api(request.path());
    let state = State::of(request);
    request_log::note(request, problem.code);
    let mut is_oneself_again = false;
    if is_dead(request, problem, api) && state.cookies.any(request) {
        // After a session that was opened as another user, one's own comes back.
        is_oneself_again = state.cookies.take_up_own(request);
        if !is_oneself_again {
            state.cookies.clear(request);
        }
    }
    if let Some(waiting) = waiting(request, problem)
        && let Ok(answer) = carrying_on(request, waiting, problem).await
    {
        return answer;
    }
    let mut answer = if api {
        let body = serde_json::to_string(&problem.document()).unwrap_or_default();
        HttpResponse::build(problem.code.status())
            .content_type("application/problem+json")
            .body(body)
    } else if is_oneself_again {
        see_other("/account?done=impersonation-ended")
    } else if problem.needs_sign_in() {
        see_other(&sign_in_location(request, problem))
    } else if problem.code == Code::StepUpRequired {
        see_other(&step_up_location(request))
    } else {
        error_page(request, problem)
    };
    let headers = answer.headers_mut();
    if api
        && let Some(challenge) = problem.challenge()
        && let Ok(value) = HeaderValue::from_str(&challenge)
    {
        headers.insert(WWW_AUTHENTICATE, value);
    }
    if let Some(seconds) = problem.retry_after_secs {
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Some(allow) = &problem.allow
        && let Ok(value) = HeaderValue::from_str(allow)
    {
        headers.insert(ALLOW, value);
    }
    answer
}

/// Are the cookies of this request good for nothing any more? A page has tried to renew them; on
/// the API, an access token that is past its time says nothing of the refresh token beside it, and
/// a bearer token nothing of the cookies.
fn is_dead(request: &HttpRequest, problem: &Problem, api: bool) -> bool {
    if request.extensions().get::<Outdated>().is_some() {
        return false;
    }
    let of_the_cookies = !request.headers().contains_key(AUTHORIZATION);
    problem.needs_sign_in() && (!api || (problem.session_id.is_some() && of_the_cookies))
}

/// A redirect after which the browser asks with GET, whatever it asked with before.
pub fn see_other(location: &str) -> HttpResponse {
    let mut answer = HttpResponseBuilder::new(StatusCode::SEE_OTHER);
    answer.insert_header((LOCATION, location));
    answer.finish()
}

fn sign_in_location(request: &HttpRequest, problem: &Problem) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("next", &page_of(request));
    if let Some(session_id) = problem.session_id {
        query.append_pair("ended", &session_id.to_string());
    }
    format!("/sign-in?{}", query.finish())
}

fn step_up_location(request: &HttpRequest) -> String {
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("next", &page_of(request));
    format!("/step-up?{}", query.finish())
}

/// The page to come back to: the one asked for, or the one that holds the form that was sent.
pub fn page_of(request: &HttpRequest) -> String {
    let path = request.path();
    // What is to be ended stands behind the `?`, and is there again after a step-up.
    if matches!(*request.method(), Method::GET | Method::HEAD)
        || path == "/admin/sessions/end-where"
    {
        return request
            .uri()
            .path_and_query()
            .map_or_else(|| "/account".to_owned(), |path| path.as_str().to_owned());
    }
    let acts = [
        "/end",
        "/end-others",
        "/disable",
        "/enable",
        "/end-sessions",
        "/invitation",
        "/name",
        "/impersonate",
    ];
    let parent = acts
        .iter()
        .find_map(|act| path.strip_suffix(act))
        .filter(|parent| !parent.is_empty());
    match parent {
        // A single session has no page of its own; it stands in a list.
        Some(parent) if path.ends_with("/end") || path.ends_with("/name") => parent
            .rsplit_once('/')
            .map_or(parent, |(list, _)| list)
            .to_owned(),
        Some(parent) => parent.to_owned(),
        // To delete one is asked on its own page.
        None if path.starts_with("/admin/policies/") => {
            path.strip_suffix("/delete").unwrap_or(path).to_owned()
        }
        None if path.starts_with("/admin/outbox/") => "/admin/outbox".to_owned(),
        None if path == "/sign-in/choice" => "/sign-in".to_owned(),
        None if path == "/admin/users" => "/admin/users/new".to_owned(),
        None if ["/sign-out", "/impersonation/stop", "/account/email/verify"].contains(&path) => {
            "/account".to_owned()
        }
        None => path.to_owned(),
    }
}

const HTML_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; \
     object-src 'none'; frame-ancestors 'none'",
);
const DATA_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox");
const HSTS: HeaderValue = HeaderValue::from_static("max-age=63072000; includeSubDomains");
const CORP: HeaderName = HeaderName::from_static("cross-origin-resource-policy");
const COOP: HeaderName = HeaderName::from_static("cross-origin-opener-policy");
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Puts on every answer what every answer carries, and writes the log line.
fn seal(
    mut response: ServiceResponse<BoxBody>,
    request_id: u64,
    began: Instant,
) -> ServiceResponse<BoxBody> {
    let cookies = cookies::take(response.request());
    let https = State::of(response.request()).cookies.https;
    let html = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"text/html"));
    let headers = response.headers_mut();
    for cookie in cookies {
        headers.append(SET_COOKIE, cookie);
    }
    if html {
        headers.insert(COOP, HeaderValue::from_static("same-origin"));
    }
    headers.insert(
        CONTENT_SECURITY_POLICY,
        if html { HTML_POLICY } else { DATA_POLICY },
    );
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("strict-origin"));
    headers.insert(CORP, HeaderValue::from_static("same-origin"));
    if https {
        headers.insert(STRICT_TRANSPORT_SECURITY, HSTS);
    }
    if !headers.contains_key(CACHE_CONTROL) {
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    write_request_id(headers, request_id);
    request_log::write(&response, request_id, began);
    response
}

fn write_request_id(headers: &mut HeaderMap, request_id: u64) {
    if let Ok(value) = HeaderValue::from_str(&format!("{request_id:016x}")) {
        headers.insert(REQUEST_ID, value);
    }
}

/// Numbers that tell requests apart in the log: unique, not secret.
#[derive(Debug)]
struct RequestNumbers {
    next: AtomicU64,
}

impl RequestNumbers {
    fn new() -> Self {
        let start = crate::entropy::random_bytes::<8>().map_or(0, u64::from_le_bytes);
        Self {
            next: AtomicU64::new(start),
        }
    }

    fn next(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}
