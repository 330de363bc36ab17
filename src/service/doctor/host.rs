//! What can be seen of the host without the database: files and their modes, addresses, and how
//! long a hash takes.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use chrono::DateTime;

use crate::service::doctor::{Check, sqlite_file};
use crate::service::places::Places;
use crate::settings::Settings;

/// A hash that takes less is too easy to guess at, one that takes more keeps people waiting.
const HASH_MILLIS: std::ops::RangeInclusive<u128> = 50..=1000;

/// Everything that can be seen without the database.
pub fn check_host(settings: &Settings) -> Vec<Check> {
    let mut checks = vec![check_directory(&settings.data_dir)];
    if let Some(file) = sqlite_file(settings) {
        checks.push(check_database_file(&file));
    }
    checks.extend([
        check_public_url(settings),
        check_proxies(settings),
        check_places(settings),
        check_hashing(settings.bcrypt_cost),
    ]);
    checks
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

fn check_places(settings: &Settings) -> Check {
    const NAME: &str = "places";
    match Places::read(settings) {
        Err(error) => Check::problem(
            NAME,
            error.to_string(),
            "the server does not start with it; give a file of cities or countries in MaxMind's format, \
             or leave PORTCULLIS_GEOIP_FILE empty",
        ),
        Ok(places) => match places.kind() {
            None => Check::ok(NAME, "no file; lists of sessions show addresses only"),
            Some((kind, made)) => {
                let made = i64::try_from(made).unwrap_or_default();
                let made = DateTime::from_timestamp(made, 0).unwrap_or_default();
                Check::ok(NAME, format!("{kind}, made on {}", made.date_naive()))
            }
        },
    }
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

fn mode(path: &Path) -> std::io::Result<Option<u32>> {
    match std::fs::metadata(path) {
        Ok(metadata) => Ok(Some(metadata.permissions().mode() & 0o7777)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
