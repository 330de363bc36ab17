//! Ending sessions by what is known of them: which are meant, and that the count and the end mean
//! the same.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use portcullis::rules::audit::Origin;
use portcullis::rules::id::SessionId;
use portcullis::rules::session_query::SessionQuery;
use portcullis::service::end_session::end_where;
use portcullis::service::error::Error;
use portcullis::service::session_query::{TypedQuery, preview};
use portcullis::service::sign_in::{SignIn, Visitor, sign_in};
use portcullis::settings::Secret;
use serde_json::{Value, json};

use crate::bench::{Bench, id};
use crate::support::PASSWORD;

on_both! {
    each_criterion_means_what_it_says_and_all_of_them_must_hold
    what_makes_no_sense_is_refused_by_field_and_nothing_ends
}

pub(crate) async fn query(bench: &Bench, typed: &Value) -> Result<Found, Error> {
    let typed: TypedQuery = serde_json::from_value(typed.clone()).unwrap();
    let query = typed.resolve(&bench.context).await?;
    let found = preview(&bench.context, query.clone(), None, 100).await?;
    let ids = found.newest.iter().map(|row| row.session.id).collect();
    Ok(Found {
        query,
        sessions: found.sessions,
        users: found.users,
        ids,
    })
}

/// What a query means now.
pub(crate) struct Found {
    pub(crate) query: SessionQuery,
    pub(crate) sessions: u64,
    pub(crate) users: u64,
    pub(crate) ids: BTreeSet<SessionId>,
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
