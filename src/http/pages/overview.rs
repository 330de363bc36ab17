//! The console's first page: figures of now and of a range, and how this server does.

use std::time::Duration;

use actix_web::{HttpRequest, HttpResponse};
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Deserialize;

use crate::http::api::admin_stats::range;
use crate::http::body;
use crate::http::guards::Admin;
use crate::http::pages::admin::{audit_row, duration, reason_words};
use crate::http::pages::shell::{page, shell};
use crate::http::problem::Problem;
use crate::http::state::State;
use crate::http::views::{
    AdminOverviewPage, AsOf, Group, GroupRow, Instant, Lasted, NodeFigures, OverTime, Peak,
    RangeLink, ReasonCount, Section, Slot, VisibleFigures,
};
use crate::rules::figures::{Bucket, Figures, Level, Member, REST, Range};
use crate::rules::span::rough;
use crate::service::{Context, figures};
use crate::store::audit::AuditSearch;

/// Acts on the overview.
const LATEST: u64 = 10;

/// What sessions are opened with.
const METHOD: &str = "method";

/// What was counted at least this long ago is said to be.
const OLD: TimeDelta = TimeDelta::seconds(60);

#[derive(Deserialize)]
struct OverviewQuery {
    range: Option<String>,
}

/// `GET /admin`
pub async fn overview(by: Admin, request: HttpRequest) -> Result<HttpResponse, Problem> {
    let context = &State::of(&request).context;
    let query: OverviewQuery = body::query(&request)?;
    let range = range(query.range.as_deref())?;
    let figures = figures::overview(context, range).await?;
    let now = context.now();
    let recent = context
        .store
        .search_audit(AuditSearch::default(), None, LATEST)
        .await?;
    let over_time = over_time(&figures);
    let live = figures.now.live_sessions;
    let peak = peak(&figures);
    let of_peak = peak.map(|peak| (peak.count, peak.at));
    let totals = &figures.totals;
    let settings = &context.settings;
    page(
        &request,
        &AdminOverviewPage {
            shell: shell(&request, &by.0, "Overview", Section::AdminOverview),
            ranges: ranges(range),
            range: range.words().to_owned(),
            as_of: as_of(figures.as_of, now),
            live_sessions: live.count,
            live_counted: (now - live.at >= OLD).then(|| Instant::new(live.at, now).ago),
            signed_in_users: figures.now.signed_in_users.count,
            users: figures.now.users.count,
            disabled_users: figures.now.disabled_users.count,
            peak: peak.map(|peak| Peak {
                count: peak.count,
                at: peak.at.format("%-d %b, %H:%M UTC").to_string(),
            }),
            sign_ins: totals.created,
            failed_sign_ins: totals.sign_in_failed,
            lasted: totals
                .average_secs()
                .zip(totals.longest())
                .map(|(average, longest)| Lasted {
                    average: rough(average),
                    longest: rough(longest),
                }),
            refresh_reuse: totals.refresh_reuse(),
            cache_hits: part(totals.hit_rate()),
            checks: totals.checks,
            live: over_time.live(live.count, of_peak),
            flow: over_time.flow(),
            refused: over_time.refused(),
            ended: ReasonCount::rows(
                totals
                    .ended_by_reason
                    .iter()
                    .map(|(reason, count)| (reason_words(reason), *count))
                    .collect(),
            ),
            groups: groups(&figures),
            recent: recent
                .rows
                .into_iter()
                .map(|record| audit_row(record, now))
                .collect(),
            node: node_figures(context).await,
            idle_limit: duration(settings.session.idle),
            absolute_limit: duration(settings.session.absolute),
            remembered_idle_limit: duration(settings.remembered.idle),
            remembered_absolute_limit: duration(settings.remembered.absolute),
        },
    )
}

fn ranges(shown: Range) -> Vec<RangeLink> {
    let link = |range: Range| RangeLink {
        url: format!("/admin?range={}", range.code()),
        label: range.words().to_owned(),
        current: range == shown,
    };
    Range::ALL.map(link).to_vec()
}

fn as_of(at: DateTime<Utc>, now: DateTime<Utc>) -> AsOf {
    let ago = match (now - at).num_seconds() {
        1 => "1 second ago".to_owned(),
        seconds @ 2..60 => format!("{seconds} seconds ago"),
        _ => Instant::new(at, now).ago,
    };
    AsOf {
        iso: at.to_rfc3339_opts(SecondsFormat::Secs, true),
        clock: at.format("%H:%M UTC").to_string(),
        ago,
    }
}

/// The most live sessions of the range; those of now, where nobody has measured so many.
fn peak(figures: &Figures) -> Option<Level> {
    let live = figures.now.live_sessions;
    let measured = figures.peak.filter(|peak| peak.count >= live.count);
    measured.or((live.count > 0).then_some(live))
}

fn over_time(figures: &Figures) -> OverTime {
    let slot = |bucket: &Bucket| Slot {
        from: bucket.from,
        most: bucket.peak.max(bucket.live),
        live: bucket.live,
        started: bucket.counts.created,
        ended: bucket.counts.ended(),
        refused: bucket.counts.sign_in_failed,
    };
    let mut slots: Vec<Slot> = figures.buckets.iter().map(slot).collect();
    if let Some(running) = slots.last_mut() {
        let live = Some(figures.now.live_sessions.count);
        running.most = running.most.max(live);
        running.live = live;
    }
    OverTime {
        range: figures.range.words().to_owned(),
        hours: figures.range.step(),
        slots,
    }
}

fn groups(figures: &Figures) -> Vec<Group> {
    let all_roles = "A session counts for each role of its user.";
    vec![
        group(
            ("organisation", "no organisation"),
            None,
            &figures.by_organization,
        ),
        group(("role", "no role"), Some(all_roles), &figures.by_role),
        group((METHOD, "not known"), None, &figures.by_method),
    ]
}

/// `none` is what those are called that have no member.
fn group((by, none): (&str, &str), note: Option<&str>, members: &[Member]) -> Group {
    let row = |member: &Member| {
        let name = match member.member.as_str() {
            "" => none.to_owned(),
            _ if by == METHOD => method_words(&member.label),
            _ => member.label.clone(),
        };
        GroupRow::new(name, member.live, member.created, member.ended)
    };
    let (rest, known): (Vec<&Member>, Vec<&Member>) =
        members.iter().partition(|member| member.member == REST);
    let known = known.into_iter().map(row).collect();
    Group::new(by, note, known, rest.into_iter().map(row).next())
}

/// Methods as sessions have them stored, in words where they have some that everybody knows.
fn method_words(names: &str) -> String {
    let words = names.split_ascii_whitespace().map(|name| match name {
        "pwd" => "password",
        "otp" => "one-time code",
        "mfa" => "several factors",
        other => other,
    });
    words.collect::<Vec<_>>().join(", ")
}

async fn node_figures(context: &Context) -> NodeFigures {
    let (cache, measures) = (context.store.cache(), &context.measures);
    let checks = measures.checks();
    let answered = u128::from(checks.saturating_sub(cache.loads()));
    let hundredths = (answered * 10_000).checked_div(checks.into());
    NodeFigures {
        bound: span(context.settings.revocation_bound),
        visible: measures.visible().map(|visible| VisibleFigures {
            median: span(visible.median),
            p99: span(visible.p99),
            longest: span(visible.longest),
        }),
        lag: cache.lag().map(span),
        checks,
        // Rounded down, so that "100 %" means all.
        from_memory: part(hundredths.and_then(|part| u64::try_from(part).ok())),
        held: cache.held().await,
    }
}

/// Hundredths of a percent.
fn part(hundredths: Option<u64>) -> String {
    match hundredths {
        None => "–".to_owned(),
        Some(part) => format!("{}.{:02} %", part / 100, part % 100),
    }
}

/// A short span in words: milliseconds, as people compare them with the bound.
fn span(span: Duration) -> String {
    match span.as_millis() {
        0 => "1 ms".to_owned(),
        1_000 => "1 second".to_owned(),
        millis @ 1..10_000 => format!("{millis} ms"),
        millis => format!("{} seconds", millis / 1_000),
    }
}
