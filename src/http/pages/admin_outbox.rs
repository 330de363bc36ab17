//! The console: what could not be delivered.

use actix_web::{HttpRequest, HttpResponse, web};
use chrono::{DateTime, Utc};
use serde::Deserialize;
use uuid::Uuid;

use crate::http::api::admin::PAGE;
use crate::http::api::admin_outbox::{delivery_id, delivery_status};
use crate::http::api::auth::origin;
use crate::http::body;
use crate::http::guards::{Admin, Form};
use crate::http::pages::admin::address;
use crate::http::pages::shell::{go_to, page, shell};
use crate::http::pages::sign_in::NoFields;
use crate::http::problem::Problem;
use crate::http::state::State;
use crate::http::views::{DeliveryRow, Instant, OutboxPage, Section};
use crate::rules::audit::Action;
use crate::rules::outbox::{Consumer, Delivery, DeliveryStatus};
use crate::service::outbox;

const LIST: &str = "/admin/outbox";

#[derive(Deserialize)]
struct OutboxQuery {
    status: Option<String>,
    cursor: Option<Uuid>,
}

/// `GET /admin/outbox`
pub async fn list(by: Admin, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let context = &State::of(&request).context;
    let query: OutboxQuery = body::query(&request)?;
    let now = context.now();
    let status = delivery_status(query.status.as_deref())?;
    let store = &context.store;
    let listed = store.list_deliveries(status, query.cursor, PAGE).await?;
    let waiting = status == DeliveryStatus::Waiting;
    let parameters: &[_] = if waiting {
        &[("status", "waiting")]
    } else {
        &[]
    };
    let url = |cursor| address(LIST, parameters, cursor);
    page(
        &request,
        &OutboxPage {
            shell: shell(&request, &by.0, "Outbox", Section::AdminOutbox),
            rows: listed.rows.into_iter().map(|row| drawn(row, now)).collect(),
            waiting,
            dead_count: store.count_deliveries(DeliveryStatus::Dead).await?,
            waiting_count: store.count_deliveries(DeliveryStatus::Waiting).await?,
            next_url: listed.next_cursor.map(|cursor| url(Some(cursor))),
            first_url: query.cursor.map(|_| url(None)),
        },
    )
}

/// `POST /admin/outbox/{id}/retry`
pub async fn retry(
    form: Form<Admin, NoFields>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let origin = origin(state, &request, &form.by.0.facts);
    outbox::retry(&state.context, delivery_id(&id)?, origin).await?;
    Ok(go_to(LIST, "delivery-retried"))
}

/// `POST /admin/outbox/{id}/drop`
pub async fn discard(
    form: Form<Admin, NoFields>,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let state = State::of(&request);
    let origin = origin(state, &request, &form.by.0.facts);
    outbox::discard(&state.context, delivery_id(&id)?, origin).await?;
    Ok(go_to(LIST, "delivery-dropped"))
}

fn drawn(delivery: Delivery, now: DateTime<Utc>) -> DeliveryRow {
    let action = Action::from_code(&delivery.action);
    let consumer = Consumer::from_code(&delivery.consumer);
    DeliveryRow {
        id: delivery.id.to_string(),
        at: Instant::new(delivery.at, now),
        action: action.map_or(delivery.action, |action| action.words().to_owned()),
        consumer: consumer.map_or(delivery.consumer, |consumer| consumer.words().to_owned()),
        subject_id: delivery.subject_id.map(|id| id.to_string()),
        attempts: delivery.attempts,
        last_error: delivery.last_error,
        due_at: match delivery.dead_at {
            Some(_) => None,
            None => Some(Instant::new(delivery.due_at, now)),
        },
    }
}
