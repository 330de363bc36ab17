//! `portcullis migrate`: the only place, besides tests, that runs migrations.

use std::fs::File;
use std::path::Path;

use clap::Subcommand;
use migration::{Migrator, MigratorTrait};
use serde::Serialize;

use crate::cli::failure::Failure;
use crate::cli::open::{self, Tables};
use crate::cli::output::{self, Row};
use crate::cli::{AsJson, Consent};
use crate::service::doctor::sqlite_file;
use crate::settings::Settings;
use crate::store::Store;

/// Tries without any progress before it is given up.
const ATTEMPTS: u32 = 3;

#[derive(Debug, Subcommand)]
pub(super) enum MigrateCommand {
    /// Apply every migration that is pending
    Up,
    /// Undo the latest migrations, and lose what is in the tables they made
    Down {
        /// How many
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
        steps: u32,
    },
    /// Say which migrations are applied and which are pending
    Status(AsJson),
    /// Drop every table of the database, whoever made it, and make ours anew
    Fresh(Consent),
}

/// One migration.
#[derive(Debug, Serialize)]
struct MigrationRow {
    name: String,
    applied: bool,
}

impl Row for MigrationRow {
    const HEADINGS: &'static [&'static str] = &["MIGRATION", "STATE"];

    fn cells(&self) -> Vec<String> {
        let state = if self.applied { "applied" } else { "pending" };
        vec![self.name.clone(), state.to_owned()]
    }
}

pub(super) async fn run(command: MigrateCommand) -> Result<(), Failure> {
    let settings = Settings::from_env()?;
    let store = open::store(&settings, Tables::AsTheyAre).await?;
    match command {
        MigrateCommand::Up => {
            let applied = up(&settings, &store).await?;
            told(
                &applied,
                "applied",
                "Nothing to do: every migration is applied.",
            )
        }
        MigrateCommand::Down { steps } => {
            let undone = down(&settings, &store, steps).await?;
            told(&undone, "undone", "Nothing to do: no migration is applied.")?;
            if sqlite_file(&settings).is_some() && !undone.is_empty() {
                output::remark(
                    "The next command that needs the tables applies them again, as every start does.",
                )?;
            }
            Ok(())
        }
        MigrateCommand::Status(AsJson { json }) => {
            output::list(&states(&store).await?, json, "There are no migrations.")
        }
        MigrateCommand::Fresh(_) => {
            let _lock = lock(&settings);
            Migrator::fresh(store.schema_connection())
                .await
                .map_err(cannot)?;
            output::line(
                "Every table was dropped and ours were made anew. Restart the servers that use this database.",
            )
        }
    }
}

/// How many migrations this version has.
pub(super) fn count() -> usize {
    Migrator::migrations().len()
}

/// The migrations that are not applied yet, in their order. Changes nothing.
pub(super) async fn pending(store: &Store) -> Result<Vec<String>, Failure> {
    let states = states(store).await?;
    Ok(states
        .into_iter()
        .filter(|row| !row.applied)
        .map(|row| row.name)
        .collect())
}

/// Applies every migration that is pending. Returns their names.
pub(super) async fn up(settings: &Settings, store: &Store) -> Result<Vec<String>, Failure> {
    let _lock = lock(settings);
    let wanted = pending(store).await?;
    let mut left = wanted.len();
    let mut attempts = 0;
    while left > 0 {
        attempts += 1;
        let outcome = Migrator::up(store.schema_connection(), None).await;
        let before = left;
        left = pending(store).await?.len();
        // Somebody else at it at the same moment makes ours fail, and theirs succeed.
        if let Err(error) = outcome
            && (left == before && attempts >= ATTEMPTS)
        {
            return Err(cannot(error));
        }
    }
    Ok(wanted)
}

async fn down(settings: &Settings, store: &Store, steps: u32) -> Result<Vec<String>, Failure> {
    let _lock = lock(settings);
    let before = pending(store).await?;
    Migrator::down(store.schema_connection(), Some(steps))
        .await
        .map_err(cannot)?;
    let mut undone = pending(store).await?;
    undone.retain(|name| !before.contains(name));
    undone.reverse();
    Ok(undone)
}

async fn states(store: &Store) -> Result<Vec<MigrationRow>, Failure> {
    let pending = Migrator::get_pending_migrations_read_only(store.schema_connection())
        .await
        .map_err(cannot)?;
    let is_pending = |name: &str| pending.iter().any(|migration| migration.name() == name);
    Ok(Migrator::migrations()
        .iter()
        .map(|migration| MigrationRow {
            name: migration.name().to_owned(),
            applied: !is_pending(migration.name()),
        })
        .collect())
}

/// Of several processes that find an embedded database without its tables, one makes them and the
/// others wait. Held until it is dropped; where the file system has no such lock, nobody waits.
fn lock(settings: &Settings) -> Option<File> {
    let path = sqlite_file(settings)?;
    let directory = path
        .parent()
        .filter(|directory| !directory.as_os_str().is_empty());
    let directory = File::open(directory.unwrap_or(Path::new("."))).ok()?;
    directory.lock().ok()?;
    Some(directory)
}

fn told(names: &[String], done: &str, nothing: &str) -> Result<(), Failure> {
    if names.is_empty() {
        return output::line(nothing);
    }
    names
        .iter()
        .try_for_each(|name| output::line(format!("{done} {name}")))
}

fn cannot(error: impl std::fmt::Display) -> Failure {
    let error = error.to_string();
    if error.contains("its file is missing") {
        return Failure::said(format!(
            "the tables were made by a newer version; use that one ({error})"
        ));
    }
    Failure::said(format!("the migrations cannot be read or run: {error}"))
}
