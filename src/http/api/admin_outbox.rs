//! `/api/admin/outbox`: what could not be delivered.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use crate::http::api::admin::limit;
use crate::http::api::auth::origin;
use crate::http::body;
use crate::http::guards::Admin;
use crate::http::problem::{Code, Problem};
use crate::http::state::State;
use crate::rules::id::{SessionId, UserId};
use crate::rules::outbox::{Delivery, DeliveryStatus};
use crate::service::outbox;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OutboxQuery {
    status: Option<String>,
    cursor: Option<Uuid>,
    limit: Option<u64>,
}

/// One delivery. Whom it is for is told by id alone.
#[derive(Debug, Serialize)]
struct DeliveryDocument {
    id: Uuid,
    event_id: Uuid,
    consumer: String,
    target: Option<Uuid>,
    at: DateTime<Utc>,
    action: String,
    subject_id: Option<UserId>,
    session_id: Option<SessionId>,
    attempts: u32,
    due_at: DateTime<Utc>,
    dead_at: Option<DateTime<Utc>>,
    last_error: Option<String>,
}

/// `GET /api/admin/outbox`
pub async fn list(_by: Admin, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let context = &State::of(&request).context;
    let query: OutboxQuery = body::query(&request)?;
    let status = delivery_status(query.status.as_deref())?;
    let limit = limit(query.limit)?;
    let store = &context.store;
    let listed = store.list_deliveries(status, query.cursor, limit).await?;
    let total = store.count_deliveries(status).await?;
    let rows: Vec<_> = listed
        .rows
        .into_iter()
        .map(DeliveryDocument::from)
        .collect();
    Ok(HttpResponse::Ok().json(json!({
        "deliveries": rows, "next_cursor": listed.next_cursor, "total": total,
    })))
}

/// `POST /api/admin/outbox/{id}/retry`
pub async fn retry(
    by: Admin,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let origin = origin(state, &request, &by.0.facts);
    outbox::retry(&state.context, delivery_id(&id)?, origin).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// `DELETE /api/admin/outbox/{id}`
pub async fn discard(
    by: Admin,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let origin = origin(state, &request, &by.0.facts);
    outbox::discard(&state.context, delivery_id(&id)?, origin).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// The delivery that a path names.
pub fn delivery_id(text: &str) -> Result<Uuid, Problem> {
    text.parse()
        .map_err(|_| Problem::new(Code::NotFound, "There is no such delivery."))
}

/// The status that a query names.
pub fn delivery_status(text: Option<&str>) -> Result<DeliveryStatus, Problem> {
    match text {
        None | Some("" | "dead") => Ok(DeliveryStatus::Dead),
        Some("waiting") => Ok(DeliveryStatus::Waiting),
        Some(other) => {
            let detail = format!("`{other}` is none of the statuses dead and waiting.");
            Err(Problem::new(Code::InvalidRequest, detail))
        }
    }
}

impl From<Delivery> for DeliveryDocument {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.id,
            event_id: delivery.event_id,
            consumer: delivery.consumer,
            target: delivery.target,
            at: delivery.at,
            action: delivery.action,
            subject_id: delivery.subject_id,
            session_id: delivery.session_id,
            attempts: delivery.attempts,
            due_at: delivery.due_at,
            dead_at: delivery.dead_at,
            last_error: delivery.last_error,
        }
    }
}
