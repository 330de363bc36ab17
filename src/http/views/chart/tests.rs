//! Numbers and the places they come to.

use chrono::{DateTime, TimeDelta, Utc};

use super::*;

fn written(shares: impl IntoIterator<Item = Share>) -> Vec<String> {
    shares.into_iter().map(|share| share.to_string()).collect()
}

fn labels(scale: &Scale) -> Vec<(String, String)> {
    let lines = scale.lines().into_iter();
    lines.map(|line| (line.y.to_string(), line.label)).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(y, label): &(&str, &str)| ((*y).to_owned(), (*label).to_owned());
    expected.iter().map(owned).collect()
}

#[test]
fn shares_are_written_with_two_decimals_at_most() {
    for (part, whole, text) in [
        (0, 0, "0"),
        (7, 0, "0"),
        (0, 7, "0"),
        (1, 3, "33.33"),
        (2, 3, "66.67"),
        (1, 2, "50"),
        (1, 8, "12.5"),
        (1, 1_000, "0.1"),
        (1, 10_000, "0.01"),
        (1, 30_000, "0"),
        (9, 7, "100"),
        (u64::MAX, u64::MAX, "100"),
        (u64::MAX / 2, u64::MAX, "50"),
        (u64::MAX, 1, "100"),
    ] {
        assert_eq!(Share::of(part, whole).to_string(), text, "{part}/{whole}");
        let share = serde_json::to_value(Share::of(part, whole)).ok();
        assert_eq!(share, Some(text.into()), "without a sign");
    }
}

#[test]
fn scales_end_at_the_first_round_number_that_is_enough() {
    for (greatest, top) in [
        (0, "1"),
        (1, "1"),
        (4, "4"),
        (5, "5"),
        (8, "8"),
        (9, "10"),
        (20, "20"),
        (21, "25"),
        (6, "6"),
        (41, "50"),
        (99, "100"),
        (401, "500"),
        (999, "1,000"),
        (2_051, "2,500"),
        (9_999, "10k"),
        (10_001, "15k"),
        (1_200_000, "1.5M"),
        (48_300_000, "50M"),
        (7_900_000_000, "8bn"),
    ] {
        let lines = Scale::new(greatest, 0).lines();
        assert_eq!(lines[0].label, top, "{greatest}");
        assert!((2..=6).contains(&lines.len()), "{greatest}: {lines:?}");
        assert_eq!(lines[lines.len() - 1].label, "0", "{greatest}");
    }
}

/// Whatever the numbers, the drawing ends within it, its steps are 1, 2 or 5, and it is not half empty.
#[test]
fn every_scale_is_round_and_holds_its_values() {
    let mut numbers: Vec<u64> = (0..=300).collect();
    numbers.extend((0..64).flat_map(|bit| [1 << bit, (1 << bit) - 1]));
    numbers.push(u64::MAX);
    for up in &numbers {
        for down in [0, 1, 7, *up, u64::MAX] {
            let scale = Scale::new(*up, down);
            let leading = scale.step.to_string();
            let (digit, zeros) = leading.split_at(1);
            assert!(["1", "2", "5"].contains(&digit), "{up} {down}: {leading}");
            assert!(zeros.bytes().all(|zero| zero == b'0'), "{leading}");
            assert!(scale.step * scale.above >= u128::from(*up), "{up} {down}");
            assert!(scale.step * scale.below >= u128::from(down), "{up} {down}");
            let greatest = u128::from((*up).max(down));
            assert!(
                scale.step * scale.above.max(scale.below) < 2 * greatest.max(1),
                "{up} {down}"
            );
            assert!(scale.lines().len() <= 8, "{up} {down}");
        }
    }
}

#[test]
fn lines_lie_from_the_top_with_their_numbers() {
    let expected = pairs(&[("0", "1"), ("100", "0")]);
    assert_eq!(labels(&Scale::new(0, 0)), expected, "nothing at all");
    let expected = pairs(&[
        ("0", "40"),
        ("25", "30"),
        ("50", "20"),
        ("75", "10"),
        ("100", "0"),
    ]);
    assert_eq!(labels(&Scale::new(40, 0)), expected);
    let expected = pairs(&[("0", "100"), ("33.33", "50"), ("66.67", "0"), ("100", "50")]);
    assert_eq!(labels(&Scale::new(90, 30)), expected, "both ways");
    let expected = pairs(&[("0", "0"), ("33.33", "20"), ("66.67", "40"), ("100", "60")]);
    assert_eq!(
        labels(&Scale::new(0, 40)),
        expected,
        "only downwards, with room for a number"
    );
    let expected = pairs(&[
        ("0", "1.5M"),
        ("33.33", "1M"),
        ("66.67", "0.5M"),
        ("100", "0"),
    ]);
    assert_eq!(labels(&Scale::new(1_100_000, 0)), expected);
}

#[test]
fn steps_leave_gaps_where_nothing_is_known() {
    let scale = Scale::new(4, 0);
    let drawn = |values: &[Option<u64>]| -> Vec<(String, String)> {
        let runs = steps(values, &scale).into_iter();
        runs.map(|run| (run.line, run.area)).collect()
    };
    assert_eq!(drawn(&[]), []);
    assert_eq!(drawn(&[None, None]), []);
    assert_eq!(
        drawn(&[Some(1)]),
        pairs(&[("0,75 100,75", "0,75 100,75 100,100 0,100")]),
        "one value is a plateau, not a point"
    );
    assert_eq!(
        drawn(&[None, Some(0), Some(4), None, Some(2)]),
        pairs(&[
            (
                "20,100 40,100 40,0 60,0",
                "20,100 40,100 40,0 60,0 60,100 20,100"
            ),
            ("80,50 100,50", "80,50 100,50 100,100 80,100"),
        ])
    );
}

#[test]
fn columns_tile_and_their_bars_stand_and_hang_on_the_zero_line() {
    let scale = Scale::new(20, 10);
    let words = String::new;
    for count in [1, 7, 24, 30, 168] {
        let columns: Vec<Column> = (0..count)
            .map(|number| column((number, count), (20, 10), &scale, words()))
            .collect();
        let mut edge = Share::NONE;
        for column in &columns {
            assert_eq!(column.x, edge, "{count}");
            edge = edge.plus(column.width);
            let (Some(up), Some(down)) = (&column.up, &column.down) else {
                unreachable!("both have a value");
            };
            assert!(up.x > column.x && up.x.plus(up.width) < edge, "{count}");
            assert_eq!(up.y.plus(up.height), scale.zero());
            assert_eq!(down.y, scale.zero());
            assert_eq!(written([up.y, up.height, down.height]), ["0", "50", "25"]);
        }
        assert_eq!(edge, Share::ALL, "{count}");
    }
    let none = column((0, 1), (0, 0), &scale, words());
    assert!(none.up.is_none() && none.down.is_none(), "zero has no bar");
    let huge = Scale::new(u64::MAX, u64::MAX);
    let least = column((0, 1), (1, 1), &huge, words());
    let heights = [least.up, least.down].map(|bar| bar.map(|bar| bar.height.to_string()));
    assert_eq!(heights, [Some("1".into()), Some("1".into())], "one is seen");
}

#[test]
fn marks_stay_within_the_drawing() {
    let scale = Scale::new(40, 0);
    for (number, anchor) in [
        (0, Anchor::Start),
        (4, Anchor::Start),
        (5, Anchor::Middle),
        (18, Anchor::Middle),
        (19, Anchor::End),
        (23, Anchor::End),
    ] {
        let text = "2,090 at 10:00".to_owned();
        let mark = mark((number, 24), 30, false, &scale, text);
        assert_eq!(mark.anchor, anchor, "{number}");
        assert_eq!(mark.y.to_string(), "25");
    }
    let short = mark((1, 24), 30, false, &scale, "30".to_owned());
    assert_eq!(short.anchor, Anchor::Middle, "a short one needs less room");
    let below = mark((0, 1), 10, true, &Scale::new(10, 10), String::new());
    assert_eq!(written([below.x, below.y]), ["50", "80"]);
}

#[test]
fn the_greatest_is_the_earliest_of_equals_and_never_zero() {
    assert_eq!(greatest(&[]), None);
    assert_eq!(greatest(&[None, Some(0), Some(0)]), None);
    assert_eq!(
        greatest(&[None, Some(3), Some(9), None, Some(9)]),
        Some((2, 9))
    );
}

/// 25 Nov 2026 was a Wednesday.
fn at(hour: i64) -> DateTime<Utc> {
    let midnight = DateTime::UNIX_EPOCH + TimeDelta::seconds(1_795_564_800);
    midnight + TimeDelta::hours(hour)
}

fn times(first: i64, hours: i64, count: usize, ticks: Ticks) -> Vec<(String, String, bool)> {
    let labels = time_labels(at(first), TimeDelta::hours(hours), count, ticks);
    labels
        .into_iter()
        .map(|label| (label.x.to_string(), label.text, label.fine))
        .collect()
}

#[test]
fn times_are_labelled_where_people_count_them() {
    let expected = |rows: &[(&str, &str, bool)]| -> Vec<(String, String, bool)> {
        let rows = rows.iter();
        rows.map(|(x, text, fine)| ((*x).to_owned(), (*text).to_owned(), *fine))
            .collect()
    };
    assert_eq!(
        times(-9, 1, 24, Ticks::Hours),
        expected(&[
            ("0", "15:00", true),
            ("12.5", "18:00", false),
            ("25", "21:00", true),
            ("37.5", "25 Nov", false),
            ("50", "03:00", true),
            ("62.5", "06:00", false),
            ("75", "09:00", true),
            ("87.5", "12:00", false),
        ])
    );
    let days = times(-24 * 7, 6, 28, Ticks::Days);
    assert_eq!(days.len(), 7);
    assert_eq!(days[0].1, "Wed 18");
    assert_eq!(days.iter().filter(|(_, _, fine)| *fine).count(), 3);
    let weeks = times(-24 * 29, 24, 30, Ticks::Weeks);
    let weeks: Vec<&str> = weeks.iter().map(|(_, text, _)| text.as_str()).collect();
    assert_eq!(weeks, ["2 Nov", "9 Nov", "16 Nov", "23 Nov"]);
    assert_eq!(times(0, 1, 0, Ticks::Hours), []);
    let end = time_labels(DateTime::<Utc>::MAX_UTC, TimeDelta::days(1), 3, Ticks::Days);
    assert!(end.len() < 3, "the calendar's end is no end of the server");
}
