//! Figures over time: which hours are counted when, and what they add up to.
//!
//! What happened is counted by whole hours of UTC, so that no hour is longer or shorter than another
//! and showing a month costs the same however much happened in it. Sessions that an administrator
//! opened as somebody else are in none of these figures: they say nothing of the users.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::rules::end_reason::EndReason;

mod shown;
mod stored;

pub use crate::rules::figures::shown::FiguresDocument;
pub use crate::rules::figures::stored::{Dimension, Kind, MEMBERS, REST, Row, Tally, largest};

/// Seconds of an hour.
const HOUR_SECS: i64 = 3_600;

/// So long after its end an hour is still counted anew: longer than any act takes from its instant
/// to its commit, and than the clocks of two nodes may be apart.
const OPEN_FOR: TimeDelta = TimeDelta::minutes(10);

/// Hours that one round of the maintenance counts because nobody has counted them in time.
const CAUGHT_UP: usize = 24;

/// A whole hour: how many lie between the beginning of 1970 (UTC) and its own.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Hour(pub i64);

impl Hour {
    /// The hour in which an instant lies.
    pub fn of(at: DateTime<Utc>) -> Self {
        Self(at.timestamp().div_euclid(HOUR_SECS))
    }

    /// Its first instant.
    pub fn start(self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.0.saturating_mul(HOUR_SECS), 0).unwrap_or_default()
    }

    /// The first instant that is not in it any more.
    pub fn end(self) -> DateTime<Utc> {
        self.next().start()
    }

    /// The one after it.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Is a count that began at this instant the last that it needs?
    pub fn is_settled_at(self, counted_at: DateTime<Utc>) -> bool {
        counted_at >= self.end() + OPEN_FOR
    }
}

/// The latest instant of a count that is believed at `now`: what says that it was counted later was
/// counted by a clock that was wrong.
pub fn believed_until(now: DateTime<Utc>) -> DateTime<Utc> {
    now + OPEN_FOR
}

/// The hours to count at `now`, in this order: those that were missed, the oldest first and not all
/// at once, and then those in which something may still happen.
///
/// `oldest` is the first worth counting. From there on all up to `settled` need no further count,
/// and after a gap those do that are `beyond` it, in their order.
pub fn due(settled: Option<Hour>, beyond: &[Hour], oldest: Hour, now: DateTime<Utc>) -> Vec<Hour> {
    let running = Hour::of(now);
    let first = settled.map_or(oldest, Hour::next).max(oldest).min(running);
    let open_or_missed = |hour: &Hour| beyond.binary_search(hour).is_err();
    let open = (0..).map(|back| Hour(running.0 - back));
    let open = open.take_while(|hour| !hour.is_settled_at(now)).count();
    let first_open = Hour(running.0 + 1 - i64::try_from(open).unwrap_or_default());
    let missed = (first.0..first_open.0).map(Hour).filter(open_or_missed);
    let open = (first_open.0.max(first.0)..=running.0).map(Hour);
    missed
        .take(CAUGHT_UP)
        .chain(open.filter(open_or_missed))
        .collect()
}

/// The instant up to which the stored hours tell everything: what happened later is counted nowhere
/// yet. `stored` are hours from after `settled` on, in their order, with the instants of their counts.
pub fn counted_through(
    settled: Option<Hour>,
    oldest: Hour,
    stored: &[(Hour, DateTime<Utc>)],
) -> DateTime<Utc> {
    let mut next = settled.map_or(oldest, Hour::next);
    let mut through = next.start();
    for (hour, counted_at) in stored {
        if *hour != next {
            break;
        }
        through = (*counted_at).clamp(hour.start(), hour.end());
        if through < hour.end() {
            break;
        }
        next = hour.next();
    }
    through
}

/// How far back figures are shown.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Range {
    /// 24 hours, the running one among them.
    #[default]
    Day,
    /// Seven days, by quarters of a day.
    Week,
    /// Thirty days, day by day.
    Month,
}

impl Range {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Day, Self::Week, Self::Month];

    /// Its name in addresses, answers and commands.
    pub fn code(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }

    /// The range of this name.
    pub fn from_code(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|range| range.code() == code)
    }

    /// What it spans, in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Day => "24 hours",
            Self::Week => "7 days",
            Self::Month => "30 days",
        }
    }

    /// Hours in one bucket.
    pub fn step(self) -> i64 {
        match self {
            Self::Day => 1,
            Self::Week => 6,
            Self::Month => 24,
        }
    }

    /// How many buckets.
    pub fn length(self) -> i64 {
        match self {
            Self::Day => 24,
            Self::Week => 28,
            Self::Month => 30,
        }
    }

    /// Its first hour at `now`. Buckets begin at whole multiples of their length (UTC), so that they
    /// do not wander from one look to the next.
    pub fn first(self, now: DateTime<Utc>) -> Hour {
        let step = self.step();
        let running = Hour::of(now).0.div_euclid(step);
        Hour((running + 1 - self.length()) * step)
    }

    /// Its buckets at `now`, empty; the last is the running one.
    pub fn buckets(self, now: DateTime<Utc>) -> Vec<Bucket> {
        let first = self.first(now);
        let hour = |place: i64| Hour(first.0 + place * self.step()).start();
        (0..self.length())
            .map(|place| Bucket {
                from: hour(place),
                to: hour(place + 1),
                counts: Counts::default(),
                live: None,
                peak: None,
            })
            .collect()
    }

    /// In which of its buckets an instant lies; none if in none. What a clock that is ahead has
    /// dated past the end lies in the last.
    pub fn place(self, at: DateTime<Utc>, now: DateTime<Utc>) -> Option<usize> {
        let hours = Hour::of(at).0 - self.first(now).0;
        let place = usize::try_from(hours.div_euclid(self.step())).ok()?;
        Some(place.min(usize::try_from(self.length() - 1).ok()?))
    }
}

/// What happened in some time.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// Sessions opened, which is sign-ins that succeeded.
    pub created: u64,
    /// Sessions that ended, by the code of the reason.
    pub ended_by_reason: BTreeMap<String, u64>,
    /// How long these lasted, added up, in seconds.
    pub sum_secs: u64,
    /// How long the longest of them lasted, in seconds.
    pub longest_secs: u64,
    /// Sign-ins that were refused.
    pub sign_in_failed: u64,
    /// Access tokens checked, by all nodes.
    pub checks: u64,
    /// Reads of the database for these; all other checks were answered from memory.
    pub loads: u64,
}

impl Counts {
    /// Sessions that ended, for whatever reason.
    pub fn ended(&self) -> u64 {
        self.ended_by_reason.values().sum()
    }

    /// Sessions that ended because a refresh token of theirs was used twice.
    pub fn refresh_reuse(&self) -> u64 {
        let reason = EndReason::RefreshReuse.code();
        self.ended_by_reason.get(reason).copied().unwrap_or(0)
    }

    /// How long the ended sessions lasted on average, in seconds; none if none did.
    pub fn average_secs(&self) -> Option<u64> {
        self.sum_secs.checked_div(self.ended())
    }

    /// How long the longest of them lasted, in seconds; none if none ended.
    pub fn longest(&self) -> Option<u64> {
        (self.ended() > 0).then_some(self.longest_secs)
    }

    /// The part of all checks that needed no database, in hundredths of a percent and rounded down,
    /// so that 10,000 means all. None if nothing was checked.
    pub fn hit_rate(&self) -> Option<u64> {
        let answered = u128::from(self.checks.saturating_sub(self.loads));
        let part = (answered * 10_000).checked_div(u128::from(self.checks))?;
        u64::try_from(part).ok()
    }

    /// Adds what happened at another time.
    pub fn add(&mut self, other: &Self) {
        self.created += other.created;
        for (reason, count) in &other.ended_by_reason {
            *self.ended_by_reason.entry(reason.clone()).or_default() += count;
        }
        self.sum_secs += other.sum_secs;
        self.longest_secs = self.longest_secs.max(other.longest_secs);
        self.sign_in_failed += other.sign_in_failed;
        self.checks += other.checks;
        self.loads += other.loads;
    }
}

/// What happened between two instants.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Bucket {
    /// From here on.
    pub from: DateTime<Utc>,
    /// Up to here, without it; of the running bucket that is still to come.
    pub to: DateTime<Utc>,
    /// What happened.
    pub counts: Counts,
    /// Live sessions at its end, as last measured in it. None if nobody measured.
    pub live: Option<u64>,
    /// Most live sessions that were measured in it. None if nobody measured.
    pub peak: Option<u64>,
}

/// A number as of an instant.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Level {
    /// How many.
    pub count: u64,
    /// When they were counted: just now, unless there are too many to count them at each look.
    pub at: DateTime<Utc>,
}

/// How much there is now.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Levels {
    /// Users.
    pub users: Level,
    /// Of these, disabled.
    pub disabled_users: Level,
    /// Sessions that can be used.
    pub live_sessions: Level,
    /// Users with at least one of these.
    pub signed_in_users: Level,
}

/// The figures of one organisation, role or method.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Member {
    /// Its id (of an organisation) or code; empty for "none"; [`REST`] for what is not listed.
    pub member: String,
    /// In words for people: the name of an organisation, the code of a role or method.
    pub label: String,
    /// Live sessions now. Measured once an hour where there are too many to count at each look.
    pub live: u64,
    /// Sessions opened in the range.
    pub created: u64,
    /// Sessions ended in the range.
    pub ended: u64,
}

/// What is shown of an installation.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Figures {
    /// How far back.
    pub range: Range,
    /// How much there is now.
    pub now: Levels,
    /// Everything that happened before this instant is in the figures over time.
    pub as_of: DateTime<Utc>,
    /// What happened, from the oldest to the running bucket.
    pub buckets: Vec<Bucket>,
    /// What happened in all of them.
    pub totals: Counts,
    /// What happened in the last 24 hours, to the second.
    pub last_24h: Counts,
    /// The most live sessions measured in the range, and when.
    pub peak: Option<Level>,
    /// The organisations with most sessions. A session is in the one it was opened in.
    pub by_organization: Vec<Member>,
    /// The roles with most sessions. A session is in each that its user has when it is counted.
    pub by_role: Vec<Member>,
    /// The methods of proof, as sessions have them stored (RFC 8176).
    pub by_method: Vec<Member>,
}

#[cfg(test)]
mod tests;
