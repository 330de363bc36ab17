//! Is this installation well? Looks, changes nothing, and says what to do.
//!
//! Knows no migrations: whoever asks adds what it knows of those.

mod host;
mod mail;
mod webhook;

use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};

pub use crate::service::doctor::host::check_host;
pub use crate::service::doctor::mail::check_mail;
pub use crate::service::doctor::webhook::check_webhook;

use crate::clock::Clock;
use crate::rules::role::Role;
use crate::service::master_key::{FILE_NAME, MasterKey};
use crate::settings::Settings;
use crate::store::keys::{KeyPurpose, SealedKey};
use crate::store::{Store, StoreError};

/// Age of the signing key from which on a new one is advised.
const KEY_AGE: TimeDelta = TimeDelta::days(90);

/// How far the clock here and the database's may lie apart. A node whose clock is further off does
/// not serve.
pub const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(5);

/// How bad it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Outcome {
    /// Well.
    Ok,
    /// It works, but should be looked at.
    Warning,
    /// It does not work, or is not safe.
    Problem,
}

/// What was looked at, what was found, and what to do about it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How bad it is.
    pub outcome: Outcome,
    /// What was found.
    pub finding: String,
    /// What to do about it.
    pub advice: Option<String>,
}

impl Check {
    /// It is well.
    pub fn ok(name: &'static str, finding: impl Into<String>) -> Self {
        Self {
            name,
            outcome: Outcome::Ok,
            finding: finding.into(),
            advice: None,
        }
    }

    /// It works, but.
    pub fn warning(
        name: &'static str,
        finding: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            outcome: Outcome::Warning,
            advice: Some(advice.into()),
            ..Self::ok(name, finding)
        }
    }

    /// It does not work, or is not safe.
    pub fn problem(
        name: &'static str,
        finding: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Self {
            outcome: Outcome::Problem,
            ..Self::warning(name, finding, advice)
        }
    }
}

/// The file of an embedded database.
pub fn sqlite_file(settings: &Settings) -> Option<PathBuf> {
    let rest = settings.database_url.reveal().strip_prefix("sqlite:")?;
    let path = rest.trim_start_matches("//").split('?').next()?;
    Some(PathBuf::from(path))
}

/// Everything that the tables tell, once they are there.
pub async fn check_tables(
    settings: &Settings,
    store: &Store,
    clock: &dyn Clock,
) -> Result<Vec<Check>, StoreError> {
    let keys = store.keys().await?;
    let theirs = store.database_time().await?;
    let now = clock.now();
    let administrators = store.count_enabled_with_role(&Role::admin()).await?;
    Ok(vec![
        check_master_key(settings, &keys),
        check_signing_key(&keys, now),
        check_clock(now, theirs),
        check_administrators(administrators),
    ])
}

fn check_master_key(settings: &Settings, keys: &[SealedKey]) -> Check {
    const NAME: &str = "master key";
    let path = settings.data_dir.join(FILE_NAME);
    let given = settings.master_key.is_some();
    if keys.is_empty() && !given && matches!(path.try_exists(), Ok(false)) {
        return Check::ok(
            NAME,
            format!(
                "{} is not there yet; the first start makes it",
                path.display()
            ),
        );
    }
    let master = match MasterKey::load(settings, false) {
        Ok(master) => master,
        Err(error) => {
            return Check::problem(
                NAME,
                error.to_string(),
                "do that first: nothing starts without it",
            );
        }
    };
    let opens = |key: &SealedKey| master.open(key.purpose, &key.id, &key.sealed).is_ok();
    let closed = keys.iter().filter(|key| !opens(key)).count();
    let from = if given {
        "PORTCULLIS_MASTER_KEY".to_owned()
    } else {
        path.display().to_string()
    };
    if closed > 0 {
        return Check::problem(
            NAME,
            format!(
                "{from} does not open {closed} of the {} keys in the database",
                keys.len()
            ),
            "give the master key they were sealed with, from a backup or another node",
        );
    }
    Check::ok(
        NAME,
        format!("{from} opens all {} keys in the database", keys.len()),
    )
}

fn check_signing_key(keys: &[SealedKey], now: DateTime<Utc>) -> Check {
    const NAME: &str = "signing key";
    let in_use = |key: &&SealedKey| key.purpose == KeyPurpose::Signing && key.retired_at.is_none();
    let Some(key) = keys.iter().find(in_use) else {
        return Check::ok(NAME, "not there yet; the first start makes it");
    };
    let age = now - key.created_at;
    let finding = format!("{} is {} days old", key.id, age.num_days());
    if age > KEY_AGE {
        return Check::warning(
            NAME,
            finding,
            "portcullis keys rotate; nobody is signed out by it",
        );
    }
    Check::ok(NAME, finding)
}

fn check_clock(ours: DateTime<Utc>, theirs: DateTime<Utc>) -> Check {
    const NAME: &str = "clock";
    let apart = (ours - theirs).abs();
    if apart > CLOCK_SKEW {
        return Check::problem(
            NAME,
            format!(
                "this machine and the database are {} seconds apart",
                apart.num_seconds()
            ),
            "let both follow a time server; sessions end by the clock of the machine that asks",
        );
    }
    Check::ok(
        NAME,
        format!(
            "this machine and the database agree to within {} seconds",
            CLOCK_SKEW.num_seconds()
        ),
    )
}

fn check_administrators(count: u64) -> Check {
    const NAME: &str = "administrator";
    match count {
        0 => Check::warning(
            NAME,
            "nobody is an administrator yet",
            "open the set-up link that `portcullis serve` prints, or run: portcullis user create --role admin --email …",
        ),
        1 => Check::ok(NAME, "there is one"),
        more => Check::ok(NAME, format!("there are {more}")),
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta};

    use super::{CLOCK_SKEW, KEY_AGE, Outcome, check_clock, check_signing_key};
    use crate::store::keys::{KeyPurpose, SealedKey};

    #[test]
    fn a_key_is_old_once_it_is_older_than_its_age() {
        let key = SealedKey {
            id: "k".to_owned(),
            purpose: KeyPurpose::Signing,
            sealed: Vec::new(),
            created_at: DateTime::UNIX_EPOCH,
            retired_at: None,
        };
        for (seconds, expected) in [(-1, Outcome::Ok), (0, Outcome::Ok), (1, Outcome::Warning)] {
            let now = key.created_at + KEY_AGE + TimeDelta::seconds(seconds);
            assert_eq!(
                check_signing_key(std::slice::from_ref(&key), now).outcome,
                expected,
                "{seconds}"
            );
        }
        let retired = SealedKey {
            retired_at: Some(DateTime::UNIX_EPOCH),
            ..key
        };
        assert_eq!(
            check_signing_key(&[retired], DateTime::UNIX_EPOCH).outcome,
            Outcome::Ok
        );
    }

    #[test]
    fn clocks_may_differ_a_little_either_way() {
        for (seconds, expected) in [(-1, Outcome::Ok), (0, Outcome::Ok), (1, Outcome::Problem)] {
            let there = DateTime::UNIX_EPOCH;
            let here = there + CLOCK_SKEW + TimeDelta::seconds(seconds);
            assert_eq!(check_clock(here, there).outcome, expected, "{seconds}");
            assert_eq!(check_clock(there, here).outcome, expected, "{seconds}");
        }
    }
}
