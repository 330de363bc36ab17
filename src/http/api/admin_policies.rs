//! `/api/admin/policies`.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::http::api::auth::origin;
use crate::http::guards::{Admin, FreshAdmin, Json};
use crate::http::problem::Problem;
use crate::http::state::State;
use crate::rules::policy::{AtLimit, PolicyDraft};
use crate::service::policies::{self, installation, scope};
use crate::store::policies::PolicyRecord;

/// What a role or organisation asks for; what is not there is left to others.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SetDocument {
    idle_secs: Option<i64>,
    lifetime_secs: Option<i64>,
    remembered_idle_secs: Option<i64>,
    remembered_lifetime_secs: Option<i64>,
    max_sessions: Option<i64>,
    at_limit: Option<String>,
    #[serde(default)]
    end_on_role_change: bool,
}

/// One policy.
#[derive(Debug, Serialize)]
struct PolicyDocument {
    kind: &'static str,
    name: String,
    idle_secs: Option<i64>,
    lifetime_secs: Option<i64>,
    remembered_idle_secs: Option<i64>,
    remembered_lifetime_secs: Option<i64>,
    max_sessions: Option<u32>,
    at_limit: Option<&'static str>,
    end_on_role_change: bool,
    updated_at: DateTime<Utc>,
}

impl From<PolicyRecord> for PolicyDocument {
    fn from(record: PolicyRecord) -> Self {
        let policy = &record.policy;
        let secs = |span: Option<TimeDelta>| span.map(|span| span.num_seconds());
        Self {
            kind: record.scope.kind(),
            name: record.scope.name().to_owned(),
            idle_secs: secs(policy.idle),
            lifetime_secs: secs(policy.lifetime),
            remembered_idle_secs: secs(policy.remembered_idle),
            remembered_lifetime_secs: secs(policy.remembered_lifetime),
            max_sessions: policy.max_sessions,
            at_limit: policy.at_limit.map(AtLimit::code),
            end_on_role_change: policy.end_on_role_change,
            updated_at: record.updated_at,
        }
    }
}

/// `GET /api/admin/policies`
pub async fn list(_by: Admin, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let context = &State::of(&request).context;
    let policies = context.store.policies().await?;
    let policies: Vec<_> = policies.into_iter().map(PolicyDocument::from).collect();
    let here = installation(&context.settings);
    Ok(HttpResponse::Ok().json(json!({
        "installation": {
            "idle_secs": here.session.0.num_seconds(),
            "lifetime_secs": here.session.1.num_seconds(),
            "remembered_idle_secs": here.remembered.0.num_seconds(),
            "remembered_lifetime_secs": here.remembered.1.num_seconds(),
            "max_sessions": here.max_sessions,
            "at_limit": here.at_limit.code(),
        },
        "policies": policies,
    })))
}

/// `GET /api/admin/policies/{kind}/{name}`
pub async fn show(
    _by: Admin,
    of: web::Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let context = &State::of(&request).context;
    let policy = policies::get_policy(context, &scope(&of.0, &of.1)?).await?;
    Ok(HttpResponse::Ok().json(PolicyDocument::from(policy)))
}

/// `PUT /api/admin/policies/{kind}/{name}`
pub async fn set(
    call: Json<FreshAdmin, SetDocument>,
    of: web::Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let origin = origin(state, &request, &call.by.0.facts);
    let document = call.document;
    let draft = PolicyDraft {
        idle_secs: document.idle_secs,
        lifetime_secs: document.lifetime_secs,
        remembered_idle_secs: document.remembered_idle_secs,
        remembered_lifetime_secs: document.remembered_lifetime_secs,
        max_sessions: document.max_sessions,
        at_limit: document.at_limit,
        end_on_role_change: document.end_on_role_change,
    };
    let scope = scope(&of.0, &of.1)?;
    let lowered = policies::set_policy(&state.context, scope.clone(), &draft, origin).await?;
    let policy = policies::get_policy(&state.context, &scope).await?;
    let policy = PolicyDocument::from(policy);
    Ok(HttpResponse::Ok().json(json!({ "policy": policy, "lowered": lowered })))
}

/// `DELETE /api/admin/policies/{kind}/{name}`
pub async fn delete(
    by: FreshAdmin,
    of: web::Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let origin = origin(state, &request, &by.0.facts);
    policies::delete_policy(&state.context, scope(&of.0, &of.1)?, origin).await?;
    Ok(HttpResponse::NoContent().finish())
}
