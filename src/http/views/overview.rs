//! The console's first page: how much there is, what happened lately, and how the server does.
//!
//! Figures come ready made; what happened over time is drawn by `over_time`.

use serde::Serialize;

use super::audit::AuditRow;
use super::chart::Share;
use super::over_time::TimeDrawing;
use super::{Page, Shell};

mod samples;

/// `/admin`: figures of now and of a range, and the newest acts.
#[derive(Clone, Serialize)]
pub struct AdminOverviewPage {
    /// The frame.
    pub shell: Shell,
    /// The ranges there are.
    pub ranges: Vec<RangeLink>,
    /// The one that is shown, e.g. "24 hours".
    pub range: String,
    /// Up to when everything is counted.
    pub as_of: AsOf,
    /// Live sessions.
    pub live_sessions: u64,
    /// When they were counted, if not just now, e.g. "20 minutes ago".
    pub live_counted: Option<String>,
    /// Users with at least one live session.
    pub signed_in_users: u64,
    /// All users.
    pub users: u64,
    /// Those of them who are disabled.
    pub disabled_users: u64,
    /// The most live sessions of the range.
    pub peak: Option<Peak>,
    /// Sign-ins of the range.
    pub sign_ins: u64,
    /// Refused sign-ins of the range.
    pub failed_sign_ins: u64,
    /// How long the sessions that ended in the range lasted.
    pub lasted: Option<Lasted>,
    /// Sessions ended in the range because a copy of them was used.
    pub refresh_reuse: u64,
    /// The part of the checks of the range that needed no database, e.g. "99.98 %".
    pub cache_hits: String,
    /// Checks of the range.
    pub checks: u64,
    /// Live sessions over time.
    pub live: TimeDrawing,
    /// Sessions started and ended over time.
    pub flow: TimeDrawing,
    /// Refused sign-ins over time.
    pub refused: TimeDrawing,
    /// Ended sessions of the range by reason, most frequent first.
    pub ended: Vec<ReasonCount>,
    /// Live, started and ended sessions by organisation, by role and by method.
    pub groups: Vec<Group>,
    /// The newest acts.
    pub recent: Vec<AuditRow>,
    /// Of the server that draws the page.
    pub node: NodeFigures,
    /// Idle timeout in words, e.g. "1 hour".
    pub idle_limit: String,
    /// Absolute lifetime in words.
    pub absolute_limit: String,
    /// Idle timeout of remembered sessions in words.
    pub remembered_idle_limit: String,
    /// Absolute lifetime of remembered sessions in words.
    pub remembered_absolute_limit: String,
}

/// A range that can be shown.
#[derive(Clone, Serialize)]
pub struct RangeLink {
    /// Its address.
    pub url: String,
    /// Its words, e.g. "7 days".
    pub label: String,
    /// Whether it is the one shown.
    pub current: bool,
}

/// Up to when figures are complete.
#[derive(Clone, Serialize)]
pub struct AsOf {
    /// RFC 3339, for machines.
    pub iso: String,
    /// The time of day, e.g. "14:03 UTC".
    pub clock: String,
    /// Seen from now, to the second while it is no minute, e.g. "20 seconds ago".
    pub ago: String,
}

/// The most live sessions there were.
#[derive(Clone, Serialize)]
pub struct Peak {
    /// How many.
    pub count: u64,
    /// When, e.g. "25 Nov, 09:00 UTC".
    pub at: String,
}

/// How long sessions lasted, in words.
#[derive(Clone, Serialize)]
pub struct Lasted {
    /// On average.
    pub average: String,
    /// The longest.
    pub longest: String,
}

/// How many sessions ended for one reason.
#[derive(Clone, Serialize)]
pub struct ReasonCount {
    /// The reason, in words.
    pub reason: String,
    /// How many.
    pub count: u64,
    /// Of the most frequent one.
    pub share: Share,
}

impl ReasonCount {
    /// Rows for reasons in words, most frequent first.
    pub fn rows(mut counts: Vec<(String, u64)>) -> Vec<Self> {
        counts.sort_by(|one, other| other.1.cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        let most = counts.first().map_or(0, |(_, count)| *count);
        let row = |(reason, count)| Self {
            reason,
            count,
            share: Share::bar(count, most),
        };
        counts.into_iter().map(row).collect()
    }
}

/// Sessions by what they have in common.
#[derive(Clone, Serialize)]
pub struct Group {
    /// By what, e.g. "organisation".
    pub by: String,
    /// What to know before comparing its rows, if anything.
    pub note: Option<String>,
    /// Those with most live sessions.
    pub rows: Vec<GroupRow>,
    /// All others, if there are any.
    pub others: Option<Others>,
}

/// One organisation, role or method.
#[derive(Clone, Serialize)]
pub struct GroupRow {
    /// What it is called.
    pub name: String,
    /// Live sessions.
    pub live: u64,
    /// Sessions started in the range.
    pub started: u64,
    /// Sessions ended in the range.
    pub ended: u64,
    /// Live sessions, of those of the row with most.
    pub share: Share,
}

/// Those that have no row of their own.
#[derive(Clone, Serialize)]
pub struct Others {
    /// How many they are, where that is known.
    pub how_many: Option<u64>,
    /// Their live sessions.
    pub live: u64,
    /// Their sessions started in the range.
    pub started: u64,
    /// Their sessions ended in the range.
    pub ended: u64,
}

/// Rows that a group shows.
const ROWS: usize = 10;

impl Group {
    /// The rows with most live sessions, then most started. `rest` are those that were added up before:
    /// nobody knows how many they are.
    pub fn new(
        by: &str,
        note: Option<&str>,
        mut members: Vec<GroupRow>,
        rest: Option<GroupRow>,
    ) -> Self {
        members.sort_by(|one, other| {
            let size = |row: &GroupRow| (row.live, row.started, row.ended);
            size(other)
                .cmp(&size(one))
                .then_with(|| one.name.cmp(&other.name))
        });
        let beyond = members.split_off(members.len().min(ROWS));
        let how_many = rest.is_none().then_some(beyond.len() as u64);
        let beyond: Vec<GroupRow> = beyond.into_iter().chain(rest).collect();
        let sum = |value: fn(&GroupRow) -> u64| {
            let values = beyond.iter().map(value);
            values.fold(0, u64::saturating_add)
        };
        let others = Others {
            how_many,
            live: sum(|row| row.live),
            started: sum(|row| row.started),
            ended: sum(|row| row.ended),
        };
        let most = members.first().map_or(0, |row| row.live);
        for row in &mut members {
            row.share = Share::bar(row.live, most);
        }
        Self {
            by: by.to_owned(),
            note: note.map(str::to_owned),
            rows: members,
            others: (!beyond.is_empty()).then_some(others),
        }
    }
}

impl GroupRow {
    /// A row whose share is not known yet.
    pub fn new(name: String, live: u64, started: u64, ended: u64) -> Self {
        Self {
            name,
            live,
            started,
            ended,
            share: Share::NONE,
        }
    }
}

/// What one server knows of itself. Durations are in words.
#[derive(Clone, Serialize)]
pub struct NodeFigures {
    /// Within which it learns of changes made elsewhere.
    pub bound: String,
    /// How long the latest changes took.
    pub visible: Option<VisibleFigures>,
    /// How long ago it read the change list.
    pub lag: Option<String>,
    /// Access tokens checked.
    pub checks: u64,
    /// The part of them that needed no database, e.g. "99.9 %".
    pub from_memory: String,
    /// Sessions held in memory.
    pub held: u64,
}

/// How long the latest changes took to be seen, in words.
#[derive(Clone, Serialize)]
pub struct VisibleFigures {
    /// Half of them took no longer.
    pub median: String,
    /// 99 of 100 took no longer.
    pub p99: String,
    /// None took longer.
    pub longest: String,
}

impl Page for AdminOverviewPage {
    const TEMPLATE: &'static str = "admin_overview.html";

    fn samples() -> Vec<Self> {
        samples::all()
    }
}

#[cfg(test)]
mod tests {
    use super::{Group, GroupRow, ReasonCount};

    fn row(name: &str, live: u64, started: u64) -> GroupRow {
        GroupRow::new(name.to_owned(), live, started, 0)
    }

    #[test]
    fn reasons_are_compared_with_the_most_frequent() {
        let counts = [("idle", 30), ("signed out", 60), ("ended by admin", 30)];
        let counts = counts.map(|(reason, count)| (reason.to_owned(), count));
        let rows: Vec<(String, u64, String)> = ReasonCount::rows(counts.to_vec())
            .into_iter()
            .map(|row| (row.reason, row.count, row.share.to_string()))
            .collect();
        let expected = [
            ("signed out", 60, "100"),
            ("ended by admin", 30, "50"),
            ("idle", 30, "50"),
        ];
        let expected = expected.map(|(reason, count, share)| (reason.into(), count, share.into()));
        assert_eq!(rows, expected);
        assert!(ReasonCount::rows(Vec::new()).is_empty());
    }

    #[test]
    fn ten_rows_are_shown_and_the_others_are_added_up() {
        let members: Vec<GroupRow> = (1..=13).map(|n| row(&format!("{n}"), n, n)).collect();
        let group = Group::new("role", None, members.clone(), None);
        assert_eq!(group.rows.len(), 10);
        assert_eq!(group.rows[0].name, "13");
        assert_eq!(group.rows[9].name, "4");
        let others = group.others.map(|others| (others.how_many, others.live));
        assert_eq!(others, Some((Some(3), 6)));

        let group = Group::new("role", None, members, Some(row("", u64::MAX, 1)));
        let others = group.others.map(|others| (others.how_many, others.live));
        assert_eq!(others, Some((None, u64::MAX)), "how many is not known");

        let ten = (1..=10).map(|n| row(&format!("{n}"), n, n)).collect();
        assert!(Group::new("role", None, ten, None).others.is_none());
        let none = Group::new("role", None, Vec::new(), None);
        assert!(none.rows.is_empty() && none.others.is_none());
        let idle = Group::new("role", None, vec![row("a", 0, 1), row("b", 0, 2)], None);
        assert_eq!(idle.rows[0].name, "b");
        assert_eq!(idle.rows[0].share.to_string(), "0");
    }
}
