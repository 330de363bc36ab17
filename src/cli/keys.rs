//! `portcullis keys`.

use chrono::{DateTime, Utc};
use clap::Subcommand;
use serde::Serialize;

use crate::cli::failure::Failure;
use crate::cli::output::{self, Row, instant};
use crate::cli::{AsJson, open};
use crate::rules::audit::Origin;
use crate::service::Context;
use crate::service::key_ring::LEAD;
use crate::store::keys::{KeyPurpose, SealedKey};

#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// List the installation's keys; the keys themselves are never shown
    List(AsJson),
    /// Sign with a new key, as soon as every node can have read it; nobody is signed out
    Rotate,
}

#[derive(Debug, Serialize)]
struct KeyRow {
    id: String,
    purpose: &'static str,
    state: &'static str,
    created_at: DateTime<Utc>,
    retired_at: Option<DateTime<Utc>>,
}

impl KeyRow {
    fn new(context: &Context, key: SealedKey) -> Self {
        let verifies = || {
            let life = context.settings.access_token;
            context
                .keys()
                .verifying(&key.id, life, context.now())
                .is_some()
        };
        let keys = context.keys();
        let signs = keys.active(context.now()).map(|key| key.kid.as_str());
        let state = match (key.purpose, key.retired_at) {
            (KeyPurpose::Signing, _) if signs == Some(&key.id) => "signs",
            (KeyPurpose::Signing, None) => "waits",
            (KeyPurpose::Signing, Some(_)) if verifies() => "verifies",
            (KeyPurpose::Signing, Some(_)) => "dead",
            (KeyPurpose::Pepper | KeyPurpose::Derivation, None) => "in use",
            (KeyPurpose::Pepper | KeyPurpose::Derivation, Some(_)) => "retired",
        };
        Self {
            purpose: key.purpose.code(),
            state,
            created_at: key.created_at,
            retired_at: key.retired_at,
            id: key.id,
        }
    }
}

impl Row for KeyRow {
    const HEADINGS: &'static [&'static str] = &["KEY", "PURPOSE", "STATE", "MADE", "RETIRED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.id.clone(),
            self.purpose.to_owned(),
            self.state.to_owned(),
            instant(self.created_at),
            self.retired_at.map(instant).unwrap_or_default(),
        ]
    }
}

pub(super) async fn run(command: KeysCommand) -> Result<(), Failure> {
    let context = open::context().await?;
    match command {
        KeysCommand::List(AsJson { json }) => {
            let keys = context.store.keys().await?;
            let rows: Vec<KeyRow> = keys
                .into_iter()
                .map(|key| KeyRow::new(&context, key))
                .collect();
            output::list(&rows, json, "There are no keys.")
        }
        KeysCommand::Rotate => {
            let kid = context.rotate_keys(Origin::HOST).await?;
            output::line(format!(
                "In {} seconds, when every node has read it, {kid} signs.",
                LEAD.num_seconds()
            ))?;
            output::line("The key before it verifies until the last token it signed is dead.")
        }
    }
}
