//! Ending many sessions by what is known of them while others sign in and end: none is missed, and
//! none is counted twice.

use chrono::TimeDelta;
use futures_util::future::{join, join3};
use portcullis::rules::audit::Origin;
use portcullis::rules::id::{SessionId, UserId};
use portcullis::service::end_session::{end_everyone, end_where};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::json;
use uuid::Uuid;

use crate::bench::{Bench, id};
use crate::end_where::query;

on_both! {
    a_session_that_is_opened_meanwhile_is_neither_missed_nor_counted_twice
    a_session_that_is_used_meanwhile_is_not_idle
    many_at_once_end_each_session_once
}

/// Somebody with `psql` or `sqlite3` in the middle of a change.
async fn by_hand(bench: &Bench, change: &str) -> DatabaseConnection {
    let hand = bench.database.connect().await;
    let begin = if bench.database.is_postgres() {
        "BEGIN"
    } else {
        "BEGIN IMMEDIATE"
    };
    for sql in [begin, change] {
        hand.execute_unprepared(sql).await.unwrap();
    }
    hand
}

/// Comes back when somebody waits for what another holds; SQLite does not tell.
async fn until_waiting(bench: &Bench) {
    let waiting = "SELECT COUNT(*) FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while bench.database.is_postgres() && bench.database.count(waiting).await < 1 {}
}

/// Copies of a session, by hand.
async fn copies(bench: &Bench, of: SessionId, ids: &[Uuid]) -> String {
    let columns = "user_id, remembered, amr, auth_time, idle_timeout_secs, last_seen_at, \
                   idle_expires_at, expires_at, ip, ip_bytes, user_agent, device, browser, os, \
                   created_at, updated_at";
    let ids: Vec<String> = ids
        .iter()
        .map(|id| format!("({})", bench.literal(*id)))
        .collect();
    format!(
        "INSERT INTO sessions (id, {columns}) SELECT n.column1, {columns} FROM sessions, \
         (VALUES {}) AS n WHERE id = {}",
        if bench.database.is_postgres() {
            ids.join(", ").replace("')", "'::uuid)")
        } else {
            ids.join(", ")
        },
        bench.literal(of.0)
    )
}

async fn ended_once(bench: &Bench, receipt: Uuid) -> (i64, i64) {
    let receipt = bench.literal(receipt);
    let of = format!("FROM audit_events WHERE action = 'session-ended' AND receipt_id = {receipt}");
    let rows = bench.database.count(&format!("SELECT COUNT(*) {of}")).await;
    let sessions = format!("SELECT COUNT(DISTINCT session_id) {of}");
    (rows, bench.database.count(&sessions).await)
}

async fn a_session_that_is_opened_meanwhile_is_neither_missed_nor_counted_twice(bench: Bench) {
    let ada: UserId = bench.user("ada@test.example", &[]).await;
    let first = bench.session("ada@test.example").await;
    // More than one transaction ends.
    let many: Vec<Uuid> = (0..1_499).map(|n| Uuid::from_u128(u128::MAX - n)).collect();
    let made = copies(&bench, first, &many).await;
    bench.database.execute(&made).await;
    let found = query(&bench, &json!({ "cidr": "192.0.2.0/24" }))
        .await
        .unwrap();
    assert_eq!(found.sessions, 1_500);
    // Somebody holds a session of the second transaction, and by a clock that is behind opens one
    // whose id was passed long ago.
    let held = bench.literal(many[0]);
    let hold = format!("UPDATE sessions SET updated_at = created_at WHERE id = {held}");
    let hand = by_hand(&bench, &hold).await;
    let late = Uuid::from_u128(1);
    let late_sign_in = copies(&bench, first, &[late]).await;
    let (receipt, ()) = join(
        end_where(&bench.context, found.query, None, Origin::HOST),
        async {
            until_waiting(&bench).await;
            for sql in [late_sign_in.as_str(), "COMMIT"] {
                hand.execute_unprepared(sql).await.unwrap();
            }
        },
    )
    .await;
    let receipt = receipt.unwrap();
    assert_eq!(bench.open_sessions(ada).await, 0);
    assert_eq!(
        (receipt.matched, receipt.ended, receipt.users),
        (1_501, 1_501, 1)
    );
    assert_eq!(ended_once(&bench, receipt.id).await, (1_501, 1_501));
}

async fn a_session_that_is_used_meanwhile_is_not_idle(bench: Bench) {
    let ada = bench.user("ada@test.example", &[]).await;
    let used = bench.session("ada@test.example").await;
    bench.session("ada@test.example").await;
    bench.clock.advance(TimeDelta::seconds(600));
    let found = query(&bench, &json!({ "idle_for": 600 })).await.unwrap();
    assert_eq!(found.sessions, 2);
    let (used, now) = (bench.literal(used.0), bench.now().to_rfc3339());
    let touch = format!("UPDATE sessions SET last_seen_at = '{now}' WHERE id = {used}");
    let hand = by_hand(&bench, &touch).await;
    let (receipt, ()) = join(
        end_where(&bench.context, found.query, None, Origin::HOST),
        async {
            until_waiting(&bench).await;
            hand.execute_unprepared("COMMIT").await.unwrap();
        },
    )
    .await;
    assert_eq!(receipt.unwrap().ended, 1);
    assert_eq!(bench.open_sessions(ada).await, 1);
    let kept = format!("SELECT COUNT(*) FROM sessions WHERE id = {used} AND ended_at IS NULL");
    assert_eq!(bench.database.count(&kept).await, 1);
}

async fn many_at_once_end_each_session_once(bench: Bench) {
    bench.user("ada@test.example", &[]).await;
    let first = bench.session("ada@test.example").await;
    let many: Vec<Uuid> = (0..999).map(|_| id()).collect();
    let made = copies(&bench, first, &many).await;
    bench.database.execute(&made).await;
    let found = query(&bench, &json!({ "method": "pwd" })).await.unwrap();
    let beside = bench.beside().await;
    let (one, other, everyone) = join3(
        end_where(&bench.context, found.query.clone(), None, Origin::HOST),
        end_where(&beside, found.query, None, Origin::HOST),
        end_everyone(&beside, None, Origin::HOST),
    )
    .await;
    let (one, other, everyone) = (one.unwrap(), other.unwrap(), everyone.unwrap());
    assert_eq!(one.ended + other.ended + everyone, 1_000);
    let rows = "SELECT COUNT(*) FROM audit_events WHERE action = 'session-ended'";
    assert_eq!(bench.database.count(rows).await, 1_000);
}
