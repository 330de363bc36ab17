//! Refreshing: rotation, lost answers, the short window in which two tabs are one, reuse, races, and
//! the renewal of a page request on its way.

mod arrival;
mod pages;

use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::{Answer, Server, TestUser, Tokens};

async fn with_session() -> (Server, TestUser, Tokens) {
    let server = Server::start().await;
    let user = server.user("ada@test.example", &[]).await;
    let tokens = server.sign_in(&user).await;
    (server, user, tokens)
}

fn tokens(answer: &Answer) -> Tokens {
    assert_eq!(answer.status, 200, "{}", answer.text);
    Tokens::from(answer.json())
}

fn assert_ended(answer: &Answer, reason: &str) {
    assert_eq!(answer.status, 401, "{}", answer.text);
    assert_eq!(answer.code(), "session-ended");
    assert_eq!(answer.json()["reason"], reason, "{}", answer.text);
}

async fn audited(server: &Server, action: &str, reason: Option<&str>) -> i64 {
    let reason = reason.map_or(String::new(), |reason| format!(" AND reason = '{reason}'"));
    let sql = format!("SELECT COUNT(*) FROM audit_events WHERE action = '{action}'{reason}");
    server.database.count(&sql).await
}

async fn live_tokens(server: &Server) -> i64 {
    let sql = "SELECT COUNT(*) FROM refresh_tokens WHERE consumed_at IS NULL";
    server.database.count(sql).await
}

#[tokio::test]
async fn each_use_gives_a_new_refresh_token_and_an_access_token_of_the_same_session() {
    let (server, user, first) = with_session().await;
    let mut seen = vec![first.refresh.clone()];
    let mut current = first.clone();
    for _ in 0..5 {
        server.advance(60);
        let next = tokens(&server.refresh(&current.refresh).await);
        assert_eq!(next.session_id, first.session_id);
        assert_eq!(next.document["user"]["id"], user.id.to_string());
        assert_eq!(next.document["token_type"], "Bearer");
        assert!(!seen.contains(&next.refresh));
        assert_eq!(server.verify(&next.access).await.status, 200);
        seen.push(next.refresh.clone());
        current = next;
    }
    assert_eq!(live_tokens(&server).await, 1);
    let sessions = server
        .get("/api/sessions", Some(&current.access))
        .await
        .json();
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn within_thirty_seconds_the_old_token_gets_the_same_successor() {
    let (server, _, first) = with_session().await;
    let next = tokens(&server.refresh(&first.refresh).await);
    for seconds in [0, 10, 19] {
        server.advance(seconds);
        let again = tokens(&server.refresh(&first.refresh).await);
        assert_eq!(again.refresh, next.refresh);
        assert_eq!(again.session_id, first.session_id);
        assert_eq!(server.verify(&again.access).await.status, 200);
    }
    assert_eq!(live_tokens(&server).await, 1);
    let last = tokens(&server.refresh(&next.refresh).await);
    assert_ne!(last.refresh, next.refresh);
    assert_eq!(audited(&server, "refresh-reuse", None).await, 0);
}

#[tokio::test]
async fn twenty_at_once_are_one_lineage() {
    let (server, _, first) = with_session().await;
    let mut current = first.refresh;
    for count in [2, 20] {
        let all = join_all((0..count).map(|_| server.refresh(&current))).await;
        let all: Vec<Tokens> = all.iter().map(tokens).collect();
        for one in &all {
            assert_eq!(one.refresh, all[0].refresh);
            assert_eq!(server.verify(&one.access).await.status, 200);
        }
        assert_eq!(live_tokens(&server).await, 1);
        current = all[0].refresh.clone();
    }
    assert_eq!(server.refresh(&current).await.status, 200);
    assert_eq!(audited(&server, "refresh-reuse", None).await, 0);
}

#[tokio::test]
async fn asvs_10_4_5_a_token_used_again_too_late_ends_the_whole_session() {
    let (server, user, first) = with_session().await;
    let bystander = server.sign_in(&user).await;
    let next = tokens(&server.refresh(&first.refresh).await);
    assert_eq!(server.verify(&next.access).await.status, 200);
    server.advance(30);
    let answer = server.refresh(&first.refresh).await;
    assert_ended(&answer, "refresh-reuse");
    for access in [&first.access, &next.access] {
        assert_ended(&server.verify(access).await, "refresh-reuse");
    }
    for refresh in [&next.refresh, &first.refresh] {
        assert_ended(&server.refresh(refresh).await, "refresh-reuse");
    }
    assert_eq!(audited(&server, "refresh-reuse", None).await, 1);
    assert_eq!(
        audited(&server, "session-ended", Some("refresh-reuse")).await,
        1
    );
    // Nobody else's session has come to harm.
    assert_eq!(server.verify(&bystander.access).await.status, 200);
    assert_eq!(server.refresh(&bystander.refresh).await.status, 200);
}

#[tokio::test]
async fn asvs_10_4_5_once_its_successor_was_used_the_window_is_shut() {
    let (server, _, first) = with_session().await;
    let second = tokens(&server.refresh(&first.refresh).await);
    let third = tokens(&server.refresh(&second.refresh).await);
    assert_ended(&server.refresh(&first.refresh).await, "refresh-reuse");
    assert_ended(&server.verify(&third.access).await, "refresh-reuse");
    assert_ended(&server.refresh(&third.refresh).await, "refresh-reuse");
    assert_eq!(audited(&server, "refresh-reuse", None).await, 1);
}

#[tokio::test]
async fn a_refresh_that_races_an_end_never_yields_a_live_token() {
    let server = Server::start().await;
    let (admin, ada) = (
        server.admin().await,
        server.user("ada@test.example", &[]).await,
    );
    let admin = server.sign_in(&admin).await.access;
    let mut rounds = Vec::new();
    for _ in 0..50 {
        rounds.push(server.sign_in(&ada).await);
    }
    let (server, admin) = (&server, admin.as_str());
    let raced = join_all(rounds.iter().enumerate().map(async |(number, round)| {
        let path = format!("/api/admin/sessions/{}", round.session_id);
        let end = server.delete(&path, Some(admin));
        let refresh = server.refresh(&round.refresh);
        // Each of them sets out first in half of the rounds.
        let (ended, renewed) = if number % 2 == 0 {
            join(end, refresh).await
        } else {
            let (renewed, ended) = join(refresh, end).await;
            (ended, renewed)
        };
        assert_eq!(ended.status, 204, "{}", ended.text);
        (round, renewed)
    }))
    .await;
    let mut renewed_first = 0;
    for (round, renewed) in raced {
        assert_ended(&server.verify(&round.access).await, "ended-by-admin");
        assert_ended(&server.refresh(&round.refresh).await, "ended-by-admin");
        if renewed.status == 200 {
            renewed_first += 1;
            let renewed = tokens(&renewed);
            assert_ended(&server.verify(&renewed.access).await, "ended-by-admin");
            assert_ended(&server.refresh(&renewed.refresh).await, "ended-by-admin");
        } else {
            assert_ended(&renewed, "ended-by-admin");
        }
    }
    assert!(
        renewed_first < 50,
        "no end ever came first: nothing was raced"
    );
}

#[tokio::test]
async fn asvs_7_3_2_an_access_token_never_outlives_its_session() {
    let limits = [
        ("PORTCULLIS_SESSION_LIFETIME_SECS", "400"),
        ("PORTCULLIS_SESSION_IDLE_SECS", "400"),
    ];
    let server = Server::start_with(&limits).await;
    let user = server.user("ada@test.example", &[]).await;
    let mut current = server.sign_in(&user).await;
    let expires_at = current.document["session"]["expires_at"].clone();
    let end = chrono::DateTime::parse_from_rfc3339(expires_at.as_str().unwrap()).unwrap();
    for _ in 0..3 {
        assert_eq!(
            current.document["session"]["expires_at"], expires_at,
            "it is not moved"
        );
        assert!(exp(&current.access) <= end.timestamp());
        let left = end.timestamp() - server.context.now().timestamp();
        let said = current.document["expires_in"].as_i64().unwrap();
        // The clock runs on between the answer and this look at it.
        let possible = left.min(300) - 1..=(left + 60).min(300);
        assert!(possible.contains(&said), "{}", current.document);
        assert!(current.document["refresh_expires_in"].as_i64().unwrap() <= left);
        let given = server.token_by_cookies(&current).await.json();
        assert!(exp(given["access_token"].as_str().unwrap()) <= end.timestamp());
        server.advance(130);
        current = tokens(&server.refresh(&current.refresh).await);
    }
    server.advance(10);
    assert_ended(&server.refresh(&current.refresh).await, "absolute-lifetime");
    assert_eq!(server.verify(&current.access).await.code(), "token-expired");
}

/// A use that the table has not been told of yet counts all the same.
#[tokio::test]
async fn asvs_7_3_1_a_session_in_use_can_be_refreshed() {
    let server = Server::start_with(&[("PORTCULLIS_SESSION_IDLE_SECS", "60")]).await;
    let user = server.user("ada@test.example", &[]).await;
    let current = server.sign_in(&user).await;
    server.advance(50);
    assert_eq!(server.verify(&current.access).await.status, 200);
    server.advance(20);
    let other = server.user("clean@test.example", &["admin"]).await;
    let other = server.sign_in(&other).await.access;
    let cleaned = server
        .call(Method::POST, "/api/admin/cleanup", Some(&other), None)
        .await;
    assert_eq!(cleaned.json()["cleaned"], 0);
    let renewed = tokens(&server.refresh(&current.refresh).await);
    server.advance(59);
    let renewed = tokens(&server.refresh(&renewed.refresh).await);
    server.advance(60);
    assert_ended(&server.refresh(&renewed.refresh).await, "idle");
}

#[tokio::test]
async fn what_nobody_issued_refreshes_nothing() {
    let (server, _, first) = with_session().await;
    let long = "x".repeat(10_000);
    let upper = first.refresh.to_uppercase();
    let shorter = &first.refresh[..first.refresh.len() - 1];
    for text in [
        "",
        "x",
        &long,
        &upper,
        shorter,
        &format!("{} ", first.refresh),
        "' OR 1=1--",
        "\u{0}",
    ] {
        let answer = server.refresh(text).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (401, "invalid-token")
        );
    }
    for document in [json!({}), json!({"refresh_token": null})] {
        let answer = server.post("/api/auth/refresh", None, document).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (401, "no-credential")
        );
    }
    for document in [
        json!({"refresh_token": 1}),
        json!({"token": "x"}),
        json!([]),
    ] {
        let answer = server.post("/api/auth/refresh", None, document).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (400, "invalid-request")
        );
    }
    let answer = server
        .call(Method::POST, "/api/auth/refresh", Some(&first.access), None)
        .await;
    assert_eq!(answer.status, 415, "an access token renews nothing");
    assert_eq!(server.refresh(&first.refresh).await.status, 200);
    // Only hashes are kept.
    let sql = "SELECT COUNT(*) FROM refresh_tokens WHERE LENGTH(token_hash) = 32";
    assert_eq!(server.database.count(sql).await, 2);
}

fn exp(access: &str) -> i64 {
    claims(access)["exp"].as_i64().unwrap()
}

fn claims(access: &str) -> Value {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let payload = URL_SAFE_NO_PAD
        .decode(access.split('.').nth(1).unwrap())
        .unwrap();
    serde_json::from_slice(&payload).unwrap()
}
