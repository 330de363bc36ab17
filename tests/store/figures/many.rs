//! Where there is too much to count at each look, figures are what was last counted, and say when.

use chrono::{DateTime, TimeDelta, Utc};
use portcullis::rules::audit::Origin;
use portcullis::rules::figures::{Hour, REST, Range};
use portcullis::service::cleanup::cleanup;
use portcullis::service::figures::{keep, overview};

use crate::bench::Bench;

on_both! {
    more_than_are_counted_at_a_look_are_as_last_measured
    an_hour_has_a_bounded_number_of_rows
    an_organisation_that_is_gone_keeps_its_figures
}

/// So many sessions of the user, all opened at this instant, in organisations by turns.
async fn open_many(bench: &Bench, at: DateTime<Utc>, count: usize, organizations: usize) {
    let millis = at.timestamp_millis();
    let when = at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let later = (at + TimeDelta::days(20)).to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    let (series, id) = if bench.database.is_postgres() {
        (
            format!("SELECT generate_series(1, {count}) AS n"),
            format!(
                "(lpad(to_hex({millis}::bigint), 12, '0') || '7' || lpad(to_hex(n % 4096), 3, '0') \
                 || '8' || lpad(to_hex(n), 15, '0'))::uuid"
            ),
        )
    } else {
        (
            format!("SELECT 1 AS n UNION ALL SELECT n + 1 FROM series WHERE n < {count}"),
            format!("unhex(printf('%012x7%03x8%015x', {millis}, n % 4096, n))"),
        )
    };
    for number in 0..organizations {
        let sql = format!(
            "INSERT INTO organizations (id, slug, name, created_at, updated_at) \
             VALUES ({}, 'o{number}', 'Organisation {number}', '{when}', '{when}')",
            bench.literal(organization(number))
        );
        bench.database.execute(&sql).await;
    }
    let chosen = match organizations {
        0 => "NULL".to_owned(),
        all => format!("(SELECT id FROM organizations WHERE slug = 'o' || (n % {all}))"),
    };
    let sql = format!(
        "WITH RECURSIVE series AS ({series}) INSERT INTO sessions (id, user_id, organization_id, \
          remembered, amr, auth_time, idle_timeout_secs, last_seen_at, idle_expires_at, expires_at, \
          ip, user_agent, device, browser, os, created_at, updated_at) \
         SELECT {id}, users.id, {chosen}, false, 'pwd', '{when}', 3600, '{when}', '{later}', \
          '{later}', '', '', '', '', '', '{when}', '{when}' FROM series, users"
    );
    assert_eq!(bench.database.execute(&sql).await, count as u64);
}

fn organization(number: usize) -> uuid::Uuid {
    uuid::Uuid::from_u128(0x0197_0000_0000_7000_8000_0000_0000_0000 + number as u128)
}

async fn more_than_are_counted_at_a_look_are_as_last_measured(bench: Bench) {
    bench.user("ada@test.example", &["editor"]).await;
    bench
        .clock
        .advance(Hour::of(bench.now()).end() - bench.now());
    let opened = bench.now();
    open_many(&bench, opened, 10_050, 0).await;
    bench.clock.advance(TimeDelta::minutes(1));
    let look = async || overview(&bench.context, Range::Day).await.unwrap();
    // Nobody has counted: there are more than anybody counts at a look, and that is all it says.
    let figures = look().await;
    assert_eq!(figures.now.live_sessions.count, 10_001);
    assert_eq!(figures.totals.created, 0);
    // Known is what was before the first hour of which anything is left: that of the user.
    assert_eq!(figures.as_of, opened - TimeDelta::hours(1));

    keep(&bench.context, None).await.unwrap();
    let counted = bench.now();
    bench.clock.advance(TimeDelta::minutes(1));
    bench.session("ada@test.example").await;
    let figures = look().await;
    let live = figures.now.live_sessions;
    assert_eq!((live.count, live.at), (10_050, counted));
    assert_eq!(figures.now.signed_in_users.count, 1);
    // What happened since is little again, and counted.
    assert_eq!(figures.totals.created, 10_051);
    assert_eq!(figures.last_24h.created, 10_051);
    assert_eq!(figures.as_of, bench.now());
    let by = |members: &[portcullis::rules::figures::Member]| {
        let all = members.iter();
        all.map(|one| (one.label.clone(), one.live, one.created))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        by(&figures.by_role),
        [("editor".to_owned(), 10_050, 10_051)]
    );
    assert_eq!(by(&figures.by_method), [("pwd".to_owned(), 10_050, 10_051)]);

    // Much since the last count: it is told with the instant up to which it is known.
    open_many(&bench, bench.now() + TimeDelta::seconds(1), 2_100, 0).await;
    bench.clock.advance(TimeDelta::minutes(1));
    let figures = look().await;
    assert_eq!(figures.totals.created, 10_050);
    assert_eq!(figures.as_of, counted);
    keep(&bench.context, None).await.unwrap();
    let figures = look().await;
    assert_eq!(figures.totals.created, 12_151);
    assert_eq!(figures.as_of, bench.now());
    assert_eq!(figures.now.live_sessions.count, 12_151);
    assert_eq!(figures.peak.unwrap().count, 12_151);
    // A measurement of yesterday is not shown as if it were one.
    bench.clock.advance(TimeDelta::hours(25));
    assert_eq!(look().await.now.live_sessions.count, 10_001);
}

async fn an_hour_has_a_bounded_number_of_rows(bench: Bench) {
    bench.user("ada@test.example", &[]).await;
    bench
        .clock
        .advance(Hour::of(bench.now()).end() - bench.now());
    open_many(&bench, bench.now(), 240, 60).await;
    bench.clock.advance(TimeDelta::minutes(1));
    keep(&bench.context, None).await.unwrap();
    let rows =
        "SELECT COUNT(*) FROM hourly_figures WHERE dimension = 'organization' AND kind = 'created'";
    assert_eq!(bench.database.count(rows).await, 51);
    let figures = overview(&bench.context, Range::Day).await.unwrap();
    assert_eq!(figures.by_organization.len(), 21);
    let rest = figures.by_organization.last().unwrap();
    assert_eq!(
        (rest.member.as_str(), rest.label.as_str()),
        (REST, "others")
    );
    let created: u64 = figures.by_organization.iter().map(|one| one.created).sum();
    assert_eq!(created, 240);
    assert!(
        figures.by_organization[..20]
            .iter()
            .all(|one| one.created == 4 && one.live == 4)
    );
}

async fn an_organisation_that_is_gone_keeps_its_figures(bench: Bench) {
    bench.user("ada@test.example", &[]).await;
    bench
        .clock
        .advance(Hour::of(bench.now()).end() - bench.now());
    open_many(&bench, bench.now(), 10, 2).await;
    bench.clock.advance(TimeDelta::minutes(71));
    cleanup(&bench.context, Origin::HOST).await.unwrap();
    let sql = format!(
        "DELETE FROM organizations WHERE id = {}",
        bench.literal(organization(1))
    );
    assert_eq!(bench.database.execute(&sql).await, 1);
    let figures = overview(&bench.context, Range::Day).await.unwrap();
    let mut shown: Vec<_> = figures
        .by_organization
        .iter()
        .map(|one| (one.label.as_str(), one.live, one.created))
        .collect();
    shown.sort_unstable();
    let expected = [
        ("Organisation 0", 5, 5),
        ("gone organisation", 0, 5),
        ("none", 5, 0),
    ];
    assert_eq!(shown, expected);
}
