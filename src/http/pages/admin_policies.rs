//! The console: policies of sessions.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::TimeDelta;
use serde::Deserialize;

use crate::http::api::auth::origin;
use crate::http::guards::{Admin, Form, FreshAdmin};
use crate::http::pages::shell::{again, go_to, page, shell};
use crate::http::pages::sign_in::NoFields;
use crate::http::problem::Problem;
use crate::http::state::State;
use crate::http::views::{LimitRow, PoliciesPage, PolicyPage, PolicyRow, PolicyValues, Section};
use crate::rules::policy::{AtLimit, Effective, Installation, Policy, PolicyDraft, Scope};
use crate::rules::span;
use crate::service::authenticate::Principal;
use crate::service::error::Error;
use crate::service::policies::{self, get_policy, installation, scope};

const LIST: &str = "/admin/policies";

/// The fields of a policy, and what the form calls them; the longer names first, since the shorter
/// are part of them.
const LABELS: [(&str, &str); 6] = [
    ("remembered_idle_secs", "Idle timeout, remembered"),
    ("remembered_lifetime_secs", "Absolute lifetime, remembered"),
    ("idle_secs", "Idle timeout"),
    ("lifetime_secs", "Absolute lifetime"),
    ("max_sessions", "Sessions at once"),
    ("at_limit", "One more sign-in"),
];

/// The form of a policy.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyForm {
    kind: String,
    name: String,
    #[serde(default)]
    idle: String,
    #[serde(default)]
    lifetime: String,
    #[serde(default)]
    remembered_idle: String,
    #[serde(default)]
    remembered_lifetime: String,
    #[serde(default)]
    max_sessions: String,
    #[serde(default)]
    at_limit: String,
    #[serde(default)]
    end_on_role_change: bool,
    /// Is it there already?
    #[serde(default)]
    known: bool,
}

/// `GET /admin/policies`
pub async fn list(by: Admin, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let context = &State::of(&request).context;
    let policies = context.store.policies().await?;
    let rows = policies.iter().map(|record| PolicyRow {
        whose: record.scope.to_string(),
        url: address(&record.scope),
        values: values(&record.policy, span::words),
    });
    page(
        &request,
        &PoliciesPage {
            shell: shell(&request, &by.0, "Policies", Section::AdminPolicies),
            rows: rows.collect(),
            installation: values(&as_policy(&installation(&context.settings)), span::words),
        },
    )
}

/// `GET /admin/policies/new`
pub async fn new(by: Admin, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let nothing = values(&Policy::default(), span::short);
    let drawn = drawn(&request, &by.0, ("role", ""), nothing, false);
    page(&request, &drawn)
}

/// `GET /admin/policies/{kind}/{name}`
pub async fn show(
    by: Admin,
    of: web::Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let scope = scope(&of.0, &of.1)?;
    let record = get_policy(&State::of(&request).context, &scope).await?;
    let values = values(&record.policy, span::short);
    let drawn = drawn(&request, &by.0, (scope.kind(), scope.name()), values, true);
    page(&request, &drawn)
}

/// `POST /admin/policies`
pub async fn save(
    form: Form<FreshAdmin, PolicyForm>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let (by, fields) = (form.by.0, form.fields);
    match set(&request, &by, &fields).await {
        Ok(()) => Ok(go_to(LIST, "policy-saved")),
        Err(error) => {
            let typed = PolicyValues {
                idle: fields.idle,
                lifetime: fields.lifetime,
                remembered_idle: fields.remembered_idle,
                remembered_lifetime: fields.remembered_lifetime,
                max_sessions: fields.max_sessions,
                at_limit: fields.at_limit,
                end_on_role_change: fields.end_on_role_change,
            };
            let whose = (fields.kind.as_str(), fields.name.as_str());
            let drawn = drawn(&request, &by, whose, typed, fields.known);
            again(&request, error, |problem| PolicyPage {
                problem: Some(labelled(problem)),
                ..drawn
            })
        }
    }
}

/// `POST /admin/policies/{kind}/{name}/delete`
pub async fn delete(
    form: Form<FreshAdmin, NoFields>,
    of: web::Path<(String, String)>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let origin = origin(state, &request, &form.by.0.facts);
    policies::delete_policy(&state.context, scope(&of.0, &of.1)?, origin).await?;
    Ok(go_to(LIST, "policy-deleted"))
}

async fn set(request: &HttpRequest, by: &Principal, fields: &PolicyForm) -> Result<(), Error> {
    let state = State::of(request);
    let draft = PolicyDraft {
        idle_secs: seconds("idle_secs", &fields.idle)?,
        lifetime_secs: seconds("lifetime_secs", &fields.lifetime)?,
        remembered_idle_secs: seconds("remembered_idle_secs", &fields.remembered_idle)?,
        remembered_lifetime_secs: seconds("remembered_lifetime_secs", &fields.remembered_lifetime)?,
        max_sessions: number("max_sessions", &fields.max_sessions)?,
        at_limit: (!fields.at_limit.is_empty()).then(|| fields.at_limit.clone()),
        end_on_role_change: fields.end_on_role_change,
    };
    let scope = scope(&fields.kind, fields.name.trim())?;
    let origin = origin(state, request, &by.facts);
    policies::set_policy(&state.context, scope, &draft, origin).await?;
    Ok(())
}

fn seconds(field: &'static str, typed: &str) -> Result<Option<i64>, Error> {
    if typed.trim().is_empty() {
        return Ok(None);
    }
    match span::parse(typed) {
        Ok(seconds) => Ok(Some(i64::try_from(seconds).unwrap_or(i64::MAX))),
        Err(error) => Err(Error::Invalid {
            field,
            problem: format!("{field}: {error}."),
        }),
    }
}

fn number(field: &'static str, typed: &str) -> Result<Option<i64>, Error> {
    if typed.trim().is_empty() {
        return Ok(None);
    }
    match typed.trim().parse() {
        Ok(number) => Ok(Some(number)),
        Err(_) => Err(Error::Invalid {
            field,
            problem: format!("{field}: `{typed}` is not a whole number."),
        }),
    }
}

/// With the names that the form has for its fields.
fn labelled(problem: String) -> String {
    LABELS
        .iter()
        .fold(problem, |text, (field, label)| text.replace(field, label))
}

fn drawn(
    request: &HttpRequest,
    by: &Principal,
    (kind, name): (&str, &str),
    values: PolicyValues,
    known: bool,
) -> PolicyPage {
    let title = match (known, scope(kind, name)) {
        (true, Ok(scope)) => format!("Policy of {scope}"),
        (true, Err(_)) | (false, _) => "New policy".to_owned(),
    };
    PolicyPage {
        shell: shell(request, by, &title, Section::AdminPolicies),
        kind: kind.to_owned(),
        name: name.to_owned(),
        known,
        values,
        problem: None,
    }
}

fn address(scope: &Scope) -> String {
    format!("{LIST}/{}/{}", scope.kind(), scope.name())
}

fn as_policy(here: &Installation) -> Policy {
    Policy {
        idle: Some(here.session.0),
        lifetime: Some(here.session.1),
        remembered_idle: Some(here.remembered.0),
        remembered_lifetime: Some(here.remembered.1),
        max_sessions: here.max_sessions,
        at_limit: Some(here.at_limit),
        end_on_role_change: false,
    }
}

fn values(policy: &Policy, write: fn(u64) -> String) -> PolicyValues {
    let time = |span: Option<TimeDelta>| {
        span.map(|span| write(span.num_seconds().unsigned_abs()))
            .unwrap_or_default()
    };
    let count = policy.max_sessions.map(|count| count.to_string());
    PolicyValues {
        idle: time(policy.idle),
        lifetime: time(policy.lifetime),
        remembered_idle: time(policy.remembered_idle),
        remembered_lifetime: time(policy.remembered_lifetime),
        max_sessions: count.unwrap_or_default(),
        at_limit: policy.at_limit.map_or("", AtLimit::code).to_owned(),
        end_on_role_change: policy.end_on_role_change,
    }
}

/// What holds for a user, and who set it.
pub fn limit_rows(effective: &Effective) -> Vec<LimitRow> {
    let row = |name: &str, value: String, set_by: String| LimitRow {
        name: name.to_owned(),
        value,
        set_by,
    };
    let mut rows = Vec::new();
    for (idle, lifetime, limits) in [
        ("Idle timeout", "Absolute lifetime", &effective.session),
        (
            "Idle timeout, remembered",
            "Absolute lifetime, remembered",
            &effective.remembered,
        ),
    ] {
        for (name, limit) in [(idle, &limits.idle), (lifetime, &limits.lifetime)] {
            let words = span::words(limit.value.num_seconds().unsigned_abs());
            rows.push(row(name, words, limit.set_by.to_string()));
        }
    }
    if let Some(most) = &effective.max_sessions {
        let set_by = most.set_by.to_string();
        rows.push(row("Sessions at once", most.value.to_string(), set_by));
        let at_limit = &effective.at_limit;
        let words = at_limit.value.words().to_owned();
        rows.push(row("One more sign-in", words, at_limit.set_by.to_string()));
    }
    if let Some(scope) = &effective.end_on_role_change {
        let words = "ends the sessions".to_owned();
        rows.push(row("A role taken away", words, scope.to_string()));
    }
    rows
}
