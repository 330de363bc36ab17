//! Instants in fewer bytes than chrono's, for what is held in memory a million times over.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, TimeDelta, Utc};

/// An instant to the microsecond, which is what the databases keep.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Moment(i64);

impl Moment {
    /// The instant.
    pub fn at(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or_default()
    }
}

impl From<DateTime<Utc>> for Moment {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at.timestamp_micros())
    }
}

/// An instant in whole seconds, from 1970 to 2106; what lies outside counts as the nearer edge.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Second(u32);

impl Second {
    /// The instant.
    pub fn at(self) -> DateTime<Utc> {
        DateTime::from_timestamp(self.0.into(), 0).unwrap_or_default()
    }
}

impl From<DateTime<Utc>> for Second {
    /// Fractions are cut off.
    fn from(at: DateTime<Utc>) -> Self {
        let nearest = at.timestamp().clamp(0, u32::MAX.into());
        Self(u32::try_from(nearest).unwrap_or(u32::MAX))
    }
}

/// When something was last used, which is noted in place.
#[derive(Debug)]
pub struct LastUse(AtomicI64);

impl LastUse {
    /// The instant.
    pub fn at(&self) -> DateTime<Utc> {
        Moment(self.0.load(Ordering::Relaxed)).at()
    }

    /// Notes a use. True if the previous one lies at least `step` back, so that it is worth
    /// writing down.
    pub fn note(&self, now: DateTime<Utc>, step: TimeDelta) -> bool {
        let micros = now.timestamp_micros();
        let before = self.0.load(Ordering::Relaxed);
        // Most uses come soon after another: they cost one read of this word.
        if micros.saturating_sub(before) < step.num_microseconds().unwrap_or(i64::MAX) {
            return false;
        }
        self.0
            .compare_exchange(before, micros, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }
}

impl From<DateTime<Utc>> for LastUse {
    fn from(at: DateTime<Utc>) -> Self {
        Self(AtomicI64::new(at.timestamp_micros()))
    }
}

impl Clone for LastUse {
    fn clone(&self) -> Self {
        Self::from(self.at())
    }
}

impl Eq for LastUse {}

impl PartialEq for LastUse {
    fn eq(&self, other: &Self) -> bool {
        self.at() == other.at()
    }
}

#[cfg(test)]
mod tests {
    use chrono::DateTime;

    use super::{Moment, Second};

    #[test]
    fn instants_come_back_as_they_were_put_in() {
        for micros in [-1, 0, 1, 1_800_000_000_123_456] {
            let at = DateTime::from_timestamp_micros(micros).unwrap_or_default();
            assert_eq!(Moment::from(at).at(), at);
        }
        let second = |seconds, nanos| {
            let at = DateTime::from_timestamp(seconds, nanos).unwrap_or_default();
            Second::from(at).at().timestamp()
        };
        assert_eq!(second(0, 0), 0);
        assert_eq!(second(1_800_000_000, 999_999_999), 1_800_000_000);
        assert_eq!(second(4_294_967_295, 0), 4_294_967_295);
        assert_eq!(second(4_294_967_296, 0), 4_294_967_295);
        assert_eq!(second(-1, 0), 0);
    }
}
