//! Mails that are files, where no mail server is set: written for their owner alone, and deleted when
//! they are old.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{ErrorKind, Result, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::settings::Settings;

/// How long they are kept. The links in most of them are good for less.
const KEPT: TimeDelta = TimeDelta::days(7);

/// What the names of mails end with.
const WHOLE: &str = "eml";

/// What those end with that are still being written.
const UNFINISHED: &str = "part";

/// The directory that they lie in.
pub fn directory(settings: &Settings) -> PathBuf {
    settings.data_dir.join("mails")
}

/// For its owner alone, and whole or not at all.
pub(super) fn write(directory: &Path, id: Uuid, mail: &[u8]) -> Result<PathBuf> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)?;
    let path = directory.join(format!("{id}.{WHOLE}"));
    let unfinished = path.with_extension(UNFINISHED);
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&unfinished)?;
    file.write_all(mail)?;
    file.sync_all()?;
    std::fs::rename(&unfinished, &path)?;
    Ok(path)
}

/// Deletes those that are older than they are kept. What has no name of ours, and what is no plain
/// file, stays. Returns how many.
pub fn delete_old(directory: &Path, now: DateTime<Utc>) -> Result<u64> {
    let before = SystemTime::from(now - KEPT);
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(0),
        entries => entries?,
    };
    let mut deleted = 0;
    for entry in entries {
        let entry = entry?;
        // Of a link, of itself.
        let about = entry.metadata()?;
        if is_ours(&entry.path()) && about.is_file() && about.modified()? <= before {
            std::fs::remove_file(entry.path())?;
            deleted += 1;
        }
    }
    Ok(deleted)
}

fn is_ours(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str());
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    let hyphenated = |stem: &str| stem.len() == 36 && Uuid::parse_str(stem).is_ok();
    matches!(ending, Some(WHOLE | UNFINISHED)) && stem.is_some_and(hyphenated)
}
