//! Is this installation well? Looks, changes nothing, and says what to do.
//!
//! Knows no migrations: whoever asks adds what it knows of those.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use chrono::{DateTime, TimeDelta, Utc};

use crate::clock::Clock;
use crate::rules::role::Role;
use crate::service::master_key::{FILE_NAME, MasterKey};
use crate::settings::Settings;
use crate::store::keys::{KeyPurpose, SealedKey};
use crate::store::{Store, StoreError};

/// Age of the signing key from which on a new one is advised.
const KEY_AGE: TimeDelta = TimeDelta::days(90);

/// How far the clock here and the database's may lie apart.
const CLOCK_SKEW: TimeDelta = TimeDelta::seconds(5);

/// A hash that takes less is too easy to guess at, one that takes more keeps people waiting.
const HASH_MILLIS: std::ops::RangeInclusive<u128> = 50..=1000;

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

/// Everything that can be seen without the database.
pub fn check_host(settings: &Settings) -> Vec<Check> {
    let mut checks = vec![check_directory(&settings.data_dir)];
    if let Some(file) = sqlite_file(settings) {
        checks.push(check_database_file(&file));
    }
    checks.extend([
        check_public_url(settings),
        check_proxies(settings),
        check_hashing(settings.bcrypt_cost),
    ]);
    checks
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

fn check_directory(directory: &Path) -> Check {
    const NAME: &str = "data directory";
    let shown = directory.display();
    match mode(directory) {
        Ok(None) => Check::ok(
            NAME,
            format!("{shown} is not there yet; the first start makes it"),
        ),
        Ok(Some(mode)) if mode & 0o022 != 0 => Check::problem(
            NAME,
            format!("{shown} can be changed by others (mode {mode:o})"),
            format!("chmod 700 {shown}"),
        ),
        Ok(Some(mode)) if mode & 0o077 != 0 => Check::warning(
            NAME,
            format!("{shown} can be listed by others (mode {mode:o})"),
            format!("chmod 700 {shown}"),
        ),
        Ok(Some(mode)) => Check::ok(NAME, format!("{shown}, mode {mode:o}")),
        Err(error) => Check::problem(
            NAME,
            format!("{shown}: {error}"),
            "let its owner run this, or set PORTCULLIS_DATA_DIR",
        ),
    }
}

fn check_database_file(file: &Path) -> Check {
    const NAME: &str = "database file";
    let shown = file.display();
    match mode(file) {
        Ok(None) => Check::ok(
            NAME,
            format!("{shown} is not there yet; the first start makes it"),
        ),
        Ok(Some(mode)) if mode & 0o077 != 0 => Check::problem(
            NAME,
            format!("{shown} can be read by others (mode {mode:o}), password hashes included"),
            format!("chmod 600 {shown} {shown}-wal {shown}-shm"),
        ),
        Ok(Some(mode)) => Check::ok(NAME, format!("{shown}, mode {mode:o}")),
        Err(error) => Check::problem(NAME, format!("{shown}: {error}"), "let its owner run this"),
    }
}

fn check_public_url(settings: &Settings) -> Check {
    const NAME: &str = "public URL";
    let url = &settings.public_url;
    if settings.https {
        return Check::ok(NAME, url);
    }
    Check::warning(
        NAME,
        format!("{url} is plain http, which is for trying things on this machine only"),
        "put an https proxy before it and set PORTCULLIS_PUBLIC_URL to the https:// address",
    )
}

fn check_proxies(settings: &Settings) -> Check {
    const NAME: &str = "trusted proxies";
    if !settings.trusted_proxies.is_empty() {
        let shown: Vec<String> = settings
            .trusted_proxies
            .iter()
            .map(ToString::to_string)
            .collect();
        return Check::ok(NAME, shown.join(", "));
    }
    if settings.https && settings.bind.ip().is_loopback() {
        return Check::warning(
            NAME,
            "none, but the public URL is https and only this machine can connect: every client will seem \
             to have the proxy's address, and share its count of failed attempts",
            "set PORTCULLIS_TRUSTED_PROXIES to the proxy's address, such as 127.0.0.1",
        );
    }
    Check::ok(NAME, "none; the address of a connection counts")
}

/// Takes as long as a hash does.
fn check_hashing(cost: u32) -> Check {
    const NAME: &str = "password hashing";
    let started = std::time::Instant::now();
    let hashed = bcrypt::non_truncating_hash(b"a text to measure by", cost);
    let millis = started.elapsed().as_millis();
    let finding = format!("bcrypt at cost {cost} takes {millis} ms here");
    if hashed.is_err() {
        return Check::problem(
            NAME,
            "bcrypt does not work",
            "see whether the system gives random numbers",
        );
    }
    if millis < *HASH_MILLIS.start() {
        return Check::warning(NAME, finding, "raise PORTCULLIS_BCRYPT_COST by one or more");
    }
    if millis > *HASH_MILLIS.end() {
        let advice = "people wait this long at each sign-in; lower PORTCULLIS_BCRYPT_COST or use a faster machine";
        return Check::warning(NAME, finding, advice);
    }
    Check::ok(NAME, finding)
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
        return Check::warning(
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

fn mode(path: &Path) -> std::io::Result<Option<u32>> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.permissions().mode() & 0o7777)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
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
        for (seconds, expected) in [(-1, Outcome::Ok), (0, Outcome::Ok), (1, Outcome::Warning)] {
            let there = DateTime::UNIX_EPOCH;
            let here = there + CLOCK_SKEW + TimeDelta::seconds(seconds);
            assert_eq!(check_clock(here, there).outcome, expected, "{seconds}");
            assert_eq!(check_clock(there, here).outcome, expected, "{seconds}");
        }
    }
}
