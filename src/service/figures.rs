//! Figures of the whole installation: how much there is, and what happened over time.
//!
//! The clean-up counts each hour into a row of its own, whichever node does it; what happened since
//! the last count is little and counted at each look. So a look costs the same on a large
//! installation as on a small one, and on a small one the figures are exact at once.

mod keep;
mod members;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

use crate::rules::figures::{
    Bucket, Counts, Dimension, Figures, Hour, Kind, Level, Levels, Range, Row, Tally,
    counted_through,
};
use crate::service::Context;
use crate::service::error::Error;
use crate::store::COUNTED;
use crate::store::figures::Snapshot;
use crate::store::figures::count::{Happening, Span};
use crate::store::figures::read::Measured;

pub use crate::service::figures::keep::keep;
pub(super) use crate::service::figures::keep::write_checks;

/// What happened since the last count is looked at one by one, if it is no more of a kind than this.
const FEW: u64 = 2_000;

/// So much of the hour at the edge of the last 24 is looked at one by one; where there is more, the
/// whole hour counts.
const AT_THE_EDGE: u64 = 200;

/// A measurement of many is believed for this long; where none was made since, as many as are counted
/// at a look are counted.
const BELIEVED: TimeDelta = TimeDelta::hours(2);

/// What happened in a range, and how much there is now.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn overview(context: &Context, range: Range) -> Result<Figures, Error> {
    let snapshot = context.store.snapshot().await?;
    let figures = look(context, &snapshot, range).await?;
    snapshot.close().await?;
    Ok(figures)
}

/// How much there is now.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn levels(context: &Context) -> Result<Levels, Error> {
    let snapshot = context.store.snapshot().await?;
    let levels = levels_in(&snapshot, context.now()).await?;
    snapshot.close().await?;
    Ok(levels)
}

/// Live sessions as last measured, by whichever node and however long ago; none if nobody ever has.
///
/// # Errors
/// [`Error::Unavailable`].
pub async fn measured_live(context: &Context) -> Result<Option<Level>, Error> {
    let snapshot = context.store.snapshot().await?;
    let measured = snapshot.last_live(Hour::of(context.now())).await?;
    snapshot.close().await?;
    Ok(measured)
}

/// How far the stored hours tell everything, and what happened since.
struct Ledger {
    now: DateTime<Utc>,
    through: DateTime<Utc>,
    /// None if it is too much.
    since: Option<Vec<Happening>>,
}

impl Ledger {
    async fn read(
        context: &Context,
        snapshot: &Snapshot,
        now: DateTime<Utc>,
    ) -> Result<Self, Error> {
        let oldest = keep::oldest(context, snapshot, now).await?;
        let settled = snapshot.settled(oldest, now).await?;
        let first = settled.map_or(oldest, Hour::next);
        let stored = snapshot.counted_from(first, now).await?;
        let through = counted_through(settled, oldest, &stored).min(now.trunc_subsecs(3));
        let since = snapshot.happened(since(through, now), FEW).await?;
        Ok(Self {
            now,
            through,
            since,
        })
    }

    /// The last hour of which what is laid is not counted otherwise.
    fn last_laid(&self) -> Hour {
        match self.since {
            Some(_) => Hour::of(self.through),
            None => Hour::of(self.now),
        }
    }

    fn since(&self) -> &[Happening] {
        self.since.as_deref().unwrap_or_default()
    }
}

/// What a clock that is a little ahead has dated in the future happened too.
fn since(from: DateTime<Utc>, now: DateTime<Utc>) -> Span {
    Span {
        from,
        to: now + TimeDelta::days(1),
    }
}

async fn look(context: &Context, snapshot: &Snapshot, range: Range) -> Result<Figures, Error> {
    let now = context.now();
    let ledger = Ledger::read(context, snapshot, now).await?;
    let levels = levels_in(snapshot, now).await?;
    let mut buckets = range.buckets(now);
    let first = range.first(now);
    for sum in snapshot
        .sums(first, range.step(), ledger.last_laid())
        .await?
    {
        if let Some(bucket) = buckets.get_mut(sum.place) {
            absorb(&mut bucket.counts, &sum.row, sum.tally);
        }
    }
    for happening in ledger.since() {
        let place = range.place(instant(happening), now);
        if let Some(bucket) = place.and_then(|place| buckets.get_mut(place)) {
            note(&mut bucket.counts, happening);
        }
    }
    let kinds = [Kind::Live, Kind::LivePeak];
    let measured = snapshot.measured(&kinds, first, Hour::of(now)).await?;
    let peak = level_out(range, &mut buckets, &measured, levels.live_sessions, now);
    let unwritten = context.measures.unwritten(context.store.cache().loads());
    if let Some(running) = buckets.last_mut() {
        running.counts.checks += unwritten.checks;
        running.counts.loads += unwritten.loads;
    }
    let mut totals = Counts::default();
    for bucket in &buckets {
        totals.add(&bucket.counts);
    }
    let members = members::read(snapshot, &ledger, first, levels.live_sessions).await?;
    Ok(Figures {
        range,
        now: levels,
        as_of: if ledger.since.is_some() {
            now
        } else {
            ledger.through
        },
        last_24h: last_24h(snapshot, &ledger).await?,
        buckets,
        totals,
        peak,
        by_organization: members.by_organization,
        by_role: members.by_role,
        by_method: members.by_method,
    })
}

/// Live sessions of each bucket, and the most of all. The running bucket ends now.
fn level_out(
    range: Range,
    buckets: &mut [Bucket],
    measured: &[Measured],
    live: Level,
    now: DateTime<Utc>,
) -> Option<Level> {
    let mut most: Option<Level> = None;
    for Measured { kind, level, hour } in measured {
        let place = range.place(hour.start(), now);
        let Some(bucket) = place.and_then(|place| buckets.get_mut(place)) else {
            continue;
        };
        if *kind == Kind::Live {
            bucket.live = Some(level.count);
        } else {
            bucket.peak = bucket.peak.max(Some(level.count));
            if most.is_none_or(|most| level.count > most.count) {
                most = Some(*level);
            }
        }
    }
    if let Some(running) = buckets.last_mut() {
        running.live = Some(live.count);
        running.peak = running.peak.max(Some(live.count));
    }
    most.filter(|most| most.count >= live.count).or(Some(live))
}

/// What happened in the last 24 hours.
async fn last_24h(snapshot: &Snapshot, ledger: &Ledger) -> Result<Counts, Error> {
    let from = ledger.now - TimeDelta::hours(24);
    let edge = Hour::of(from);
    let (mut counts, mut at_the_edge) = (Counts::default(), Counts::default());
    for sum in snapshot.sums(edge, 1, ledger.last_laid()).await? {
        let part = if sum.place == 0 {
            &mut at_the_edge
        } else {
            &mut counts
        };
        absorb(part, &sum.row, sum.tally);
    }
    let some = at_the_edge.created + at_the_edge.ended() + at_the_edge.sign_in_failed;
    if some > AT_THE_EDGE {
        counts.add(&at_the_edge);
    } else if some > 0 {
        let span = Span {
            from,
            to: edge.end().min(ledger.through),
        };
        // Nobody has ended more since, since it is over; but if, the whole hour counts.
        match snapshot.happened(span, AT_THE_EDGE).await? {
            Some(happened) => happened.iter().for_each(|each| note(&mut counts, each)),
            None => counts.add(&at_the_edge),
        }
    }
    let since = ledger.since().iter().filter(|each| instant(each) >= from);
    since.for_each(|each| note(&mut counts, each));
    Ok(counts)
}

/// How much there is now: counted, where it is no more than is counted at a look; as measured, where
/// it is more.
async fn levels_in(snapshot: &Snapshot, now: DateTime<Utc>) -> Result<Levels, Error> {
    let kinds = [
        Kind::Live,
        Kind::SignedInUsers,
        Kind::Users,
        Kind::DisabledUsers,
    ];
    let since = Hour::of(now - BELIEVED);
    let measured = snapshot.measured(&kinds, since, Hour::of(now)).await?;
    let last = |kind: Kind| {
        let of_kind = measured.iter().rfind(|measured| measured.kind == kind);
        of_kind.map(|measured| measured.level)
    };
    let many = |level: &Level| level.count > COUNTED;
    let exact = |count| Level { count, at: now };
    let more = exact(COUNTED + 1);
    let live = last(Kind::Live).filter(many);
    let few = match live {
        Some(_) => None,
        None => snapshot.few_live(now).await?,
    };
    let (live_sessions, signed_in_users) = match few {
        Some((sessions, users)) => (exact(sessions), exact(users)),
        None => (
            live.or(last(Kind::Live)).unwrap_or(more),
            last(Kind::SignedInUsers).unwrap_or(more),
        ),
    };
    let (users, disabled_users) = match last(Kind::Users).filter(many) {
        Some(users) => (users, last(Kind::DisabledUsers).unwrap_or(exact(0))),
        None => {
            let (users, disabled) = snapshot.some_users().await?;
            (exact(users), exact(disabled))
        }
    };
    Ok(Levels {
        users,
        disabled_users,
        live_sessions,
        signed_in_users,
    })
}

fn instant(happening: &Happening) -> DateTime<Utc> {
    match happening {
        Happening::Created { at }
        | Happening::Ended { at, .. }
        | Happening::SignInFailed { at } => *at,
    }
}

fn note(counts: &mut Counts, happening: &Happening) {
    match happening {
        Happening::Created { .. } => counts.created += 1,
        Happening::Ended { reason, secs, .. } => {
            *counts.ended_by_reason.entry(reason.clone()).or_default() += 1;
            counts.sum_secs += secs;
            counts.longest_secs = counts.longest_secs.max(*secs);
        }
        Happening::SignInFailed { .. } => counts.sign_in_failed += 1,
    }
}

fn absorb(counts: &mut Counts, row: &Row, tally: Tally) {
    match (row.kind, row.dimension) {
        (Kind::Created, Dimension::All) => counts.created += tally.count,
        (Kind::Ended, Dimension::All) => {
            counts.sum_secs += tally.sum_secs;
            counts.longest_secs = counts.longest_secs.max(tally.longest_secs);
        }
        (Kind::Ended, Dimension::Reason) => {
            let reason = row.member.clone();
            *counts.ended_by_reason.entry(reason).or_default() += tally.count;
        }
        (Kind::SignInFailed, Dimension::All) => counts.sign_in_failed += tally.count,
        (Kind::Checks, Dimension::Node) => counts.checks += tally.count,
        (Kind::Loads, Dimension::Node) => counts.loads += tally.count,
        // Of other members, and levels.
        (
            Kind::Created
            | Kind::Ended
            | Kind::SignInFailed
            | Kind::Live
            | Kind::LivePeak
            | Kind::SignedInUsers
            | Kind::Users
            | Kind::DisabledUsers
            | Kind::Checks
            | Kind::Loads,
            _,
        ) => {}
    }
}
