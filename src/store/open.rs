//! Opening the database.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{ConnectOptions, Database, DatabaseConnection};
use tokio::sync::Notify;

use crate::rules::outbox::Consumer;
use crate::settings::Settings;
use crate::store::validity_cache::ValidityCache;
use crate::store::{Acts, Inner, PATIENCE, Store, StoreError};

/// Longest wait for a lock that another process holds on an SQLite file.
pub(super) const BUSY_TIMEOUT: Duration = Duration::from_secs(3);

/// Readers of an SQLite file; more do not help, since they all share its page cache.
const SQLITE_READERS: u32 = 4;

/// Pages that a connection to an SQLite file holds, as it asks for them: 16 MB (in KiB, negative).
/// By default they are 2 MB, in which the upper levels of the indexes over some million sessions and
/// the rows asked about lately do not find room.
const SQLITE_CACHE: &str = "-16000";

impl Store {
    /// Opens the database of the settings. An SQLite file is made, for its owner alone, if it is
    /// not there; no table is.
    pub async fn open(settings: &Settings) -> Result<Self, StoreError> {
        let url = settings.database_url.reveal();
        let (reader, writer) = if let Some(rest) = url.strip_prefix("sqlite:") {
            let path = rest
                .trim_start_matches("//")
                .split('?')
                .next()
                .unwrap_or(rest);
            make_private(Path::new(path)).map_err(|error| {
                StoreError::Unavailable(Some(sea_orm::DbErr::Custom(error.to_string())))
            })?;
            let readers = settings.database_connections.min(SQLITE_READERS);
            (sqlite(url, readers).await?, sqlite(url, 1).await?)
        } else {
            let pool = postgres(url, settings.database_connections).await?;
            (pool.clone(), pool)
        };
        let cache = ValidityCache::new(
            settings.cache_capacity,
            settings.cache_ttl,
            settings.access_token,
            settings.revocation_bound,
        )?;
        Ok(Self {
            inner: Arc::new(Inner {
                reader,
                writer,
                url: settings.database_url.clone(),
                cache,
                acts: Acts::default(),
                listeners: Consumer::listening(settings.webhook.is_some()),
                mail_grown: Notify::new(),
                webhook_grown: Notify::new(),
            }),
        })
    }
}

fn options(url: &str, connections: u32) -> ConnectOptions {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .min_connections(1)
        .connect_timeout(PATIENCE)
        .acquire_timeout(PATIENCE)
        .sqlx_logging(false);
    options
}

async fn sqlite(url: &str, connections: u32) -> Result<DatabaseConnection, StoreError> {
    let mut options = options(url, connections);
    // An acknowledged act must survive a power cut, hence FULL: in WAL mode NORMAL may lose the
    // newest commits.
    options.map_sqlx_sqlite_opts(|sqlite| {
        sqlite
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full)
            .foreign_keys(true)
            .pragma("cache_size", SQLITE_CACHE)
            .busy_timeout(BUSY_TIMEOUT)
    });
    Ok(Database::connect(options).await?)
}

async fn postgres(url: &str, connections: u32) -> Result<DatabaseConnection, StoreError> {
    let mut options = options(url, connections);
    options
        .set_application_name("portcullis")
        .statement_timeout(PATIENCE);
    Ok(Database::connect(options).await?)
}

/// Makes the file, and the directory it lies in, readable by their owner alone.
fn make_private(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};

    if let Some(directory) = path.parent().filter(|d| !d.as_os_str().is_empty()) {
        std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)?;
    }
    std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)
        .map(drop)
}
