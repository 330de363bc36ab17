//! Keeping figures: counting hours, measuring how much there is.

use std::collections::BTreeMap;

use chrono::SubsecRound;

use crate::rules::figures::{Dimension, Hour, Kind, MEMBERS, Row, Tally, due, largest};
use crate::service::Context;
use crate::service::cleanup::{may_go_on, retention};
use crate::service::error::Error;
use crate::service::lease::Lease;
use crate::store::figures::count::{Span, Tallies};
use crate::store::figures::{Census, HourCount};

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
pub(super) fn first_whole(context: &Context) -> Hour {
    let kept = retention(&context.settings);
    let period = kept.ended_sessions.min(kept.audit).min(kept.figures);
    Hour::of(context.now() - period).next()
}

async fn count_hours(context: &Context, lease: Option<&Lease<'_>>) -> Result<(), Error> {
    let store = &context.store;
    let now = context.now();
    let snapshot = store.snapshot().await?;
    let settled = snapshot.settled().await?;
    let mut oldest = first_whole(context);
    if settled.is_none() {
        let first = snapshot.first_event().await?;
        oldest = oldest.max(first.map_or(Hour::of(now), Hour::of));
    }
    snapshot.close().await?;
    for hour in due(settled, oldest.min(Hour::of(now)), now) {
        if !may_go_on(lease).await? {
            break;
        }
        count_hour(context, hour).await?;
    }
    Ok(())
}

async fn count_hour(context: &Context, hour: Hour) -> Result<(), Error> {
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
        settled: hour.is_settled_at(counted_at),
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
    let census = if snapshot.measured(&[Kind::Users], hour).await?.is_empty() {
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
    let hours = context.measures.in_hours(Hour::of(now), loads);
    let any = |(_, checked): &(_, crate::service::measures::Checked)| checked.checks > 0;
    let hours: Vec<_> = hours.into_iter().filter(any).collect();
    if hours.is_empty() {
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
    act.await
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
