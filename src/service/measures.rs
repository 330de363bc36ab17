//! What this process measures of itself while it runs.
//!
//! Knows no page and no format: whoever shows the figures reads them here.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::histogram::Histogram;

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

    use super::{Measures, Visible};

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
