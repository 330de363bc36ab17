//! What a presented refresh token means (RFC 9700 §4.14.2, ASVS 10.4.5).
//!
//! A refresh token is used once, and its successor is always the same. It may be presented again by
//! somebody honest for two reasons only: the answer with its successor got lost, or two tabs
//! presented it at nearly the same moment. Everybody else who presents it again has a copy.

use chrono::{DateTime, TimeDelta, Utc};

/// How long after its successor was handed out a refresh token still gets it, although somebody has
/// it already: time for another tab whose request was on its way.
pub const GRACE: TimeDelta = TimeDelta::seconds(30);

/// What is known of the token that took the place of a presented one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Successor {
    /// When it was last handed out while nobody was known to have it.
    pub given_at: DateTime<Utc>,
    /// Has an access token been seen that was handed out together with it? Then whoever sent that
    /// has it.
    pub arrived: bool,
    /// Has it been rotated itself? Then whoever presented it had it.
    pub rotated: bool,
}

/// What to do with a refresh token that is known.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Presented {
    /// First use: rotate it.
    Rotate,
    /// Nobody has the successor, so the answer got lost: hand out the same successor again, however
    /// long that may have been. The grace of other tabs begins anew.
    AnswerLost,
    /// Somebody has the successor since a moment: another tab gets the same.
    OtherTab,
    /// Used again although the successor is in use, as by a thief: the session must end.
    Reused,
}

/// Judges a token by its `successor`, of which there is none before the token was rotated.
pub fn judge(successor: Option<Successor>, now: DateTime<Utc>) -> Presented {
    match successor {
        None => Presented::Rotate,
        Some(successor) if successor.rotated => Presented::Reused,
        Some(successor) if !successor.arrived => Presented::AnswerLost,
        Some(successor) if now < successor.given_at + GRACE => Presented::OtherTab,
        Some(_) => Presented::Reused,
    }
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, TimeDelta, Utc};

    use super::{Presented, Successor, judge};

    const T0: DateTime<Utc> = DateTime::from_timestamp(1_800_000_000, 0).unwrap();
    const HOUR: i64 = 3600;
    const YEAR: i64 = 365 * 24 * HOUR;

    #[test]
    fn every_case_at_every_edge() {
        use Presented::{AnswerLost, OtherTab, Reused};
        // Has its access token been seen? Has it been rotated itself?
        let cases = [
            (
                false,
                false,
                [AnswerLost, AnswerLost, AnswerLost, AnswerLost],
            ),
            (true, false, [OtherTab, OtherTab, Reused, Reused]),
            (false, true, [Reused; 4]),
            (true, true, [Reused; 4]),
        ];
        for (arrived, rotated, expected) in cases {
            let successor = Successor {
                given_at: T0,
                arrived,
                rotated,
            };
            let [at_once, before, after, much_later] = expected;
            for (seconds, expected) in [
                // The clock of another node may be behind.
                (-1, at_once),
                (0, at_once),
                (1, at_once),
                (29, before),
                (30, after),
                (31, after),
                (HOUR, much_later),
                (YEAR, much_later),
            ] {
                let now = T0 + TimeDelta::seconds(seconds);
                let name = format!("{successor:?} after {seconds} s");
                assert_eq!(judge(Some(successor), now), expected, "{name}");
            }
            let last = T0 + TimeDelta::seconds(30) - TimeDelta::microseconds(1);
            assert_eq!(judge(Some(successor), last), before, "{successor:?}");
        }
        for seconds in [0, HOUR, YEAR] {
            let now = T0 + TimeDelta::seconds(seconds);
            assert_eq!(judge(None, now), Presented::Rotate);
        }
    }
}
