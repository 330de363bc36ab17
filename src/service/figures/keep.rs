//! Keeping figures: counting hours, measuring how much there is.

use std::collections::BTreeMap;

use chrono::{DateTime, SubsecRound, Utc};

use crate::rules::figures::{Dimension, Hour, Kind, MEMBERS, Row, Tally, due, largest};
use crate::service::Context;
use crate::service::cleanup::{may_go_on, retention};
use crate::service::error::Error;
use crate::service::lease::Lease;
use crate::store::figures::count::{Span, Tallies};
use crate::store::figures::{Census, HourCount, Snapshot};

/// Counts the hours that are due, and measures how much there is. For right after sessions past a
/// limit were ended: those that are open are live then. With a lease, for as long as it is held.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn keep(context: &Context, lease: Option<&Lease<'_>>) -> Result<(), Error> {
    let measured = measure(context).await;
    // Where one takes too long the other is done all the same.
    count_hours(context, lease).await?;
    measured
}

/// The first hour of which everything is still there.
fn first_whole(context: &Context) -> Hour {
    let kept = retention(&context.settings);
    let period = kept.ended_sessions.min(kept.audit).min(kept.figures);
    Hour::of(context.now() - period).next()
}

/// The first hour worth counting: that of the oldest event, if everything of it is still there.
pub(super) async fn oldest(
    context: &Context,
    snapshot: &Snapshot,
    now: DateTime<Utc>,
) -> Result<Hour, Error> {
    let first = snapshot.first_event().await?;
    let oldest = first.map_or(Hour::of(now), Hour::of);
    Ok(oldest.max(first_whole(context)).min(Hour::of(now)))
}

async fn count_hours(context: &Context, lease: Option<&Lease<'_>>) -> Result<(), Error> {
    let now = context.now();
    let snapshot = context.store.snapshot().await?;
    let oldest = oldest(context, &snapshot, now).await?;
    let settled = snapshot.settled(oldest, now).await?;
    let first = settled.map_or(oldest, Hour::next);
    let beyond = snapshot.settled_from(first, now).await?;
    snapshot.close().await?;
    for hour in due(settled, &beyond, oldest, now) {
        if !may_go_on(lease).await? {
            break;
        }
        // Time passes while hours are counted. One that was open when the others were chosen stays
        // so, or it would be settled before those that were not chosen yet.
        let settled = hour.is_settled_at(now);
        // One that cannot be counted keeps nobody from the others, and is tried again.
        if let Err(error) = count_hour(context, hour, settled).await {
            let cause = std::error::Error::source(&error)
                .map(|cause| cause.source().unwrap_or(cause).to_string());
            tracing::warn!(hour = %hour.start(), cause, "an hour was not counted: {error}");
        }
    }
    Ok(())
}

async fn count_hour(context: &Context, hour: Hour, settled: bool) -> Result<(), Error> {
    let store = &context.store;
    // Identifiers tell milliseconds. Before the look, so that nothing before it is missed in it.
    let counted_at = context.now().trunc_subsecs(3);
    let span = Span {
        from: hour.start(),
        to: hour.end().min(counted_at),
    };
    let snapshot = store.snapshot().await?;
    let tallies = snapshot.count(span).await?;
    snapshot.close().await?;
    let count = HourCount {
        hour,
        counted_at,
        settled,
        rows: bounded(tallies),
    };
    let act = store.write(context.now(), move |tx| {
        Box::pin(async move { tx.write_hour(count).await })
    });
    act.await?;
    Ok(())
}

async fn measure(context: &Context) -> Result<(), Error> {
    let store = &context.store;
    let now = context.now();
    let snapshot = store.snapshot().await?;
    let (sessions, users) = snapshot.open_sessions().await?;
    let hour = Hour::of(now);
    let census = if snapshot
        .measured(&[Kind::Users], hour, hour)
        .await?
        .is_empty()
    {
        let (users, disabled_users) = snapshot.all_users().await?;
        let live = bounded(snapshot.live_by_member(now).await?);
        Some(Census {
            users,
            disabled_users,
            live,
        })
    } else {
        None
    };
    snapshot.close().await?;
    let act = store.write(now, move |tx| {
        Box::pin(async move {
            tx.write_level(Kind::Live, sessions).await?;
            tx.write_peak(Kind::LivePeak, sessions).await?;
            tx.write_level(Kind::SignedInUsers, users).await?;
            if let Some(census) = census {
                tx.write_census(hour, census).await?;
            }
            Ok::<_, Error>(())
        })
    });
    act.await
}

/// Writes what this node has checked. Each node does so for itself.
pub(in crate::service) async fn write_checks(context: &Context) -> Result<(), Error> {
    let now = context.now();
    let loads = context.store.cache().loads();
    let unwritten = context.measures.in_hours(Hour::of(now), loads);
    let all = unwritten.hours.iter().copied();
    let hours: Vec<_> = all.filter(|(_, checked)| checked.checks > 0).collect();
    if hours.is_empty() {
        context.measures.wrote(&unwritten);
        return Ok(());
    }
    let node = context.node.clone();
    let act = context.store.write(now, move |tx| {
        Box::pin(async move {
            for (hour, checked) in hours {
                tx.write_of_node(hour, Kind::Checks, &node, checked.checks)
                    .await?;
                tx.write_of_node(hour, Kind::Loads, &node, checked.loads)
                    .await?;
            }
            Ok::<_, Error>(())
        })
    });
    act.await?;
    context.measures.wrote(&unwritten);
    Ok(())
}

/// As many rows as an hour may have.
fn bounded(tallies: Tallies) -> Vec<(Row, Tally)> {
    let mut groups: BTreeMap<(Kind, Dimension), Vec<(String, Tally)>> = BTreeMap::new();
    for (row, tally) in tallies {
        let of_kind = groups.entry((row.kind, row.dimension)).or_default();
        of_kind.push((row.member, tally));
    }
    let mut rows = Vec::new();
    for ((kind, dimension), members) in groups {
        for (member, tally) in largest(members, MEMBERS) {
            let row = Row {
                kind,
                dimension,
                member,
            };
            rows.push((row, tally));
        }
    }
    rows
}
