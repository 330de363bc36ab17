//! Keys, metadata, health.

use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpRequest, HttpResponse};
use serde_json::json;

use crate::http::guards::Anyone;
use crate::http::problem::Problem;
use crate::http::state::State;

/// How long readers may keep the keys, in seconds. Short, since a new key signs at once.
const KEYS_MAX_AGE: &str = "public, max-age=60";

/// `GET /.well-known/jwks.json` (RFC 7517)
pub async fn jwks(_by: Anyone, request: HttpRequest) -> HttpResponse {
    let context = &State::of(&request).context;
    let keys = context.keys();
    let life = context.settings.access_token;
    let published: Vec<_> = keys
        .published(life, context.now())
        .map(|key| &key.jwk)
        .collect();
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, KEYS_MAX_AGE))
        .insert_header(("access-control-allow-origin", "*"))
        .content_type("application/jwk-set+json")
        .body(json!({ "keys": published }).to_string())
}

/// `GET /.well-known/oauth-authorization-server` (RFC 8414)
pub async fn metadata(_by: Anyone, request: HttpRequest) -> HttpResponse {
    let issuer = &State::of(&request).context.settings.public_url;
    HttpResponse::Ok().json(json!({
        "issuer": issuer,
        "jwks_uri": format!("{issuer}/.well-known/jwks.json"),
        // No grant of OAuth is offered yet; RFC 8414 wants the member all the same.
        "response_types_supported": [],
    }))
}

/// `GET /health/live`
pub async fn live(_by: Anyone) -> HttpResponse {
    HttpResponse::Ok().json(json!({ "status": "live" }))
}

/// `GET /health/ready`
pub async fn ready(_by: Anyone, request: HttpRequest) -> Result<HttpResponse, Problem> {
    State::of(&request).context.store.ping().await?;
    Ok(HttpResponse::Ok().json(json!({ "status": "ready" })))
}
