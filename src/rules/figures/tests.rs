//! Which hours are counted when, and what they add up to.

use chrono::{DateTime, TimeDelta, Utc};

use super::{CAUGHT_UP, Counts, Hour, OPEN_FOR, REST, Range, Tally, counted_through, due, largest};

/// So many seconds after the beginning of an hour.
const BASE: Hour = Hour(500_000);

fn at(hours: i64, seconds: i64) -> DateTime<Utc> {
    Hour(BASE.0 + hours).start() + TimeDelta::seconds(seconds)
}

fn hour(hours: i64) -> Hour {
    Hour(BASE.0 + hours)
}

#[test]
fn an_hour_ends_where_the_next_begins() {
    for seconds in [0, 1, 3_599] {
        assert_eq!(Hour::of(at(0, seconds)), BASE);
    }
    assert_eq!(Hour::of(at(0, 3_600)), hour(1));
    assert_eq!(Hour::of(at(0, -1)), hour(-1));
    assert_eq!(Hour::of(at(0, 0) - TimeDelta::microseconds(1)), hour(-1));
    assert_eq!(BASE.end(), hour(1).start());
    // Before 1970 too.
    assert_eq!(
        Hour::of(DateTime::UNIX_EPOCH - TimeDelta::seconds(1)),
        Hour(-1)
    );
}

#[test]
fn an_hour_is_open_until_ten_minutes_after_its_end() {
    let open = OPEN_FOR.num_seconds();
    for (seconds, settled) in [(3_600 + open - 1, false), (3_600 + open, true)] {
        assert_eq!(BASE.is_settled_at(at(0, seconds)), settled);
        let due = due(Some(hour(-1)), &[], hour(-9), at(0, seconds));
        assert_eq!(due, [BASE, hour(1)], "counted once more when it is over");
    }
    // Settled, it is counted no more.
    assert_eq!(due(Some(BASE), &[], hour(-9), at(1, 1_200)), [hour(1)]);
    assert_eq!(due(Some(BASE), &[], hour(-9), at(1, 60)), [hour(1)]);
}

#[test]
fn what_was_missed_is_counted_the_oldest_first_and_not_all_at_once() {
    let now = at(100, 1_800);
    let missed = due(Some(hour(0)), &[], hour(-9), now);
    assert_eq!(missed.len(), CAUGHT_UP + 1);
    assert_eq!(missed.first(), Some(&hour(1)));
    assert_eq!(missed.last(), Some(&hour(100)));
    assert!(missed.is_sorted());
    // Soon after the hour, two are open.
    let missed = due(Some(hour(0)), &[], hour(-9), at(100, 599));
    assert_eq!(
        missed.get(CAUGHT_UP..),
        Some([hour(99), hour(100)].as_slice())
    );
    // A new installation begins with its first hour, an old one with what is kept.
    assert_eq!(due(None, &[], hour(99), now), [hour(99), hour(100)]);
    assert_eq!(due(Some(hour(0)), &[], hour(100), now), [hour(100)]);
    // A clock that was put back counts the running hour, whatever was counted before.
    assert_eq!(due(Some(hour(200)), &[], hour(0), now), [hour(100)]);
    // Of what lies beyond a gap, nothing is counted again.
    let beyond = [hour(97), hour(99)];
    assert_eq!(
        due(Some(hour(95)), &beyond, hour(0), now),
        [hour(96), hour(98), hour(100)]
    );
    let beyond: Vec<Hour> = (2..99).map(hour).collect();
    assert_eq!(
        due(Some(hour(0)), &beyond, hour(0), now),
        [hour(1), hour(99), hour(100)]
    );
}

#[test]
fn what_is_laid_counts_as_far_as_it_is_without_gaps() {
    let through =
        |stored: &[(Hour, DateTime<Utc>)]| counted_through(Some(hour(0)), hour(-9), stored);
    assert_eq!(through(&[]), at(1, 0));
    assert_eq!(through(&[(hour(1), at(1, 70))]), at(1, 70));
    // Counted when it was over, with some time to spare, and not yet the last time.
    assert_eq!(through(&[(hour(1), at(2, 30))]), at(2, 0));
    let two = [(hour(1), at(2, 30)), (hour(2), at(2, 30))];
    assert_eq!(through(&two), at(2, 30));
    // Somebody stopped counting in the middle: what comes later is not believed.
    let broken = [(hour(1), at(1, 70)), (hour(2), at(2, 30))];
    assert_eq!(through(&broken), at(1, 70));
    assert_eq!(through(&[(hour(2), at(2, 30))]), at(1, 0));
    assert_eq!(counted_through(None, hour(-9), &[]), at(-9, 0));
}

#[test]
fn each_instant_of_a_range_lies_in_one_bucket() {
    for range in Range::ALL {
        let now = at(7, 1_234);
        let buckets = range.buckets(now);
        assert_eq!(buckets.len(), usize::try_from(range.length()).unwrap_or(0));
        assert!(buckets.windows(2).all(|two| match two {
            [one, other] => one.to == other.from,
            _ => false,
        }));
        for (place, bucket) in buckets.iter().enumerate() {
            assert_eq!(range.place(bucket.from, now), Some(place));
            let last = bucket.to - TimeDelta::microseconds(1);
            assert_eq!(range.place(last, now), Some(place));
            assert_eq!(bucket.from.timestamp() % (range.step() * 3_600), 0);
        }
        let [first, .., last] = buckets.as_slice() else {
            continue;
        };
        assert!(last.from <= now && now < last.to);
        assert_eq!(
            range.place(first.from - TimeDelta::microseconds(1), now),
            None
        );
        let ahead = now + TimeDelta::days(2);
        assert_eq!(range.place(ahead, now), Some(buckets.len() - 1));
        assert_eq!(Range::from_code(range.code()), Some(range));
    }
    assert_eq!(Range::from_code("year"), None);
}

#[test]
fn all_from_memory_is_all() {
    let counts = |checks, loads| Counts {
        checks,
        loads,
        ..Counts::default()
    };
    for (checks, loads, rate) in [
        (0, 0, None),
        (1, 0, Some(10_000)),
        (100_000, 1, Some(9_999)),
        (3, 1, Some(6_666)),
        (1, 2, Some(0)),
        (u64::MAX, 0, Some(10_000)),
    ] {
        assert_eq!(counts(checks, loads).hit_rate(), rate, "{checks} {loads}");
    }
    let none = Counts::default();
    assert_eq!((none.average_secs(), none.longest()), (None, None));
}

#[test]
fn the_largest_have_rows_of_their_own_and_nothing_is_lost() {
    let members: Vec<_> = (0..9_u64)
        .map(|number| (format!("{number}"), Tally::of(number / 2)))
        .collect();
    let kept = largest(members.clone(), 3);
    let names: Vec<&str> = kept.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["8", "6", "7", REST]);
    let sum = |of: &[(String, Tally)]| of.iter().map(|(_, tally)| tally.count).sum::<u64>();
    assert_eq!(sum(&kept), sum(&members));
    assert_eq!(largest(members, 9).len(), 9);
}
