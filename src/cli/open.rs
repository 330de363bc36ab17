//! Opening the database: the one way in for every command, the server included.

use std::sync::Arc;

use url::Url;

use crate::cli::failure::Failure;
use crate::cli::{migrate, output};
use crate::clock::SystemClock;
use crate::service::Context;
use crate::service::doctor::sqlite_file;
use crate::settings::Settings;
use crate::store::{Store, StoreError};

/// In what state a command needs the tables.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Tables {
    /// As this version knows them: those of an embedded database are brought there, elsewhere it
    /// is refused to go on before somebody has done so.
    Ready,
    /// As they are, or not there at all.
    AsTheyAre,
}

/// Opens the database.
pub(super) async fn store(settings: &Settings, tables: Tables) -> Result<Store, Failure> {
    let store = Store::open(settings)
        .await
        .map_err(|error| cannot_open(settings, &error))?;
    match tables {
        Tables::AsTheyAre => return Ok(store),
        Tables::Ready => {}
    }
    let pending = migrate::pending(&store).await?;
    if pending.is_empty() {
        return Ok(store);
    }
    if sqlite_file(settings).is_some() {
        migrate::up(settings, &store).await?;
        return Ok(store);
    }
    let state = if pending.len() == migrate::count() {
        "the tables are not there".to_owned()
    } else {
        format!("migrations are pending ({})", pending.join(", "))
    };
    Err(Failure::said(format!(
        "{}: {state}; run: portcullis migrate up",
        place(settings)
    )))
}

/// Reads the settings and opens database and keys, for a command that acts.
pub(super) async fn context() -> Result<Context, Failure> {
    let settings = Settings::from_env()?;
    let store = store(&settings, Tables::Ready).await?;
    Ok(Context::start(settings, store, Arc::new(SystemClock)).await?)
}

/// Where the database is, without what lets one in.
pub(super) fn place(settings: &Settings) -> String {
    if let Some(path) = sqlite_file(settings) {
        return path.display().to_string();
    }
    let Ok(url) = Url::parse(settings.database_url.reveal()) else {
        return "the database of DATABASE_URL".to_owned();
    };
    let port = url
        .port()
        .map(|port| format!(":{port}"))
        .unwrap_or_default();
    format!(
        "{}://{}{port}{}",
        url.scheme(),
        url.host_str().unwrap_or_default(),
        url.path()
    )
}

fn cannot_open(settings: &Settings, error: &StoreError) -> Failure {
    let text = format!("{}: {}", place(settings), output::with_causes(error));
    // Some causes quote the address, which may hold a password.
    Failure::said(text.replace(settings.database_url.reveal(), "[DATABASE_URL]"))
}
