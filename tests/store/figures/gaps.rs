//! No hour is lost: not to time that passes while others are counted, nor to a clock that was wrong,
//! nor to a database that refuses one.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use migration::{Migrator, MigratorTrait};
use portcullis::clock::Clock;
use portcullis::rules::audit::Origin;
use portcullis::rules::figures::{Hour, Range};
use portcullis::service::Context;
use portcullis::service::authenticate::authenticate;
use portcullis::service::cleanup::{cleanup, round};
use portcullis::service::figures::{keep, measured_live};
use portcullis::store::{Store, StoreError};

use crate::bench::{Bench, StoppedClock};
use crate::figures::history::{History, assert_told};
use crate::figures::{at_the_hour, told};
use crate::support::chance::seed;
use crate::support::postgres::Cluster;
use crate::support::settings;

on_both! {
    time_that_passes_while_hours_are_counted_loses_none
    a_gap_is_filled_and_nothing_else_is_counted_again
    what_a_clock_ahead_has_counted_is_counted_anew
    an_hour_that_cannot_be_counted_keeps_nobody_from_the_others
    checks_that_could_not_be_written_are_so_later
    the_last_measurement_is_told_however_old_it_is
}

/// A clock that goes on whenever it is looked at.
#[derive(Debug)]
struct WalkingClock(StoppedClock);

impl Clock for WalkingClock {
    fn now(&self) -> DateTime<Utc> {
        self.0.advance(TimeDelta::seconds(10));
        self.0.instant()
    }
}

/// Another process on the bench's database, with a clock of its own.
async fn beside(bench: &Bench, clock: Arc<dyn Clock>) -> Context {
    let store = Store::open(&bench.settings()).await.unwrap();
    Context::start(bench.settings(), store, clock)
        .await
        .unwrap()
}

/// From now on the database refuses rows of figures with this in a column.
async fn refuse(bench: &Bench, column: &str, value: &str) {
    let sql = if bench.database.is_postgres() {
        format!(
            "ALTER TABLE hourly_figures ADD CONSTRAINT refused CHECK ({column} <> {value}) NOT VALID"
        )
    } else {
        format!(
            "CREATE TRIGGER refused BEFORE INSERT ON hourly_figures WHEN NEW.{column} = {value} \
             BEGIN SELECT RAISE(ABORT, 'refused'); END"
        )
    };
    bench.database.execute(&sql).await;
}

async fn refuse_no_more(bench: &Bench) {
    let sql = if bench.database.is_postgres() {
        "ALTER TABLE hourly_figures DROP CONSTRAINT refused"
    } else {
        "DROP TRIGGER refused"
    };
    bench.database.execute(sql).await;
}

/// A session in each of so many hours, and nobody counts.
async fn pass(history: &mut History, bench: &Bench, hours: usize) {
    for _ in 0..hours {
        history.open().await;
        bench.clock.advance(TimeDelta::hours(1));
    }
}

async fn settled_rows(bench: &Bench, condition: &str) -> i64 {
    let sql = format!("SELECT COUNT(*) FROM hourly_figures WHERE settled AND {condition}");
    bench.database.count(&sql).await
}

async fn time_that_passes_while_hours_are_counted_loses_none(bench: Bench) {
    let mut history = History::begin(&bench, seed()).await;
    at_the_hour(&bench).await;
    cleanup(&bench.context, Origin::HOST).await.unwrap();
    pass(&mut history, &bench, 40).await;
    bench.clock.advance(TimeDelta::minutes(9));
    let before = bench.now();
    let walking = beside(&bench, Arc::new(WalkingClock(bench.clock.clone()))).await;
    keep(&walking, None).await.unwrap();
    // An hour that was open when the round began needs no further count when it is over.
    assert_eq!(Hour::of(before), Hour::of(bench.now()));
    let last = Hour(Hour::of(before).0 - 1);
    assert!(!last.is_settled_at(before) && last.is_settled_at(bench.now()));
    assert_told(&history, &told(&bench.context, Range::Week).await).await;
    for _ in 0..3 {
        cleanup(&bench.context, Origin::HOST).await.unwrap();
        assert_told(&history, &told(&bench.context, Range::Week).await).await;
    }
    assert!(settled_rows(&bench, "kind = 'created' AND dimension = 'all'").await >= 40);
}

async fn a_gap_is_filled_and_nothing_else_is_counted_again(bench: Bench) {
    let mut history = History::begin(&bench, seed()).await;
    let hour = Hour::of(at_the_hour(&bench).await);
    pass(&mut history, &bench, 12).await;
    bench.clock.advance(TimeDelta::minutes(11));
    cleanup(&bench.context, Origin::HOST).await.unwrap();
    let counted_at = bench.now();
    bench.clock.advance(TimeDelta::minutes(5));
    for gap in [3, 4, 8] {
        let sql = format!("DELETE FROM hourly_figures WHERE hour = {}", hour.0 + gap);
        assert_ne!(bench.database.execute(&sql).await, 0);
    }
    // Found at a look, and counted by the next round.
    assert_told(&history, &told(&bench.context, Range::Day).await).await;
    let all = "kind = 'created' AND dimension = 'all'";
    let before = settled_rows(&bench, all).await;
    cleanup(&bench.context, Origin::HOST).await.unwrap();
    assert_eq!(settled_rows(&bench, all).await, before + 3);
    let later = counted_at + TimeDelta::minutes(1);
    let later = later.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let anew = format!("{all} AND counted_at > '{later}'");
    assert_eq!(settled_rows(&bench, &anew).await, 3);
    assert_told(&history, &told(&bench.context, Range::Day).await).await;
}

async fn what_a_clock_ahead_has_counted_is_counted_anew(bench: Bench) {
    let mut history = History::begin(&bench, seed()).await;
    at_the_hour(&bench).await;
    pass(&mut history, &bench, 3).await;
    let ahead = StoppedClock::new();
    ahead.advance(bench.now() + TimeDelta::days(3) - ahead.instant());
    let ahead = beside(&bench, Arc::new(ahead)).await;
    for _ in 0..5 {
        keep(&ahead, None).await.unwrap();
    }
    for _ in 0..8 {
        bench.clock.advance(TimeDelta::minutes(20));
        history.open().await;
        assert_told(&history, &told(&bench.context, Range::Day).await).await;
        cleanup(&bench.context, Origin::HOST).await.unwrap();
        assert_told(&history, &told(&bench.context, Range::Day).await).await;
        let measured = measured_live(&bench.context).await.unwrap().unwrap();
        assert_eq!(measured.at, bench.now());
    }
    // Laid, and not only counted at the look.
    bench.clock.advance(TimeDelta::seconds(1));
    cleanup(&bench.context, Origin::HOST).await.unwrap();
    let laid = "SELECT CAST(SUM(count) AS BIGINT) FROM hourly_figures \
                WHERE kind = 'created' AND dimension = 'all'";
    assert_eq!(bench.database.count(laid).await, 11);
}

async fn an_hour_that_cannot_be_counted_keeps_nobody_from_the_others(bench: Bench) {
    let mut history = History::begin(&bench, seed()).await;
    let hour = Hour::of(at_the_hour(&bench).await);
    pass(&mut history, &bench, 6).await;
    refuse(&bench, "hour", &(hour.0 + 2).to_string()).await;
    bench.clock.advance(TimeDelta::minutes(11));
    let rows = async |hour: i64| {
        let sql = format!("SELECT COUNT(*) FROM hourly_figures WHERE hour = {hour}");
        bench.database.count(&sql).await
    };
    for _ in 0..2 {
        cleanup(&bench.context, Origin::HOST).await.unwrap();
        for (after, counted) in [(1, true), (2, false), (3, true), (5, true), (6, true)] {
            assert_eq!(rows(hour.0 + after).await > 0, counted, "{after}");
        }
        assert_told(&history, &told(&bench.context, Range::Day).await).await;
    }
    refuse_no_more(&bench).await;
    cleanup(&bench.context, Origin::HOST).await.unwrap();
    assert_ne!(rows(hour.0 + 2).await, 0);
    assert_told(&history, &told(&bench.context, Range::Day).await).await;
}

async fn checks_that_could_not_be_written_are_so_later(bench: Bench) {
    let hour = at_the_hour(&bench).await;
    let check = async |times: u64| {
        for _ in 0..times {
            authenticate(&bench.context, "no token").await.unwrap();
        }
    };
    check(2).await;
    round(&bench.context).await.unwrap();
    check(5).await;
    bench.clock.advance(TimeDelta::hours(1));
    refuse(&bench, "kind", "'checks'").await;
    for _ in 0..2 {
        round(&bench.context).await.unwrap();
        let figures = told(&bench.context, Range::Day).await;
        assert_eq!(figures.totals.checks, 7);
    }
    refuse_no_more(&bench).await;
    check(1).await;
    round(&bench.context).await.unwrap();
    let figures = told(&bench.context, Range::Day).await;
    let bucket = figures.buckets.iter().find(|bucket| bucket.from == hour);
    assert_eq!(bucket.unwrap().counts.checks, 7);
    assert_eq!(figures.totals.checks, 8);
}

async fn the_last_measurement_is_told_however_old_it_is(bench: Bench) {
    assert_eq!(measured_live(&bench.context).await.unwrap(), None);
    cleanup(&bench.context, Origin::HOST).await.unwrap();
    let measured = bench.now();
    bench.clock.advance(TimeDelta::days(2));
    let level = measured_live(&bench.context).await.unwrap().unwrap();
    assert_eq!((level.count, level.at), (0, measured));
}

#[tokio::test]
async fn nobody_waits_for_a_database_that_stands_still_to_close_a_look() {
    let cluster = Cluster::start();
    let directory = tempfile::tempdir().unwrap();
    let settings = settings(directory.path(), &cluster.database(), &[]);
    let store = Store::open(&settings).await.unwrap();
    Migrator::up(store.schema_connection(), None).await.unwrap();
    let snapshot = store.snapshot().await.unwrap();
    cluster.freeze();
    // As long as any question may take, and some time to spare.
    let closed = tokio::time::timeout(Duration::from_secs(8), snapshot.close()).await;
    cluster.thaw();
    assert!(
        matches!(closed, Ok(Err(StoreError::Unavailable(None)))),
        "{closed:?}"
    );
}
