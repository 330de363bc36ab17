//! Made-up overviews: a working day, a month, a first hour, and numbers without an end.

use chrono::{DateTime, TimeDelta, Utc};

use super::{
    AdminOverviewPage, AsOf, Group, GroupRow, Lasted, NodeFigures, Peak, RangeLink, ReasonCount,
    VisibleFigures,
};
use crate::http::views::audit::AuditRow;
use crate::http::views::over_time::{OverTime, Slot};
use crate::http::views::{Section, samples};

/// How busy a working day's hours are (UTC), of a hundred.
const DAY: [u64; 24] = [
    11, 9, 8, 8, 9, 13, 26, 52, 81, 97, 100, 95, 78, 84, 96, 93, 82, 63, 45, 36, 30, 25, 19, 14,
];

/// A name that no layout likes.
const LONG: &str =
    "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogoch Cooperative & Sons <Wales>";

/// What is made up of a range.
struct Made {
    hours: i64,
    slots: i64,
    code: &'static str,
    words: &'static str,
    /// All numbers are multiplied by this.
    size: u64,
}

const MADE: [Made; 3] = [
    Made {
        hours: 1,
        slots: 24,
        code: "day",
        words: "24 hours",
        size: 16,
    },
    Made {
        hours: 6,
        slots: 28,
        code: "week",
        words: "7 days",
        size: 90,
    },
    Made {
        hours: 24,
        slots: 30,
        code: "month",
        words: "30 days",
        size: 360,
    },
];

pub(super) fn all() -> Vec<AdminOverviewPage> {
    let [day, week, month] = MADE;
    let huge = Made {
        size: 480_000,
        ..MADE[0]
    };
    vec![
        sample(&day),
        sample(&week),
        sample(&month),
        empty(),
        AdminOverviewPage {
            groups: groups(480_000, 48, true),
            users: 61_204_551,
            signed_in_users: 40_118_003,
            refresh_reuse: 1,
            live_counted: Some("20 minutes ago".to_owned()),
            ..sample(&huge)
        },
    ]
}

/// Of the samples' now, the beginning of the running span.
fn running(hours: i64) -> DateTime<Utc> {
    let now = 1_795_248_900;
    DateTime::UNIX_EPOCH + TimeDelta::seconds(now - now % (hours * 3_600))
}

/// Busy by day and less so at weekends. In one of the longer spans no server ran.
fn over_time(made: &Made) -> OverTime {
    let slots = (0..made.slots).map(|number| {
        let from = running(made.hours) - TimeDelta::hours(made.hours * (made.slots - 1 - number));
        let hour = usize::try_from(from.timestamp() / 3_600 % 24).unwrap_or(0);
        let weekday = (from.timestamp() / 86_400 + 3).rem_euclid(7);
        let rest = if weekday >= 5 { 3 } else { 1 };
        let busy = DAY
            .iter()
            .cycle()
            .skip(hour)
            .take(usize::try_from(made.hours).unwrap_or(1))
            .fold(0, |most, busy| *busy.max(&most));
        let uneven = u64::try_from(number * number * 7 % 13).unwrap_or(0);
        let of = |part: u64| (busy * part + uneven * 9) * made.size / (100 * rest);
        let ran = made.hours == 1 || number != made.slots / 5;
        Slot {
            from,
            most: ran.then(|| of(130)),
            live: ran.then(|| of(121)),
            started: if ran { of(7) } else { 0 },
            ended: if ran { of(5) + of(1) } else { 0 },
            refused: if uneven > 8 { of(1) / 2 } else { 0 },
        }
    });
    OverTime {
        range: made.words.to_owned(),
        hours: made.hours,
        slots: slots.collect(),
    }
}

fn sample(made: &Made) -> AdminOverviewPage {
    let over_time = over_time(made);
    let sum = |value: fn(&Slot) -> u64| over_time.slots.iter().map(value).sum::<u64>();
    let now = over_time.slots.last().and_then(|slot| slot.live);
    let now = now.unwrap_or(0);
    let peak = over_time
        .slots
        .iter()
        .max_by_key(|slot| slot.most)
        .and_then(|slot| {
            Some((
                slot.most?,
                slot.from + TimeDelta::hours(made.hours * 5 / 12),
            ))
        });
    let ended = sum(|slot| slot.ended);
    let reason = |reason: &str, part: u64| (reason.to_owned(), ended * part / 1_000);
    AdminOverviewPage {
        shell: samples::admin("Overview", Section::AdminOverview),
        ranges: ranges(made.code),
        range: made.words.to_owned(),
        as_of: AsOf {
            iso: "2026-11-21T08:14:40Z".to_owned(),
            clock: "08:14 UTC".to_owned(),
            ago: "20 seconds ago".to_owned(),
        },
        live_sessions: now,
        live_counted: None,
        signed_in_users: now * 4 / 7,
        users: 1_284,
        disabled_users: 12,
        peak: peak.map(|(count, at)| Peak {
            count,
            at: at.format("%-d %b, %H:%M UTC").to_string(),
        }),
        sign_ins: sum(|slot| slot.started),
        failed_sign_ins: sum(|slot| slot.refused),
        lasted: Some(Lasted {
            average: "2 h 14 min".to_owned(),
            longest: "29 d 23 h".to_owned(),
        }),
        refresh_reuse: 3,
        cache_hits: "99.98 %".to_owned(),
        checks: 1_204_551 * made.size,
        live: over_time.live(now, peak),
        flow: over_time.flow(),
        refused: over_time.refused(),
        ended: ReasonCount::rows(vec![
            reason("signed out", 471),
            reason("idle", 402),
            reason("signed in again", 61),
            reason("absolute lifetime", 40),
            reason("ended by user", 14),
            reason("password changed", 6),
            ("ended by admin".to_owned(), 4),
            ("refresh reuse".to_owned(), 3),
        ]),
        groups: groups(made.size, 14, false),
        recent: AuditRow::samples(),
        node: NodeFigures {
            bound: "1 second".to_owned(),
            visible: Some(VisibleFigures {
                median: "3 ms".to_owned(),
                p99: "11 ms".to_owned(),
                longest: "48 ms".to_owned(),
            }),
            lag: Some("120 ms".to_owned()),
            checks: 1_204_551,
            from_memory: "99.98 %".to_owned(),
            held: 1_876,
        },
        idle_limit: "1 hour".to_owned(),
        absolute_limit: "8 hours".to_owned(),
        remembered_idle_limit: "7 days".to_owned(),
        remembered_absolute_limit: "30 days".to_owned(),
    }
}

/// One user, one session, no past.
fn empty() -> AdminOverviewPage {
    let now = running(1);
    let slots = (0..24).map(|back| {
        let is_running = back == 23;
        Slot {
            from: now - TimeDelta::hours(23 - back),
            most: is_running.then_some(1),
            live: is_running.then_some(1),
            started: u64::from(is_running),
            ended: 0,
            refused: 0,
        }
    });
    let over_time = OverTime {
        range: "24 hours".to_owned(),
        hours: 1,
        slots: slots.collect(),
    };
    let busy = sample(&MADE[0]);
    let only = |by: &str, name: &str| {
        let row = GroupRow::new(name.to_owned(), 1, 1, 0);
        Group::new(by, None, vec![row], None)
    };
    AdminOverviewPage {
        live_sessions: 1,
        signed_in_users: 1,
        users: 1,
        disabled_users: 0,
        peak: None,
        sign_ins: 1,
        failed_sign_ins: 0,
        lasted: None,
        refresh_reuse: 0,
        cache_hits: "–".to_owned(),
        checks: 0,
        live: over_time.live(1, None),
        flow: over_time.flow(),
        refused: over_time.refused(),
        ended: Vec::new(),
        groups: vec![
            Group::new("organisation", None, Vec::new(), None),
            only("role", "admin"),
            only("method", "password"),
        ],
        recent: Vec::new(),
        node: NodeFigures {
            visible: None,
            lag: None,
            checks: 0,
            from_memory: "–".to_owned(),
            held: 1,
            ..busy.node
        },
        ..busy
    }
}

fn ranges(shown: &str) -> Vec<RangeLink> {
    MADE.iter()
        .map(|made| RangeLink {
            url: format!("/admin?range={}", made.code),
            label: made.words.to_owned(),
            current: made.code == shown,
        })
        .collect()
}

fn groups(size: u64, organizations: usize, cut: bool) -> Vec<Group> {
    const NAMES: [&str; 12] = [
        "Acme",
        "Globex",
        "Initech",
        LONG,
        "Umbrella",
        "Hooli",
        "Stark & Daughters",
        "Wayne Foundation",
        "Cyberdyne",
        "Tyrell",
        "Soylent",
        "no organisation",
    ];
    let row = |name: &str, part: u64| {
        let of = |part: u64| part * size / 10;
        GroupRow::new(name.to_owned(), of(part), of(part * 3 / 4), of(part / 2))
    };
    let members = (0..organizations).map(|number| {
        let name = NAMES.get(number).copied().unwrap_or("Another one");
        row(name, 400 / (number as u64 + 1))
    });
    let rest = cut.then(|| row("", 250));
    let twice = "A session counts for each role of its user.";
    vec![
        Group::new("organisation", None, members.collect(), rest),
        Group::new(
            "role",
            Some(twice),
            vec![
                row("editor", 420),
                row("billing", 180),
                row("admin", 12),
                row("a-role-with-quite-a-long-name", 3),
                row("no role", 700),
            ],
            None,
        ),
        Group::new(
            "method",
            None,
            vec![row("password", 1_100), row("one-time code", 90)],
            None,
        ),
    ]
}
