//! An instant as a page shows it: exact for machines, exact for people, and how far from now.
//!
//! Knows the calendar, not the clock: "now" is an argument. Always UTC, because the server can't
//! know the reader's zone without a script and a wrong guess is worse than a named zone.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

const MINUTE: i64 = 60;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;
/// A mean Gregorian year and its twelfth.
const YEAR: i64 = 31_556_952;
const MONTH: i64 = YEAR / 12;

/// An instant, in the three forms a page needs.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct Instant {
    /// RFC 3339, for the `datetime` attribute.
    pub iso: String,
    /// For people, e.g. "21 Nov 2026, 08:15 UTC".
    pub text: String,
    /// Seen from now, e.g. "5 minutes ago", "in 3 hours", "just now".
    pub ago: String,
}

impl Instant {
    /// Describes `at` as seen from `now`.
    pub fn new(at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        Self {
            iso: at.to_rfc3339_opts(SecondsFormat::Secs, true),
            text: at.format("%-d %b %Y, %H:%M UTC").to_string(),
            ago: ago(now.signed_duration_since(at).num_seconds()),
        }
    }
}

/// `seconds` is positive for the past. Whole seconds are cut towards zero, so a fraction ahead of
/// now is "just now".
fn ago(seconds: i64) -> String {
    let distance = seconds.saturating_abs();
    if distance < MINUTE {
        return if seconds >= 0 {
            "just now"
        } else {
            "in less than a minute"
        }
        .to_owned();
    }
    // The next unit takes over as soon as rounding reaches it, so that "60 minutes" and "24 hours"
    // are never said.
    let (count, unit) = [
        (rounded(distance, MINUTE), 60, "minute"),
        (rounded(distance, HOUR), 24, "hour"),
        (rounded(distance, DAY), 30, "day"),
        (rounded(distance, MONTH).max(1), 12, "month"),
    ]
    .into_iter()
    .find_map(|(count, limit, unit)| (count < limit).then_some((count, unit)))
    .unwrap_or_else(|| (rounded(distance, YEAR).max(1), "year"));
    let plural = if count == 1 { "" } else { "s" };
    if seconds > 0 {
        format!("{count} {unit}{plural} ago")
    } else {
        format!("in {count} {unit}{plural}")
    }
}

fn rounded(distance: i64, unit: i64) -> i64 {
    distance.saturating_add(unit / 2) / unit
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    /// 21 Nov 2026, 08:15:00 UTC.
    const NOW: i64 = 1_795_248_900;

    fn at(offset: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::seconds(NOW + offset)
    }

    #[test]
    fn distances_from_now() {
        for (seconds_ago, text) in [
            (0, "just now"),
            (1, "just now"),
            (59, "just now"),
            (60, "1 minute ago"),
            (89, "1 minute ago"),
            (90, "2 minutes ago"),
            (5 * MINUTE, "5 minutes ago"),
            (3_569, "59 minutes ago"),
            (3_570, "1 hour ago"),
            (3_599, "1 hour ago"),
            (3_600, "1 hour ago"),
            (3_601, "1 hour ago"),
            (23 * HOUR + 1_799, "23 hours ago"),
            (23 * HOUR + 1_800, "1 day ago"),
            (DAY, "1 day ago"),
            (29 * DAY, "29 days ago"),
            (30 * DAY - 1, "1 month ago"),
            (30 * DAY, "1 month ago"),
            (61 * DAY, "2 months ago"),
            (340 * DAY, "11 months ago"),
            (360 * DAY, "1 year ago"),
            (366 * DAY, "1 year ago"),
            (730 * DAY, "2 years ago"),
            (-1, "in less than a minute"),
            (-59, "in less than a minute"),
            (-60, "in 1 minute"),
            (-3 * HOUR, "in 3 hours"),
            (-(8 * HOUR - 2), "in 8 hours"),
            (-7 * DAY, "in 7 days"),
            (-400 * DAY, "in 1 year"),
        ] {
            assert_eq!(
                Instant::new(at(-seconds_ago), at(0)).ago,
                text,
                "{seconds_ago} s ago"
            );
        }
    }

    #[test]
    fn a_fraction_of_a_second_ahead_is_just_now() {
        assert_eq!(
            Instant::new(at(0) + TimeDelta::milliseconds(999), at(0)).ago,
            "just now"
        );
    }

    #[test]
    fn exact_forms() {
        let instant = Instant::new(at(0) + TimeDelta::milliseconds(250), at(0));
        assert_eq!(instant.iso, "2026-11-21T08:15:00Z");
        assert_eq!(instant.text, "21 Nov 2026, 08:15 UTC");
        let epoch = Instant::new(DateTime::UNIX_EPOCH, at(0));
        assert_eq!(epoch.iso, "1970-01-01T00:00:00Z");
        assert_eq!(epoch.text, "1 Jan 1970, 00:00 UTC");
        assert_eq!(epoch.ago, "57 years ago");
    }

    #[test]
    fn the_ends_of_the_calendar_do_not_overflow() {
        let first = DateTime::<Utc>::MIN_UTC;
        let last = DateTime::<Utc>::MAX_UTC;
        assert!(Instant::new(first, last).ago.ends_with(" years ago"));
        assert!(Instant::new(last, first).ago.starts_with("in "));
    }
}
