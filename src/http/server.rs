//! Listening, and what goes on in the background while it does.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::Server;
use actix_web::{App, HttpServer, web};
use chrono::TimeDelta;

use crate::clock::{self, SystemClock};
use crate::http::edge::Edge;
use crate::http::state::State;
use crate::http::views::RenderError;
use crate::http::{metrics, routes};
use crate::service::doctor::CLOCK_SKEW;
use crate::service::error::Error;
use crate::service::follow_changes::follow_changes;
use crate::service::mail::{MailError, Mailer};
use crate::service::outbox::{Deliverer, deliver_forever};
use crate::service::receipts::write_receipts;
use crate::service::touches::{self, write_touches};
use crate::service::webhook::{Webhook, WebhookError};
use crate::service::{Context, StartError, cleanup, lease, set_up};
use crate::settings::Settings;
use crate::store::Store;
use crate::store::change_list::Trimmer;

/// How often keys are read again, so that a rotation elsewhere is noticed.
const KEYS_EVERY: Duration = Duration::from_secs(10);

/// How often sessions past their limits are written down as ended, and what is old deleted.
const CLEANUP_EVERY: Duration = Duration::from_secs(60);

/// How long requests under way may take to finish when the server is told to stop.
const SHUTDOWN_SECS: u64 = 10;

/// Why the server cannot run.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Keys, database or threads.
    #[error(transparent)]
    Start(#[from] StartError),
    /// An act at start-up.
    #[error(transparent)]
    Service(#[from] Error),
    /// The clock.
    #[error(
        "the clock of this machine and the database's are {seconds} seconds apart; let both follow \
         a time server"
    )]
    Clock {
        /// How far.
        seconds: i64,
    },
    /// Mail.
    #[error(transparent)]
    Mail(#[from] MailError),
    /// Webhook.
    #[error(transparent)]
    Webhook(#[from] WebhookError),
    /// A template.
    #[error(transparent)]
    Render(#[from] RenderError),
    /// The address.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The address for figures.
    #[error("PORTCULLIS_METRICS_BIND: cannot listen on {address}: {source}")]
    BindMetrics {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// Running.
    #[error("the server stopped: {0}")]
    Run(std::io::Error),
}

/// Serves until it is told to stop.
pub async fn run(settings: Settings, store: Store) -> Result<(), ServeError> {
    let context = Context::start(settings, store, Arc::new(SystemClock)).await?;
    let context = Arc::new(context.with_places()?);
    check_clock(&context).await?;
    let mut deliverers: Vec<Arc<dyn Deliverer>> = vec![Arc::new(Mailer::new(&context.settings)?)];
    if let Some(webhook) = &context.settings.webhook {
        deliverers.push(Arc::new(Webhook::new(webhook)?));
    }
    let (server, address) = listen(Arc::clone(&context))?;
    // It heeds signals from its first moment on, which must come before anybody is told it is there.
    let server = actix_web::rt::spawn(server);
    tokio::task::yield_now().await;
    let figures = match context.settings.metrics_bind {
        Some(address) => {
            let (figures, address) = metrics::listen(Arc::clone(&context), address)?;
            tracing::info!(%address, "figures for Prometheus at /metrics");
            let handle = figures.handle();
            actix_web::rt::spawn(figures);
            Some(handle)
        }
        None => None,
    };
    tracing::info!(%address, public_url = context.settings.public_url, "listening");
    announce_set_up(&context).await?;
    let background = background(Arc::clone(&context), deliverers);
    let outcome = match server.await {
        Ok(outcome) => outcome.map_err(ServeError::Run),
        Err(error) => Err(ServeError::Run(error.into())),
    };
    if let Some(figures) = figures {
        figures.stop(false).await;
    }
    background.abort();
    // Its connections are closed here, where there still is a runtime to close them.
    let _ = background.await;
    if let Err(error) = lease::give_back(&context).await {
        tracing::warn!(%error, "the lease of the clean-up was not given back; it ends by itself");
    }
    if let Err(error) = write_touches(&context).await {
        tracing::warn!(%error, "the latest uses of sessions were not written");
    }
    if let Err(error) = write_receipts(&context).await {
        tracing::warn!(%error, "the latest receipts of refreshes were not written");
    }
    tracing::info!("stopped");
    outcome
}

/// Refuses to serve by a clock that the other nodes cannot share: sessions would end too early or
/// too late, and tokens of one node would not yet be good on another.
pub async fn check_clock(context: &Context) -> Result<(), ServeError> {
    let theirs = context.store.database_time().await;
    let theirs = theirs.map_err(StartError::from)?;
    let apart = (context.now() - theirs).abs();
    if apart > CLOCK_SKEW {
        let seconds = apart.num_seconds();
        return Err(ServeError::Clock { seconds });
    }
    Ok(())
}

/// Binds the address of the settings and starts the workers.
pub fn listen(context: Arc<Context>) -> Result<(Server, SocketAddr), ServeError> {
    let bind = context.settings.bind;
    let workers = context.settings.workers;
    // Made here and not in the closure below, which runs once a worker.
    let state = web::Data::new(State::new(context)?);
    let failed = |source| ServeError::Bind {
        address: bind,
        source,
    };
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .wrap(Edge)
            .configure(routes::configure)
    })
    .workers(workers)
    .shutdown_timeout(SHUTDOWN_SECS)
    .bind(bind)
    .map_err(failed)?;
    let address = server.addrs().first().copied().unwrap_or(bind);
    Ok((server.run(), address))
}

/// Without an administrator, the log shows one link on which to make the first.
async fn announce_set_up(context: &Context) -> Result<(), ServeError> {
    if !set_up::is_needed(context).await? {
        return Ok(());
    }
    let (code, expires_at) = set_up::new_code(context).await?;
    let url = format!(
        "{}/set-up?code={}",
        context.settings.public_url,
        code.reveal()
    );
    tracing::warn!(%url, %expires_at, "no administrator yet; open this link to make the first one");
    Ok(())
}

/// What goes on beside the requests.
pub fn background(
    context: Arc<Context>,
    deliverers: Vec<Arc<dyn Deliverer>>,
) -> tokio::task::JoinHandle<()> {
    let every = |period| {
        let mut interval = tokio::time::interval(period);
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        interval
    };
    let mut touches = every(touches::INTERVAL.to_std().unwrap_or_default());
    let mut keys = every(KEYS_EVERY);
    let mut clean = every(CLEANUP_EVERY);
    let mut tidy = every(CLEANUP_EVERY);
    let mut trim = every(CLEANUP_EVERY);
    let mut trimmer = Trimmer::default();
    tokio::spawn(async move {
        let follow = follow_changes(&context);
        let jobs = async {
            loop {
                tokio::select! {
                    _ = touches.tick() => {
                        warn_if(write_touches(&context).await, "uses of sessions");
                        warn_if(write_receipts(&context).await, "receipts of refreshes");
                    }
                    _ = keys.tick() => warn_if(context.refresh_keys(TimeDelta::zero()).await, "keys"),
                    _ = trim.tick() => {
                        let trimmed = trimmer.trim(&context.store, clock::since_boot()).await;
                        warn_if(trimmed, "the change list");
                    }
                    _ = tidy.tick() => context.store.cache().tidy(context.now()).await,
                }
            }
        };
        let clean = async {
            loop {
                clean.tick().await;
                warn_if(cleanup::round(&context).await, "clean-up");
            }
        };
        let deliver = deliver_forever(Arc::clone(&context), deliverers);
        // None keeps another waiting, and none ends.
        tokio::join!(follow, jobs, clean, deliver);
    })
}

fn warn_if<T, E: std::fmt::Display>(outcome: Result<T, E>, what: &str) {
    if let Err(error) = outcome {
        tracing::warn!(%error, what, "a job in the background failed; it is tried again");
    }
}
