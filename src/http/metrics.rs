//! `/metrics`, on a listener of its own: figures for Prometheus, in the OpenMetrics text format.
//!
//! Nobody is asked who they are there, so it listens on loopback unless told otherwise, and what it
//! shows names no user, session or address.

use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::{App, HttpResponse, HttpServer, web};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::http::server::ServeError;
use crate::service::Context;

/// Listens for whoever collects figures.
pub fn listen(
    context: Arc<Context>,
    address: SocketAddr,
) -> Result<(Server, SocketAddr), ServeError> {
    let context = web::Data::from(context);
    let failed = |source| ServeError::BindMetrics { address, source };
    let server = HttpServer::new(move || {
        App::new()
            .app_data(context.clone())
            .route("/metrics", web::get().to(metrics))
    })
    .workers(1)
    .disable_signals()
    .bind(address)
    .map_err(failed)?;
    let address = server.addrs().first().copied().unwrap_or(address);
    Ok((server.run(), address))
}

async fn metrics(context: web::Data<Context>) -> HttpResponse {
    let mut text = String::new();
    let held = context.store.cache().held().await;
    // Without its end mark no collector takes what is here.
    if let Err(error) = encode(&mut text, &registry(&context, held)) {
        tracing::error!(%error, "figures cannot be written");
    }
    HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(text)
}

/// All figures, as they are now.
fn registry(context: &Context, held: u64) -> Registry {
    let (cache, measures) = (context.store.cache(), &context.measures);
    let mut registry = Registry::with_prefix("portcullis");
    registry.register_with_unit(
        "revocation_visible",
        "From the writing of a change in the database to its counting on this node",
        Unit::Seconds,
        measures.visible_seconds(),
    );
    registry.register_with_unit(
        "revocation_bound",
        "Past this without a reading of the change list, every check asks the database",
        Unit::Seconds,
        ConstGauge::new(context.settings.revocation_bound.as_secs_f64()),
    );
    if let Some(lag) = cache.lag() {
        registry.register_with_unit(
            "feed_lag",
            "Since the last reading of the change list that is applied here began",
            Unit::Seconds,
            ConstGauge::new(lag.as_secs_f64()),
        );
    }
    registry.register(
        "checks",
        "Access tokens checked",
        ConstCounter::new(measures.checks()),
    );
    registry.register(
        "session_loads",
        "Database reads for checks; all other checks were answered from memory",
        ConstCounter::new(cache.loads()),
    );
    registry.register(
        "sessions_in_memory",
        "Sessions held in memory, ended ones included",
        ConstGauge::new(i64::try_from(held).unwrap_or(i64::MAX)),
    );
    registry
}
