//! `/api/admin/stats`: figures now and over time.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::http::body;
use crate::http::guards::Admin;
use crate::http::problem::{Code, Problem};
use crate::http::state::State;
use crate::rules::figures::{FiguresDocument, Range};
use crate::service::Context;
use crate::service::figures::overview;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct StatsQuery {
    range: Option<String>,
}

#[derive(Serialize)]
struct StatsDocument {
    #[serde(flatten)]
    figures: FiguresDocument,
    cache: serde_json::Value,
    revocation: serde_json::Value,
}

/// `GET /api/admin/stats`
pub async fn stats(_by: Admin, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let context = &State::of(&request).context;
    let query: StatsQuery = body::query(&request)?;
    let figures = overview(context, range(query.range.as_deref())?).await?;
    Ok(HttpResponse::Ok().json(StatsDocument {
        figures: FiguresDocument::from(&figures),
        cache: json!({
            "sessions": context.store.cache().held().await,
            "loads": context.store.cache().loads(),
            "checks": context.measures.checks(),
        }),
        revocation: revocation(context),
    }))
}

/// The range that a query names; a day where it names none.
pub fn range(text: Option<&str>) -> Result<Range, Problem> {
    let Some(text) = text else {
        return Ok(Range::default());
    };
    Range::from_code(text).ok_or_else(|| {
        let detail = format!("`range` is `{text}`, which is none of `day`, `week` and `month`.");
        Problem::new(Code::InvalidRequest, detail)
    })
}

fn revocation(context: &Context) -> serde_json::Value {
    json!({
        "bound_ms": millis(context.settings.revocation_bound),
        "lag_ms": context.store.cache().lag().map(millis),
        "visible_ms": context.measures.visible().map(|visible| json!({
            "median": millis(visible.median),
            "p99": millis(visible.p99),
            "longest": millis(visible.longest),
        })),
    })
}

fn millis(span: Duration) -> f64 {
    span.as_secs_f64() * 1_000.0
}
