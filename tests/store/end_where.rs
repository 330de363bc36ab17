//! Ending sessions by what is known of them: which are meant, that the count and the end mean the
//! same, and that none is missed or counted twice while others sign in.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use portcullis::rules::audit::Origin;
use portcullis::rules::id::{SessionId, UserId};
use portcullis::service::end_session::{end_everyone, end_where};
use portcullis::service::error::Error;
use portcullis::service::session_query::{TypedQuery, preview};
use portcullis::service::sign_in::{SignIn, Visitor, sign_in};
use portcullis::settings::Secret;
use sea_orm::ConnectionTrait;
use serde_json::{Value, json};

use crate::bench::{Bench, id};
use crate::support::PASSWORD;

on_both! {
    each_criterion_means_what_it_says_and_all_of_them_must_hold
    what_makes_no_sense_is_refused_by_field_and_nothing_ends
    a_session_that_is_opened_meanwhile_is_neither_missed_nor_counted_twice
    many_at_once_end_each_session_once
}

async fn query(bench: &Bench, typed: &Value) -> Result<TypedQueryFound, Error> {
    let typed: TypedQuery = serde_json::from_value(typed.clone()).unwrap();
    let query = typed.resolve(&bench.context).await?;
    let found = preview(&bench.context, query.clone(), None, 100).await?;
    let ids = found.newest.iter().map(|row| row.session.id).collect();
    Ok(TypedQueryFound {
        query,
        sessions: found.sessions,
        users: found.users,
        ids,
    })
}

struct TypedQueryFound {
    query: portcullis::rules::session_query::SessionQuery,
    sessions: u64,
    users: u64,
    ids: BTreeSet<SessionId>,
}

async fn open(bench: &Bench, email: &str, ip: &str, user_agent: &str) -> SessionId {
    let request = SignIn {
        email: email.to_owned(),
        password: Secret::new(PASSWORD.to_owned()),
        remember: true,
        replaces: None,
    };
    let visitor = Visitor {
        ip: ip.parse().unwrap(),
        user_agent: user_agent.to_owned(),
    };
    let signed_in = sign_in(&bench.context, request, &visitor).await.unwrap();
    signed_in.facts.session_id
}

/// Five live sessions of three users, by the names the table below calls them, and one that has
/// ended though all else about it is as of the first.
async fn scene(bench: &Bench) -> BTreeMap<&'static str, SessionId> {
    let (ada, ben, cy) = ("ada@test.example", "ben@test.example", "cy@test.example");
    bench.user(ada, &["editor"]).await;
    bench.user(ben, &["editor_", "editors"]).await;
    bench.user(cy, &["editor"]).await;
    let gone = open(bench, ada, "192.0.2.7", "Firefox/138").await;
    let mut named = BTreeMap::from([
        ("old", open(bench, ada, "192.0.2.7", "Firefox/138").await),
        ("six", open(bench, ada, "2001:db8::7", "curl/8_1").await),
    ]);
    bench.clock.advance(TimeDelta::hours(1));
    named.insert(
        "near",
        open(bench, ben, "192.0.2.255", "FIREFOX/138 100%").await,
    );
    named.insert("next", open(bench, ben, "192.0.3.0", "Größe/1").await);
    named.insert("far", open(bench, cy, "203.0.113.9", "").await);
    let (gone, far) = (bench.literal(gone.0), bench.literal(named["far"].0));
    let organization = bench.literal(id());
    let (near, when) = (bench.literal(named["near"].0), "'2026-01-01T00:00:00Z'");
    for sql in [
        format!(
            "UPDATE sessions SET ended_at = updated_at, end_reason = 'signed-out' WHERE id = {gone}"
        ),
        format!("UPDATE sessions SET amr = 'pwd otp mfa' WHERE id = {far}"),
        format!("UPDATE sessions SET amr = 'pwdx x_otp' WHERE id = {near}"),
        format!(
            "INSERT INTO organizations VALUES ({organization}, 'engines', 'Engines', {when}, {when})"
        ),
        format!("UPDATE sessions SET organization_id = {organization} WHERE id IN ({near}, {far})"),
    ] {
        assert_ne!(bench.database.execute(&sql).await, 0, "{sql}");
    }
    named
}

async fn each_criterion_means_what_it_says_and_all_of_them_must_hold(bench: Bench) {
    let named = scene(&bench).await;
    let ada = bench.store().find_session(named["old"], bench.now()).await;
    let ada = ada.unwrap().unwrap().user_id;
    let before_the_hour = (bench.now() - TimeDelta::minutes(30)).to_rfc3339();
    let at_sign_in = bench.now().to_rfc3339();
    let after = (bench.now() + TimeDelta::seconds(1)).to_rfc3339();
    let cases = [
        (
            json!({ "user": "Ada@test.example " }),
            &["old", "six"][..],
            1,
        ),
        (json!({ "user": ada.to_string() }), &["old", "six"], 1),
        (json!({ "role": "editor" }), &["old", "six", "far"], 2),
        (json!({ "role": "nobodys" }), &[], 0),
        (json!({ "organization": "engines" }), &["near", "far"], 2),
        (json!({ "cidr": "192.0.2.0/24" }), &["old", "near"], 2),
        (
            json!({ "cidr": "192.0.2.0/23" }),
            &["old", "near", "next"],
            2,
        ),
        (json!({ "cidr": "192.0.3.0" }), &["next"], 1),
        (json!({ "cidr": "2001:db8::/32" }), &["six"], 1),
        (json!({ "cidr": "2001:db8:0:0:1::/80" }), &[], 0),
        // All of one kind, and none of the other.
        (json!({ "cidr": "::/0" }), &["six"], 1),
        (
            json!({ "cidr": "0.0.0.0/0" }),
            &["old", "near", "next", "far"],
            3,
        ),
        (
            json!({ "cidr": "::ffff:192.0.2.0/120" }),
            &["old", "near"],
            2,
        ),
        (
            json!({ "method": "pwd" }),
            &["old", "six", "next", "far"],
            3,
        ),
        (json!({ "method": "otp" }), &["far"], 1),
        (json!({ "method": "mfa" }), &["far"], 1),
        (json!({ "method": "x_otp" }), &["near"], 1),
        (json!({ "method": "xaotp" }), &[], 0),
        (
            json!({ "signed_in_before": before_the_hour }),
            &["old", "six"],
            1,
        ),
        (
            json!({ "signed_in_before": at_sign_in }),
            &["old", "six"],
            1,
        ),
        (
            json!({ "signed_in_before": after }),
            &["old", "six", "near", "next", "far"],
            3,
        ),
        (json!({ "idle_for": 3600 }), &["old", "six"], 1),
        (json!({ "idle_for": 3601 }), &[], 0),
        (json!({ "user_agent": "firefox" }), &["old", "near"], 2),
        (json!({ "user_agent": "FIREFOX/138" }), &["old", "near"], 2),
        (json!({ "user_agent": "0%" }), &["near"], 1),
        (json!({ "user_agent": "8_1" }), &["six"], 1),
        (json!({ "user_agent": "3_8" }), &[], 0),
        (json!({ "user_agent": "Größe" }), &["next"], 1),
        // Combined.
        (
            json!({ "role": "editor", "cidr": "192.0.2.0/24" }),
            &["old"],
            1,
        ),
        (
            json!({ "user": "ada@test.example", "user_agent": "curl" }),
            &["six"],
            1,
        ),
        (
            json!({ "organization": "engines", "method": "otp", "role": "editor" }),
            &["far"],
            1,
        ),
        (
            json!({ "user": "ben@test.example", "role": "editor" }),
            &[],
            0,
        ),
        (
            json!({ "user": "ada@test.example", "role": "editor", "cidr": "192.0.0.0/16",
                "method": "pwd", "signed_in_before": before_the_hour, "idle_for": 60,
                "user_agent": "Firefox" }),
            &["old"],
            1,
        ),
    ];
    let ended = "SELECT COUNT(*) FROM sessions WHERE ended_at IS NOT NULL";
    for (typed, expected, users) in cases {
        let expected: BTreeSet<_> = expected.iter().map(|name| named[name]).collect();
        let found = query(&bench, &typed).await.unwrap();
        assert_eq!(found.ids, expected, "{typed}");
        let count = expected.len() as u64;
        assert_eq!((found.sessions, found.users), (count, users), "{typed}");
        assert_eq!(
            bench.database.count(ended).await,
            1,
            "{typed} ended something"
        );
        // The end means the same.
        let receipt = end_where(&bench.context, found.query, None, Origin::HOST);
        let receipt = receipt.await.unwrap();
        assert_eq!(
            (receipt.matched, receipt.ended, receipt.users),
            (count, count, users),
            "{typed}"
        );
        assert_eq!(
            bench.database.count(ended).await,
            1 + expected.len() as i64,
            "{typed}"
        );
        let receipt_id = bench.literal(receipt.id);
        let audited = format!(
            "SELECT COUNT(DISTINCT session_id) FROM audit_events WHERE receipt_id = {receipt_id} \
             AND action = 'session-ended' AND reason = 'ended-by-admin' AND actor_kind = 'host'"
        );
        assert_eq!(
            bench.database.count(&audited).await,
            expected.len() as i64,
            "{typed}"
        );
        for session in expected {
            let ended = bench.store().find_session(session, bench.now()).await;
            assert_eq!(
                ended.unwrap().unwrap().ended.unwrap().reason.code(),
                "ended-by-admin"
            );
            // By hand, for the next case.
            let session = bench.literal(session.0);
            let sql = format!(
                "UPDATE sessions SET ended_at = NULL, end_reason = NULL WHERE id = {session}"
            );
            assert_eq!(bench.database.execute(&sql).await, 1);
        }
    }
}

async fn what_makes_no_sense_is_refused_by_field_and_nothing_ends(bench: Bench) {
    bench.user("ada@test.example", &[]).await;
    bench.session("ada@test.example").await;
    for (typed, field, said) in [
        (json!({}), "query", "at least one of user, role,"),
        (json!({ "user": null }), "query", "at least one of"),
        (
            json!({ "user": "nobody@test.example" }),
            "user",
            "no user `nobody@test.example`",
        ),
        (json!({ "user": "ada" }), "user", "`ada` is neither"),
        (
            json!({ "user": "", "method": "pwd" }),
            "user",
            "`` is neither",
        ),
        (
            json!({ "role": "", "method": "pwd" }),
            "role",
            "`` is no role",
        ),
        (
            json!({ "role": "Editor" }),
            "role",
            "`Editor` is no role: a role is",
        ),
        (
            json!({ "organization": "none" }),
            "organization",
            "no organisation `none`",
        ),
        (
            json!({ "cidr": "192.0.2.0/33" }),
            "cidr",
            "`192.0.2.0/33` is neither a network",
        ),
        (json!({ "cidr": "" }), "cidr", "`` is neither a network"),
        (
            json!({ "method": "p w d" }),
            "method",
            "`p w d` is no method",
        ),
        (
            json!({ "signed_in_before": "yesterday" }),
            "signed_in_before",
            "`yesterday` is no instant",
        ),
        (
            json!({ "signed_in_before": "2026-11-25T17:00:00" }),
            "signed_in_before",
            "is no instant",
        ),
        (
            json!({ "idle_for": 59 }),
            "idle_for",
            "59 is not a number of seconds from 60",
        ),
        (json!({ "idle_for": -1 }), "idle_for", "-1 is not"),
        (json!({ "user_agent": " " }), "user_agent", "user_agent"),
        (
            json!({ "user_agent": "x".repeat(201) }),
            "user_agent",
            "201 characters",
        ),
    ] {
        match query(&bench, &typed).await.err() {
            Some(Error::Invalid {
                field: named,
                problem,
            }) => {
                assert_eq!(named, field, "{typed}");
                assert!(problem.contains(said), "{typed}: {problem}");
            }
            other => panic!("{typed}: {other:?}"),
        }
    }
    let ended = "SELECT COUNT(*) FROM sessions WHERE ended_at IS NOT NULL";
    assert_eq!(bench.database.count(ended).await, 0);
}

/// Copies of a session, by hand.
async fn copies(bench: &Bench, of: SessionId, ids: &[uuid::Uuid]) -> String {
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

async fn ended_once(bench: &Bench, receipt: uuid::Uuid) -> (i64, i64) {
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
    let many: Vec<uuid::Uuid> = (0..1_499)
        .map(|n| uuid::Uuid::from_u128(u128::MAX - n))
        .collect();
    let made = copies(&bench, first, &many).await;
    bench.database.execute(&made).await;
    let found = query(&bench, &json!({ "cidr": "192.0.2.0/24" }))
        .await
        .unwrap();
    assert_eq!(found.sessions, 1_500);
    // Somebody holds a session of the second transaction, and by a clock that is behind opens one
    // whose id was passed long ago.
    let hand = bench.database.connect().await;
    let begin = if bench.database.is_postgres() {
        "BEGIN"
    } else {
        "BEGIN IMMEDIATE"
    };
    let held = bench.literal(many[0]);
    let hold = format!("UPDATE sessions SET updated_at = created_at WHERE id = {held}");
    for sql in [begin, &hold] {
        hand.execute_unprepared(sql).await.unwrap();
    }
    let late = uuid::Uuid::from_u128(1);
    let late_sign_in = copies(&bench, first, &[late]).await;
    let waiting = "SELECT COUNT(*) FROM pg_stat_activity \
                   WHERE datname = current_database() AND wait_event_type = 'Lock'";
    let (receipt, ()) = futures_util::future::join(
        end_where(&bench.context, found.query, None, Origin::HOST),
        async {
            while bench.database.is_postgres() && bench.database.count(waiting).await < 1 {}
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

async fn many_at_once_end_each_session_once(bench: Bench) {
    bench.user("ada@test.example", &[]).await;
    let first = bench.session("ada@test.example").await;
    let many: Vec<uuid::Uuid> = (0..999).map(|_| id()).collect();
    let made = copies(&bench, first, &many).await;
    bench.database.execute(&made).await;
    let found = query(&bench, &json!({ "method": "pwd" })).await.unwrap();
    let beside = bench.beside().await;
    let (one, other, everyone) = futures_util::future::join3(
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
