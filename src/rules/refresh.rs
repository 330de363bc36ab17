//! What a presented refresh token means.

use chrono::{DateTime, TimeDelta, Utc};

/// How long after its rotation a refresh token still gets the same successor, so that two tabs or
/// a lost answer sign nobody out.
pub const GRACE: TimeDelta = TimeDelta::seconds(30);

/// What to do with a refresh token that is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Presented {
    /// First use: rotate it.
    Rotate,
    /// Another tab, or an answer that was lost: hand out the same successor again.
    SameSuccessor,
    /// Used again too late, as by a thief: the session must end (RFC 9700 §4.14.2).
    Reused,
}

/// Judges a token that was rotated at `consumed_at`, if it was; `successor_consumed` tells whether
/// the token that replaced it has itself been rotated since.
pub fn judge(
    consumed_at: Option<DateTime<Utc>>,
    successor_consumed: bool,
    now: DateTime<Utc>,
) -> Presented {
    match consumed_at {
        None => Presented::Rotate,
        Some(at) if now < at + GRACE && !successor_consumed => Presented::SameSuccessor,
        Some(_) => Presented::Reused,
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::{Presented, judge};

    #[test]
    fn a_rotated_token_answers_for_thirty_seconds_and_only_while_its_successor_is_unused() {
        const T0: DateTime<Utc> = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
        let cases = [
            (None, false, 0, Presented::Rotate),
            (Some(T0), false, 0, Presented::SameSuccessor),
            (Some(T0), false, 29, Presented::SameSuccessor),
            (Some(T0), false, 30, Presented::Reused),
            (Some(T0), false, 31, Presented::Reused),
            (Some(T0), true, 1, Presented::Reused),
        ];
        for (consumed_at, successor_consumed, seconds, expected) in cases {
            let now = T0 + TimeDelta::seconds(seconds);
            assert_eq!(judge(consumed_at, successor_consumed, now), expected);
        }
    }
}
