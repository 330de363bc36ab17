//! `portcullis session stats`.

use clap::{Args, ValueEnum};
use serde::Serialize;

use crate::cli::AsJson;
use crate::cli::failure::Failure;
use crate::cli::output::{self, instant};
use crate::rules::figures::{Bucket, Counts, Figures, FiguresDocument, Level, Member, Range};
use crate::rules::span;
use crate::service::Context;
use crate::service::figures::overview;
use crate::store::COUNTED;

#[derive(Args, Debug)]
pub(super) struct StatsArgs {
    /// How far back
    #[arg(long, value_enum, default_value_t = RangeName::Day)]
    range: RangeName,
    #[command(flatten)]
    as_json: AsJson,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum RangeName {
    /// 24 hours
    Day,
    /// Seven days, by quarters of a day
    Week,
    /// Thirty days, day by day
    Month,
}

impl From<RangeName> for Range {
    fn from(name: RangeName) -> Self {
        match name {
            RangeName::Day => Self::Day,
            RangeName::Week => Self::Week,
            RangeName::Month => Self::Month,
        }
    }
}

pub(super) async fn run(context: &Context, args: &StatsArgs) -> Result<(), Failure> {
    let figures = overview(context, args.range.into()).await?;
    if args.as_json.json {
        return output::json(&FiguresDocument::from(&figures));
    }
    output::pairs(&now(&figures))?;
    output::line(format!(
        "\nIn {}, up to {}:",
        figures.range.words(),
        instant(figures.as_of)
    ))?;
    output::pairs(&in_all(&figures))?;
    output::line("")?;
    let rows: Vec<BucketRow> = figures.buckets.iter().map(BucketRow::from).collect();
    output::list(&rows, false, "")?;
    for (heading, members) in [
        ("By organisation:", &figures.by_organization),
        (
            "By role (a session counts under each of its user's):",
            &figures.by_role,
        ),
        ("By method of proof:", &figures.by_method),
    ] {
        if members.is_empty() {
            continue;
        }
        output::line(format!("\n{heading}"))?;
        let rows: Vec<MemberRow> = members.iter().map(MemberRow::from).collect();
        output::list(&rows, false, "")?;
    }
    Ok(())
}

fn now(figures: &Figures) -> Vec<(&'static str, String)> {
    let (now, day) = (&figures.now, &figures.last_24h);
    vec![
        ("users", level(now.users)),
        ("of these disabled", level(now.disabled_users)),
        ("live sessions", level(now.live_sessions)),
        ("users signed in", level(now.signed_in_users)),
        ("sign-ins in 24 h", day.created.to_string()),
        ("failed in 24 h", day.sign_in_failed.to_string()),
        ("ended in 24 h", day.ended().to_string()),
    ]
}

fn in_all(figures: &Figures) -> Vec<(&str, String)> {
    let totals = &figures.totals;
    let span = |secs: Option<u64>| secs.map_or_else(|| "–".to_owned(), span::rough);
    let peak = figures.peak;
    let mut pairs = vec![
        ("sessions created", totals.created.to_string()),
        (
            "most live at once",
            peak.map_or_else(
                || "–".to_owned(),
                |peak| format!("{} at {}", peak.count, instant(peak.at)),
            ),
        ),
        ("sign-ins failed", totals.sign_in_failed.to_string()),
        ("refresh tokens reused", totals.refresh_reuse().to_string()),
        ("average duration", span(totals.average_secs())),
        ("longest duration", span(totals.longest())),
        ("checks from memory", from_memory(totals)),
        ("sessions ended", totals.ended().to_string()),
    ];
    for (reason, count) in &totals.ended_by_reason {
        pairs.push((reason, count.to_string()));
    }
    pairs
}

/// A number; where there are too many to count at a look, when they were last measured.
fn level(level: Level) -> String {
    match level.count {
        count if count == COUNTED + 1 => format!("more than {COUNTED}"),
        count if count > COUNTED => format!("{count}, measured at {}", instant(level.at)),
        count => count.to_string(),
    }
}

/// Rounded down, so that "100.00 %" means all.
fn from_memory(counts: &Counts) -> String {
    match counts.hit_rate() {
        Some(part) => format!("{}.{:02} % of {}", part / 100, part % 100, counts.checks),
        None => "–".to_owned(),
    }
}

#[derive(Serialize)]
struct BucketRow {
    from: String,
    created: u64,
    ended: u64,
    failed: u64,
    reused: u64,
    live: Option<u64>,
    peak: Option<u64>,
}

impl From<&Bucket> for BucketRow {
    fn from(bucket: &Bucket) -> Self {
        Self {
            from: instant(bucket.from),
            created: bucket.counts.created,
            ended: bucket.counts.ended(),
            failed: bucket.counts.sign_in_failed,
            reused: bucket.counts.refresh_reuse(),
            live: bucket.live,
            peak: bucket.peak,
        }
    }
}

impl output::Row for BucketRow {
    const HEADINGS: &'static [&'static str] = &[
        "FROM", "CREATED", "ENDED", "FAILED", "REUSED", "LIVE", "PEAK",
    ];

    fn cells(&self) -> Vec<String> {
        let known = |count: Option<u64>| count.map_or_else(|| "–".to_owned(), |n| n.to_string());
        vec![
            self.from.clone(),
            self.created.to_string(),
            self.ended.to_string(),
            self.failed.to_string(),
            self.reused.to_string(),
            known(self.live),
            known(self.peak),
        ]
    }
}

#[derive(Serialize)]
struct MemberRow {
    label: String,
    live: u64,
    created: u64,
    ended: u64,
}

impl From<&Member> for MemberRow {
    fn from(member: &Member) -> Self {
        Self {
            label: member.label.clone(),
            live: member.live,
            created: member.created,
            ended: member.ended,
        }
    }
}

impl output::Row for MemberRow {
    const HEADINGS: &'static [&'static str] = &["", "LIVE", "CREATED", "ENDED"];

    fn cells(&self) -> Vec<String> {
        vec![
            self.label.clone(),
            self.live.to_string(),
            self.created.to_string(),
            self.ended.to_string(),
        ]
    }
}
