//! `/metrics`, on a listener of its own: figures for Prometheus, in the OpenMetrics text format.
//!
//! Nobody is asked who they are there, so it listens on loopback unless told otherwise, and what it
//! shows names no user, session or address.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::{App, HttpResponse, HttpServer, web};
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};

use crate::http::server::ServeError;
use crate::rules::figures::Level;
use crate::service::Context;
use crate::service::figures::measured_live;

/// How long a collector waits for what only the database knows; without it, it gets the rest.
const PATIENCE: Duration = Duration::from_secs(2);

/// The method of proof that there always is (RFC 8176).
const PASSWORD: &str = "pwd";

/// One label.
type Label = [(&'static str, &'static str); 1];

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
    let live = tokio::time::timeout(PATIENCE, measured_live(&context));
    let live = live.await.ok().and_then(Result::ok).flatten();
    // Without its end mark no collector takes what is here.
    if let Err(error) = encode(&mut text, &registry(&context, held, live)) {
        tracing::error!(%error, "figures cannot be written");
    }
    HttpResponse::Ok()
        .content_type("application/openmetrics-text; version=1.0.0; charset=utf-8")
        .body(text)
}

/// All figures, as they are now.
fn registry(context: &Context, held: u64, live: Option<Level>) -> Registry {
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
    if let Some(live) = live {
        registry.register(
            "live_sessions",
            "Live sessions of the whole installation, as last measured by one of its nodes",
            ConstGauge::new(i64::try_from(live.count).unwrap_or(i64::MAX)),
        );
        registry.register_with_unit(
            "live_sessions_measured_timestamp",
            "When that was",
            Unit::Seconds,
            ConstGauge::new(live.at.timestamp()),
        );
    }
    register_acts(context, &mut registry);
    registry
}

/// What this node has done since its start.
fn register_acts(context: &Context, registry: &mut Registry) {
    let acts = context.store.acts();
    let created = Family::<Label, Counter>::default();
    created.get_or_create(&[("method", PASSWORD)]).inc_by(0);
    for (method, count) in acts.created() {
        created.get_or_create(&[("method", method)]).inc_by(count);
    }
    registry.register(
        "sessions_created",
        "Sessions opened by this node, which is sign-ins that succeeded, by method of proof",
        created,
    );
    let ended = Family::<Label, Counter>::default();
    // Each reason is there from the start, so that the first end for it is seen as a rise.
    for (reason, count) in acts.ended() {
        let label = [("reason", reason.code())];
        ended.get_or_create(&label).inc_by(count);
    }
    registry.register(
        "sessions_ended",
        "Sessions ended by this node, by reason; refresh-reuse is a refresh token used twice",
        ended,
    );
    registry.register(
        "sign_in_failures",
        "Sign-ins refused by this node",
        ConstCounter::new(acts.sign_in_failures()),
    );
}
