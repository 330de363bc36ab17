//! Everything that is written to standard output and standard error.
//!
//! A reader that has seen enough, as `head` has, closes the pipe: that is no failure.

use std::error::Error;
use std::fmt::Display;
use std::io::{ErrorKind, Write};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Serialize;

use crate::cli::failure::Failure;
use crate::service::Context;

/// One row of a list: an object in JSON, some of its values in a table.
pub(super) trait Row: Serialize {
    /// What stands above the columns.
    const HEADINGS: &'static [&'static str];

    /// The columns.
    fn cells(&self) -> Vec<String>;
}

/// Writes a line.
pub(super) fn line(text: impl Display) -> Result<(), Failure> {
    forgiving(writeln!(std::io::stdout().lock(), "{text}"))
}

/// Writes a remark, which is no part of the answer.
pub(super) fn remark(text: impl Display) -> Result<(), Failure> {
    forgiving(writeln!(std::io::stderr().lock(), "{text}"))
}

/// Says when servers beside this command will know of what it did.
pub(super) fn bound(context: &Context) -> Result<(), Failure> {
    let bound = context.settings.revocation_bound.as_millis();
    remark(format!(
        "A server that is running acts on this within {bound} milliseconds."
    ))
}

/// Writes a question, leaving the line open.
pub(super) fn ask(text: impl Display) -> Result<(), Failure> {
    let mut stderr = std::io::stderr().lock();
    forgiving(write!(stderr, "{text} ").and_then(|()| stderr.flush()))
}

/// Writes a list: as a JSON array, or as a table, or the words for an empty one.
pub(super) fn list<R: Row>(rows: &[R], as_json: bool, none: &str) -> Result<(), Failure> {
    if as_json {
        return json(&rows);
    }
    if rows.is_empty() {
        return line(none);
    }
    let headings = R::HEADINGS
        .iter()
        .map(|heading| (*heading).to_owned())
        .collect();
    let lines: Vec<Vec<String>> = std::iter::once(headings)
        .chain(rows.iter().map(Row::cells))
        .collect();
    line(aligned(&lines))
}

/// Writes one value as JSON.
pub(super) fn json(value: &impl Serialize) -> Result<(), Failure> {
    let text =
        serde_json::to_string_pretty(value).map_err(|error| Failure::said(error.to_string()))?;
    line(text)
}

/// Writes names and values, one pair a line.
pub(super) fn pairs(pairs: &[(&str, String)]) -> Result<(), Failure> {
    let lines: Vec<Vec<String>> = pairs
        .iter()
        .map(|(name, value)| vec![format!("{name}:"), value.clone()])
        .collect();
    line(aligned(&lines))
}

/// Writes why a command could not.
pub(super) fn failure(failure: &Failure) {
    // There is nobody left to tell if this does not succeed.
    let _ = remark(format!("portcullis: {}", with_causes(failure)));
}

/// An error and, in brackets, what it came from.
pub(super) fn with_causes(error: &dyn Error) -> String {
    let told = error.to_string();
    let mut causes: Vec<String> = Vec::new();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        // Many an error repeats the one it came from.
        if !causes.last().unwrap_or(&told).contains(&words) {
            causes.push(words);
        }
        cause = error.source();
    }
    if causes.is_empty() {
        told
    } else {
        format!("{told} ({})", causes.join(": "))
    }
}

/// An instant, to the second.
pub(super) fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// An instant, and how far it is away.
pub(super) fn instant_from(at: DateTime<Utc>, now: DateTime<Utc>) -> String {
    let away = if at > now {
        format!("in {}", span(at - now))
    } else {
        format!("{} ago", span(now - at))
    };
    format!("{} ({away})", instant(at))
}

/// A length of time in the largest unit that tells enough.
pub(super) fn span(length: TimeDelta) -> String {
    let (count, unit) = match length.num_seconds().unsigned_abs() {
        seconds if seconds < 120 => (seconds, "second"),
        seconds if seconds < 2 * 3600 => (seconds / 60, "minute"),
        seconds if seconds < 2 * 86_400 => (seconds / 3600, "hour"),
        seconds => (seconds / 86_400, "day"),
    };
    counted(count, unit)
}

/// A number of things.
pub(super) fn counted(count: u64, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{plural}")
}

/// Without characters that could move the cursor, change colours or turn the line around: names
/// and browsers' words come from anybody.
pub(super) fn harmless(text: &str) -> String {
    let turns = |c: char| matches!(c, '\u{200E}' | '\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2066}'..='\u{2069}');
    text.chars()
        .map(|c| {
            if c.is_control() || turns(c) {
                '\u{FFFD}'
            } else {
                c
            }
        })
        .collect()
}

fn aligned(lines: &[Vec<String>]) -> String {
    let lines: Vec<Vec<String>> = lines
        .iter()
        .map(|cells| cells.iter().map(|cell| harmless(cell)).collect())
        .collect();
    let columns = lines.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| {
        let cells = lines.iter().filter_map(|cells| cells.get(column));
        cells
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or_default()
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let written: Vec<String> = lines
        .iter()
        .map(|cells| {
            let padded: Vec<String> = cells
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:<width$}"))
                .collect();
            padded.join("  ").trim_end().to_owned()
        })
        .collect();
    written.join("\n")
}

fn forgiving(written: std::io::Result<()>) -> Result<(), Failure> {
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}
