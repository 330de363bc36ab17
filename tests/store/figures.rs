//! Figures over time: they say what a plain count over what happened says, however and by whom the
//! hours were counted.

mod gaps;
mod history;
mod indexes;
mod many;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};
use portcullis::rules::audit::Origin;
use portcullis::rules::end_reason::EndReason;
use portcullis::rules::figures::{Dimension, Figures, Hour, Kind, Range, Row, Tally};
use portcullis::service::Context;
use portcullis::service::authenticate::authenticate;
use portcullis::service::cleanup::{cleanup, round};
use portcullis::service::end_session::end;
use portcullis::service::figures::overview;
use portcullis::store::StoreError;
use portcullis::store::figures::HourCount;
use portcullis::store::sessions::Which;

use crate::bench::Bench;
use crate::figures::history::{History, assert_told};
use crate::support::chance::seed;

on_both! {
    a_history_is_told_as_it_was
    what_was_counted_stays_when_the_rows_are_gone
    two_nodes_that_count_at_once_double_nothing
    a_count_that_comes_late_replaces_none_that_saw_more
    what_is_committed_late_is_counted_later
    what_was_missed_is_caught_up_with
    an_hour_begins_and_ends_to_the_millisecond
    the_peak_stays_when_it_is_over
    each_node_counts_its_own_checks
    a_reset_leaves_no_figures
}

/// The beginning of an hour, some time after the bench's clock began.
async fn at_the_hour(bench: &Bench) -> DateTime<Utc> {
    let next = Hour::of(bench.now()).end();
    bench.clock.advance(next - bench.now());
    next
}

async fn told(context: &Context, range: Range) -> Figures {
    overview(context, range).await.unwrap()
}

async fn a_history_is_told_as_it_was(bench: Bench) {
    let mut history = History::begin(&bench, seed()).await;
    let other = bench.beside().await;
    for step in 0..120 {
        history.go_on().await;
        match history.chance.below(4) {
            0 => drop(round(&bench.context).await.unwrap()),
            1 => drop(cleanup(&other, Origin::HOST).await.unwrap()),
            _ => {}
        }
        if step % 12 == 0 {
            for range in Range::ALL {
                assert_told(&history, &told(&other, range).await).await;
            }
        }
    }
}

async fn what_was_counted_stays_when_the_rows_are_gone(bench: Bench) {
    let mut history = History::begin(&bench, seed()).await;
    for _ in 0..60 {
        history.go_on().await;
    }
    settle(&bench).await;
    for range in Range::ALL {
        assert_told(&history, &told(&bench.context, range).await).await;
    }
    let before = told(&bench.context, Range::Month).await;
    for table in ["refresh_tokens", "sessions", "audit_events"] {
        let sql = format!("DELETE FROM {table}");
        bench.database.execute(&sql).await;
    }
    let after = told(&bench.context, Range::Month).await;
    assert_eq!(after.totals, before.totals);
    assert_eq!(after.buckets.len(), before.buckets.len());
    for (one, other) in after.buckets.iter().zip(&before.buckets) {
        assert_eq!(one.counts, other.counts, "{}", one.from);
    }
    let numbers = |figures: &Figures| {
        let of = [
            &figures.by_organization,
            &figures.by_role,
            &figures.by_method,
        ];
        of.map(|members| {
            let mut numbers: Vec<_> = members
                .iter()
                .map(|one| (one.label.clone(), one.created, one.ended))
                .collect();
            numbers.sort();
            numbers
        })
    };
    assert_eq!(numbers(&after), numbers(&before));
    assert_eq!(after.now.live_sessions.count, 0);
}

/// Everything so far lies in hours that need no further count.
async fn settle(bench: &Bench) {
    bench.clock.advance(TimeDelta::minutes(71));
    for _ in 0..40 {
        cleanup(&bench.context, Origin::HOST).await.unwrap();
    }
}

async fn two_nodes_that_count_at_once_double_nothing(bench: Bench) {
    let mut history = History::begin(&bench, seed()).await;
    let other = bench.beside().await;
    for _ in 0..12 {
        history.go_on().await;
        history.go_on().await;
        let (one, another) = tokio::join!(
            cleanup(&bench.context, Origin::HOST),
            cleanup(&other, Origin::HOST)
        );
        one.unwrap();
        another.unwrap();
        cleanup(&other, Origin::HOST).await.unwrap();
    }
    bench.clock.advance(TimeDelta::minutes(71));
    let (one, another) = tokio::join!(
        cleanup(&bench.context, Origin::HOST),
        cleanup(&other, Origin::HOST)
    );
    one.unwrap();
    another.unwrap();
    assert_told(&history, &told(&other, Range::Month).await).await;
    // Nothing of it is counted at a look: what lies in the table is all there is.
    let sessions = bench.database.count(
        "SELECT CAST(SUM(count) AS BIGINT) FROM hourly_figures \
         WHERE kind = 'created' AND dimension = 'all'",
    );
    assert_eq!(sessions.await, i64::try_from(history.created()).unwrap());
    let markers =
        "SELECT COUNT(*) FROM hourly_figures WHERE kind = 'created' AND dimension = 'all'";
    let hours = "SELECT COUNT(DISTINCT hour) FROM hourly_figures WHERE kind = 'created'";
    assert_eq!(
        bench.database.count(markers).await,
        bench.database.count(hours).await
    );
}

async fn a_count_that_comes_late_replaces_none_that_saw_more(bench: Bench) {
    let count = |seconds: i64, created: u64| HourCount {
        hour: Hour::of(bench.now()),
        counted_at: bench.now() + TimeDelta::seconds(seconds),
        settled: false,
        rows: [(Dimension::All, ""), (Dimension::Method, "pwd")]
            .map(|(dimension, member)| {
                let row = Row {
                    kind: Kind::Created,
                    dimension,
                    member: member.to_owned(),
                };
                (row, Tally::of(created))
            })
            .into(),
    };
    let write = async |count: HourCount| {
        let act = bench.store().write(bench.now(), move |tx| {
            Box::pin(async move { tx.write_hour(count).await })
        });
        let written: Result<bool, StoreError> = act.await;
        written.unwrap()
    };
    assert!(write(count(0, 3)).await);
    assert!(write(count(60, 5)).await);
    // One that had looked before, and was held up on its way.
    assert!(!write(count(59, 4)).await);
    let all = "SELECT CAST(SUM(count) AS BIGINT) FROM hourly_figures";
    assert_eq!(bench.database.count(all).await, 10);
    assert!(write(count(60, 5)).await);
    assert_eq!(bench.database.count(all).await, 10);
}

async fn what_is_committed_late_is_counted_later(bench: Bench) {
    let mut history = History::begin(&bench, seed()).await;
    let hour = at_the_hour(&bench).await;
    bench.clock.advance(TimeDelta::minutes(30));
    cleanup(&bench.context, Origin::HOST).await.unwrap();
    let created = async || {
        let figures = told(&bench.context, Range::Day).await;
        let bucket = figures.buckets.iter().find(|bucket| bucket.from == hour);
        bucket.unwrap().counts.created
    };
    assert_eq!(created().await, 0);
    // Its instant is before the count, its commit after it.
    history.open_at(hour + TimeDelta::minutes(29)).await;
    assert_eq!(created().await, 0);
    cleanup(&bench.context, Origin::HOST).await.unwrap();
    assert_eq!(created().await, 1);
    // So long after its end as any act may take, the hour is counted again ...
    bench.clock.advance(TimeDelta::minutes(39));
    cleanup(&bench.context, Origin::HOST).await.unwrap();
    history.open_at(hour + TimeDelta::minutes(59)).await;
    assert_eq!(created().await, 1);
    bench.clock.advance(TimeDelta::seconds(61));
    cleanup(&bench.context, Origin::HOST).await.unwrap();
    assert_eq!(created().await, 2);
    // ... and then no more.
    history.open_at(hour + TimeDelta::minutes(59)).await;
    cleanup(&bench.context, Origin::HOST).await.unwrap();
    assert_eq!(created().await, 2);
}

async fn what_was_missed_is_caught_up_with(bench: Bench) {
    let mut history = History::begin(&bench, seed()).await;
    let began = Hour::of(bench.now());
    history.go_on().await;
    cleanup(&bench.context, Origin::HOST).await.unwrap();
    for _ in 0..60 {
        history.go_on().await;
    }
    bench.clock.advance(TimeDelta::hours(60));
    history.go_on().await;
    let hours = Hour::of(bench.now()).0 - began.0;
    assert!(hours > 60);
    let settled = "SELECT COUNT(*) FROM hourly_figures WHERE settled";
    let mut before = bench.database.count(settled).await;
    let mut rounds = 0;
    loop {
        // Before, while and after: told alike.
        for range in Range::ALL {
            assert_told(&history, &told(&bench.context, range).await).await;
        }
        cleanup(&bench.context, Origin::HOST).await.unwrap();
        let now = bench.database.count(settled).await;
        assert!(now - before <= 24, "{now} after {before}");
        if now == before {
            break;
        }
        rounds += 1;
        before = now;
    }
    assert!(rounds >= 3, "{rounds}");
    let missing = hours - before;
    assert!((0..=1).contains(&missing), "{missing} of {hours}");
}

async fn an_hour_begins_and_ends_to_the_millisecond(bench: Bench) {
    let mut history = History::begin(&bench, seed()).await;
    let hour = at_the_hour(&bench).await + TimeDelta::hours(1);
    let milli = TimeDelta::milliseconds(1);
    for at in [
        hour - milli,
        hour,
        hour + TimeDelta::hours(1) - milli,
        hour + TimeDelta::hours(1),
    ] {
        bench.clock.advance(at - bench.now());
        let id = history.open().await;
        history.end(id, EndReason::SignedOut).await;
        // Counted at the very instant, and after it.
        cleanup(&bench.context, Origin::HOST).await.unwrap();
        assert_told(&history, &told(&bench.context, Range::Day).await).await;
    }
    let figures = told(&bench.context, Range::Day).await;
    let counts: Vec<_> = figures.buckets[21..]
        .iter()
        .map(|bucket| (bucket.counts.created, bucket.counts.ended()))
        .collect();
    assert_eq!(counts, [(1, 1), (2, 2), (1, 1)]);
    // The last 24 hours are these to the second, whatever the hour.
    bench
        .clock
        .advance(hour + TimeDelta::hours(24) - bench.now());
    for counted in [false, true] {
        if counted {
            cleanup(&bench.context, Origin::HOST).await.unwrap();
        }
        let figures = told(&bench.context, Range::Day).await;
        assert_eq!(figures.last_24h.created, 3, "{counted}");
        assert_eq!(figures.last_24h.ended(), 3);
    }
    bench.clock.advance(milli);
    assert_eq!(told(&bench.context, Range::Day).await.last_24h.created, 2);
}

async fn the_peak_stays_when_it_is_over(bench: Bench) {
    let mut history = History::begin(&bench, seed()).await;
    let hour = at_the_hour(&bench).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        open.push(history.open().await);
    }
    bench.clock.advance(TimeDelta::seconds(7));
    cleanup(&bench.context, Origin::HOST).await.unwrap();
    let when = bench.now();
    bench.clock.advance(TimeDelta::minutes(1));
    for id in open.drain(1..) {
        history.end(id, EndReason::EndedByUser).await;
    }
    // Measured again, by another node too, it is not the most any more.
    for context in [bench.context.clone(), bench.beside().await] {
        cleanup(&context, Origin::HOST).await.unwrap();
        bench.clock.advance(TimeDelta::minutes(1));
    }
    let figures = told(&bench.context, Range::Day).await;
    let peak = figures.peak.unwrap();
    assert_eq!((peak.count, peak.at), (3, when));
    let bucket = figures.buckets.last().unwrap();
    assert_eq!(
        (bucket.from, bucket.live, bucket.peak),
        (hour, Some(1), Some(3))
    );
    assert_eq!(figures.buckets[0].live, None);
    // At a look, a higher one is seen before anybody has measured it.
    for _ in 0..4 {
        history.open().await;
    }
    let peak = told(&bench.context, Range::Week).await.peak.unwrap();
    assert_eq!((peak.count, peak.at), (5, bench.now()));
    cleanup(&bench.context, Origin::HOST).await.unwrap();
    // The hour keeps what was last measured in it, and its peak.
    bench.clock.advance(TimeDelta::hours(1));
    end(
        &bench.context,
        Which::Everyone,
        EndReason::EveryoneOut,
        Origin::HOST,
    )
    .await
    .unwrap();
    cleanup(&bench.context, Origin::HOST).await.unwrap();
    let figures = told(&bench.context, Range::Day).await;
    let levels: Vec<_> = figures.buckets[22..]
        .iter()
        .map(|bucket| (bucket.live, bucket.peak))
        .collect();
    assert_eq!(levels, [(Some(5), Some(5)), (Some(0), Some(0))]);
    assert_eq!(figures.peak.unwrap().count, 5);
}

async fn each_node_counts_its_own_checks(bench: Bench) {
    let other = bench.beside().await;
    let hour = at_the_hour(&bench).await;
    // A token that is none is checked too.
    let checks = async |context: &Context, times: u64| {
        for _ in 0..times {
            authenticate(context, "no token").await.unwrap();
        }
    };
    checks(&bench.context, 5).await;
    checks(&other, 2).await;
    let told_checks = async || {
        let figures = told(&bench.context, Range::Day).await;
        let bucket = figures.buckets.iter().find(|bucket| bucket.from == hour);
        (bucket.unwrap().counts.checks, figures.totals.hit_rate())
    };
    // Its own are known at once, those of others when they have written them.
    assert_eq!(told_checks().await, (5, Some(10_000)));
    for _ in 0..3 {
        round(&bench.context).await.unwrap();
        round(&other).await.unwrap();
        assert_eq!(told_checks().await, (7, Some(10_000)));
    }
    checks(&other, 4).await;
    bench.clock.advance(TimeDelta::hours(1));
    round(&other).await.unwrap();
    checks(&other, 8).await;
    round(&other).await.unwrap();
    assert_eq!(told_checks().await.0, 11);
    let figures = told(&bench.context, Range::Day).await;
    assert_eq!(figures.totals.checks, 19);
    let rows = "SELECT COUNT(*) FROM hourly_figures WHERE kind = 'checks'";
    assert_eq!(bench.database.count(rows).await, 3);
}

async fn a_reset_leaves_no_figures(bench: Bench) {
    let mut history = History::begin(&bench, seed()).await;
    for _ in 0..10 {
        history.go_on().await;
    }
    cleanup(&bench.context, Origin::HOST).await.unwrap();
    let rows = "SELECT COUNT(*) FROM hourly_figures";
    assert_ne!(bench.database.count(rows).await, 0);
    portcullis::service::reset::reset(&bench.context, Origin::HOST)
        .await
        .unwrap();
    assert_eq!(bench.database.count(rows).await, 0);
    let figures = told(&bench.context, Range::Month).await;
    assert_eq!(
        figures.totals,
        portcullis::rules::figures::Counts::default()
    );
    assert_eq!(figures.as_of, bench.now().trunc_subsecs(6));
}
