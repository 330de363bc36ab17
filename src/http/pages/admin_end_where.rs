//! The console: ending many sessions by what is known of them. What is meant stands in the page's
//! address, so that it is there again after a step-up, and is looked up anew when the button is
//! pressed.

use actix_web::{HttpRequest, HttpResponse};
use chrono::NaiveDateTime;
use serde::Deserialize;

use crate::http::api::auth::origin;
use crate::http::body;
use crate::http::guards::{Admin, Form, FreshAdmin};
use crate::http::pages::admin::address;
use crate::http::pages::admin_sessions::EveryoneForm;
use crate::http::pages::shell::{again, card, go_to, page, shell};
use crate::http::problem::Problem;
use crate::http::state::State;
use crate::http::views::{AdminSessionRow, EndWhereFields, EndWhereFound, EndWherePage, Section};
use crate::service::authenticate::Principal;
use crate::service::end_session;
use crate::service::error::Error;
use crate::service::session_query::{TypedQuery, preview};

const PAGE: &str = "/admin/sessions/end-where";

/// Sessions shown before they are ended.
const SHOWN: u64 = 10;

/// The fields; one that is empty does not count.
#[derive(Deserialize)]
struct Fields {
    #[serde(default)]
    user: String,
    #[serde(default)]
    role: String,
    #[serde(default)]
    organization: String,
    #[serde(default)]
    cidr: String,
    #[serde(default)]
    method: String,
    #[serde(default)]
    signed_in_before: String,
    #[serde(default)]
    idle_minutes: String,
    #[serde(default)]
    user_agent: String,
}

/// `GET /admin/sessions/end-where`
pub async fn show(by: Admin, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let fields: Fields = body::query(&request)?;
    if request.query_string().is_empty() {
        return page(&request, &drawn(&request, &by.0, &fields));
    }
    match found(&request, &by.0, &fields).await {
        Ok(found) => page(
            &request,
            &EndWherePage {
                found: Some(found),
                ..drawn(&request, &by.0, &fields)
            },
        ),
        Err(error) => refused(&request, &by.0, &fields, error),
    }
}

/// `POST /admin/sessions/end-where`
pub async fn submit(
    form: Form<FreshAdmin, EveryoneForm>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let facts = &form.by.0.facts;
    let fields: Fields = body::query(&request)?;
    let query = match fields.typed() {
        Ok(typed) => typed.resolve(&state.context).await,
        Err(error) => Err(error),
    };
    let query = match query {
        Ok(query) => query,
        Err(error) => return refused(&request, &form.by.0, &fields, error),
    };
    let except = (!form.fields.include_self).then_some(facts.session_id);
    let origin = origin(state, &request, facts);
    let receipt = end_session::end_where(&state.context, query, except, origin).await?;
    let id = receipt.id.to_string();
    let receipt = address("/admin/audit", &[("receipt", &id)], None);
    Ok(go_to(&receipt, "ended-where"))
}

async fn found(
    request: &HttpRequest,
    principal: &Principal,
    fields: &Fields,
) -> Result<EndWhereFound, Error> {
    let context = &State::of(request).context;
    let own = principal.facts.session_id;
    let query = fields.typed()?.resolve(context).await?;
    let criteria = query.criteria();
    let with_own = preview(context, query.clone(), None, 0).await?;
    let others = preview(context, query, Some(own), SHOWN).await?;
    let now = context.now();
    Ok(EndWhereFound {
        sessions: others.sessions,
        users: others.users,
        own: with_own.sessions > others.sessions,
        rows: others
            .newest
            .into_iter()
            .map(|row| AdminSessionRow {
                card: card(&row.session, own, now),
                user_id: row.session.user_id.to_string(),
                user_email: row.email,
                user_name: row.name,
            })
            .collect(),
        criteria: criteria
            .into_iter()
            .map(|(name, value)| format!("{} {value}", name.replace('_', " ")))
            .collect(),
        url: address(PAGE, &fields.pairs(), None),
    })
}

fn drawn(request: &HttpRequest, principal: &Principal, fields: &Fields) -> EndWherePage {
    EndWherePage {
        shell: shell(
            request,
            principal,
            "End many sessions",
            Section::AdminSessions,
        ),
        fields: EndWhereFields {
            user: fields.user.clone(),
            role: fields.role.clone(),
            organization: fields.organization.clone(),
            cidr: fields.cidr.clone(),
            method: fields.method.clone(),
            signed_in_before: fields.signed_in_before.clone(),
            idle_minutes: fields.idle_minutes.clone(),
            user_agent: fields.user_agent.clone(),
        },
        found: None,
        problem: None,
    }
}

fn refused(
    request: &HttpRequest,
    principal: &Principal,
    fields: &Fields,
    error: Error,
) -> Result<HttpResponse, Problem> {
    again(request, error, |problem| EndWherePage {
        problem: Some(problem),
        ..drawn(request, principal, fields)
    })
}

impl Fields {
    fn pairs(&self) -> [(&'static str, &str); 8] {
        [
            ("user", self.user.trim()),
            ("role", self.role.trim()),
            ("organization", self.organization.trim()),
            ("cidr", self.cidr.trim()),
            ("method", self.method.trim()),
            ("signed_in_before", self.signed_in_before.trim()),
            ("idle_minutes", self.idle_minutes.trim()),
            ("user_agent", self.user_agent.trim()),
        ]
    }

    fn typed(&self) -> Result<TypedQuery, Error> {
        let [
            user,
            role,
            organization,
            cidr,
            method,
            before,
            idle,
            user_agent,
        ] = self
            .pairs()
            .map(|(_, value)| Some(value).filter(|value| !value.is_empty()));
        let idle_for = match idle.map(str::parse::<i64>) {
            None => None,
            Some(Ok(minutes)) => Some(minutes.saturating_mul(60)),
            Some(Err(_)) => {
                return Err(Error::Invalid {
                    field: "idle_minutes",
                    problem: format!("`{}` is no number of minutes.", self.idle_minutes),
                });
            }
        };
        let own = |value: Option<&str>| value.map(str::to_owned);
        Ok(TypedQuery {
            user: own(user),
            role: own(role),
            organization: own(organization),
            cidr: own(cidr),
            method: own(method),
            signed_in_before: before.map(utc),
            idle_for,
            user_agent: own(user_agent),
        })
    }
}

/// What a browser's field for instants sends says no zone; it is meant as UTC.
fn utc(typed: &str) -> String {
    let is = |form| NaiveDateTime::parse_from_str(typed, form).is_ok();
    if is("%Y-%m-%dT%H:%M") {
        format!("{typed}:00Z")
    } else if is("%Y-%m-%dT%H:%M:%S") {
        format!("{typed}Z")
    } else {
        typed.to_owned()
    }
}
