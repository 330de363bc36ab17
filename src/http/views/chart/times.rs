//! Few labels along a drawing's foot, at hours and days that people count in. Always UTC.

use chrono::{DateTime, Datelike, TimeDelta, Timelike, Utc, Weekday};
use serde::Serialize;

use super::Share;

/// Which instants have a label.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(in crate::http::views) enum Ticks {
    /// Every third hour; every sixth where there is little room.
    Hours,
    /// Every midnight; every other where there is little room.
    Days,
    /// Every Monday.
    Weeks,
}

/// A time at the foot of a drawing.
#[derive(Clone, Debug, Serialize)]
pub struct TimeLabel {
    /// From the left.
    pub x: Share,
    /// The time, short.
    pub text: String,
    /// Left out where there is little room.
    pub fine: bool,
}

/// Labels for spans of time from `first` on, each `span` long.
pub(in crate::http::views) fn time_labels(
    first: DateTime<Utc>,
    span: TimeDelta,
    count: usize,
    ticks: Ticks,
) -> Vec<TimeLabel> {
    let starts = (0..count).scan(first, |at, number| {
        let this = *at;
        *at = this.checked_add_signed(span)?;
        Some((number, this))
    });
    starts
        .filter(|(_, at)| has_label(*at, ticks))
        .map(|(number, at)| TimeLabel {
            x: Share::place(number, 0, count),
            text: words(at, ticks),
            fine: is_fine(at, ticks),
        })
        .collect()
}

fn has_label(at: DateTime<Utc>, ticks: Ticks) -> bool {
    let is_hour = at.minute() == 0 && at.second() == 0;
    is_hour
        && match ticks {
            Ticks::Hours => at.hour().is_multiple_of(3),
            Ticks::Days => at.hour() == 0,
            Ticks::Weeks => at.hour() == 0 && at.weekday() == Weekday::Mon,
        }
}

fn is_fine(at: DateTime<Utc>, ticks: Ticks) -> bool {
    match ticks {
        Ticks::Hours => !at.hour().is_multiple_of(6),
        Ticks::Days => at.num_days_from_ce().rem_euclid(2) != 0,
        Ticks::Weeks => false,
    }
}

fn words(at: DateTime<Utc>, ticks: Ticks) -> String {
    match ticks {
        // A day that begins is worth more than its "00:00".
        Ticks::Hours if at.hour() == 0 => at.format("%-d %b").to_string(),
        Ticks::Hours => at.format("%H:%M").to_string(),
        Ticks::Days => at.format("%a %-d").to_string(),
        Ticks::Weeks => at.format("%-d %b").to_string(),
    }
}
