//! What this process measures of itself while it runs.
//!
//! Knows no page and no format: whoever shows the figures reads them here.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;

use crate::rules::figures::Hour;

/// Bounds of the histogram's buckets, in seconds: fine where push works, coarse beyond the default
/// bound.
const BUCKETS: [f64; 14] = [
    0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 2.0, 5.0,
];

/// Changes that the quantiles shown to people are taken from.
const RECENT: usize = 1_000;

/// On a cache line of its own: every worker counts here at every check.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Counter(AtomicU64);

/// What is measured.
#[derive(Debug)]
pub struct Measures {
    checks: Counter,
    visible: Histogram,
    recent: Mutex<VecDeque<Duration>>,
    hours: Mutex<HourBook>,
}

/// Checks and reads of the database for them.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Checked {
    /// Checks of access tokens.
    pub checks: u64,
    /// Reads of the database.
    pub loads: u64,
}

impl Checked {
    fn since(self, before: Self) -> Self {
        Self {
            checks: self.checks.saturating_sub(before.checks),
            loads: self.loads.saturating_sub(before.loads),
        }
    }
}

/// Which hour is counted, what had been counted when it began, and when it was last written; and
/// hours that are over and not known to be written.
#[derive(Debug, Default)]
struct HourBook {
    hour: Option<Hour>,
    before: Checked,
    written: Checked,
    over: Vec<(Hour, Checked)>,
}

/// What is to be written of some hours.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Unwritten {
    /// What was counted in each.
    pub(super) hours: Vec<(Hour, Checked)>,
    /// What had been counted in all when it was asked what to write.
    through: Checked,
}

/// How long changes took to be seen, of the last ones.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Visible {
    /// Half of them took no longer.
    pub median: Duration,
    /// 99 of 100 took no longer.
    pub p99: Duration,
    /// None took longer.
    pub longest: Duration,
}

impl Default for Measures {
    fn default() -> Self {
        Self {
            checks: Counter::default(),
            visible: Histogram::new(BUCKETS),
            recent: Mutex::default(),
            hours: Mutex::default(),
        }
    }
}

impl Measures {
    /// Counts a check of an access token.
    pub(super) fn count_check(&self) {
        self.checks.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Checks of access tokens since the start.
    pub fn checks(&self) -> u64 {
        self.checks.0.load(Ordering::Relaxed)
    }

    /// What was counted in this hour so far, and in those before that are not [`Self::wrote`] yet: to
    /// be written. What happened between two calls belongs to the earlier hour.
    pub(super) fn in_hours(&self, hour: Hour, loads: u64) -> Unwritten {
        let now = self.checked(loads);
        let mut book = self.hours.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = book.hour.replace(hour)
            && before != hour
        {
            let counted = now.since(book.before);
            book.over.push((before, counted));
            book.before = now;
        }
        let mut hours = book.over.clone();
        hours.push((hour, now.since(book.before)));
        Unwritten {
            hours,
            through: now,
        }
    }

    /// This was written: of hours that are over nothing needs to be written again.
    pub(super) fn wrote(&self, written: &Unwritten) {
        let mut book = self.hours.lock().unwrap_or_else(PoisonError::into_inner);
        book.over.retain(|over| !written.hours.contains(over));
        book.written = written.through;
    }

    /// What was counted since what was last written.
    pub(super) fn unwritten(&self, loads: u64) -> Checked {
        let book = self.hours.lock().unwrap_or_else(PoisonError::into_inner);
        self.checked(loads).since(book.written)
    }

    fn checked(&self, loads: u64) -> Checked {
        Checked {
            checks: self.checks(),
            loads,
        }
    }

    /// A change counts here this long after it was written in the database.
    pub(super) fn seen(&self, after: Duration) {
        self.visible.observe(after.as_secs_f64());
        let mut recent = self.recent();
        if recent.len() == RECENT {
            recent.pop_front();
        }
        recent.push_back(after);
    }

    /// From the writing of a change to its counting here, in seconds.
    pub fn visible_seconds(&self) -> Histogram {
        self.visible.clone()
    }

    /// The same of the last thousand changes; none if there were none.
    pub fn visible(&self) -> Option<Visible> {
        let mut recent: Vec<Duration> = self.recent().iter().copied().collect();
        recent.sort_unstable();
        let at = |hundredths: usize| {
            let place = (recent.len() * hundredths).div_ceil(100).max(1) - 1;
            recent.get(place).copied()
        };
        Some(Visible {
            median: at(50)?,
            p99: at(99)?,
            longest: at(100)?,
        })
    }

    fn recent(&self) -> MutexGuard<'_, VecDeque<Duration>> {
        self.recent.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Checked, Measures, Visible};
    use crate::rules::figures::Hour;

    #[test]
    fn each_check_belongs_to_one_hour() {
        let measures = Measures::default();
        let checked = |checks, loads| Checked { checks, loads };
        let check = |times: u64| (0..times).for_each(|_| measures.count_check());
        check(3);
        assert_eq!(measures.unwritten(1), checked(3, 1));
        let write = |hour, loads| {
            let unwritten = measures.in_hours(Hour(hour), loads);
            measures.wrote(&unwritten);
            unwritten.hours
        };
        assert_eq!(write(7, 1), [(Hour(7), checked(3, 1))]);
        assert_eq!(measures.unwritten(1), Checked::default());
        check(2);
        assert_eq!(write(7, 1), [(Hour(7), checked(5, 1))]);
        check(4);
        let hours = [(Hour(7), checked(9, 3)), (Hour(8), Checked::default())];
        assert_eq!(write(8, 3), hours);
        check(1);
        assert_eq!(measures.unwritten(3), checked(1, 0));
        assert_eq!(write(8, 3), [(Hour(8), checked(1, 0))]);
        // What could not be written is so later, however many hours later.
        check(2);
        measures.in_hours(Hour(9), 4);
        check(5);
        measures.in_hours(Hour(10), 4);
        assert_eq!(measures.unwritten(4), checked(7, 1));
        let hours = [
            (Hour(8), checked(3, 1)),
            (Hour(9), checked(5, 0)),
            (Hour(10), Checked::default()),
        ];
        assert_eq!(write(10, 4), hours);
        assert_eq!(write(10, 4), [(Hour(10), Checked::default())]);
        assert_eq!(measures.unwritten(4), Checked::default());
    }

    #[test]
    fn quantiles_are_those_of_the_last_thousand() {
        let measures = Measures::default();
        assert_eq!(measures.visible(), None);
        let millis = Duration::from_millis;
        measures.seen(millis(7));
        let one = Visible {
            median: millis(7),
            p99: millis(7),
            longest: millis(7),
        };
        assert_eq!(measures.visible(), Some(one));
        for number in 1..=1_000 {
            measures.seen(millis(number));
        }
        let thousand = Visible {
            median: millis(500),
            p99: millis(990),
            longest: millis(1_000),
        };
        assert_eq!(measures.visible(), Some(thousand));
    }
}
