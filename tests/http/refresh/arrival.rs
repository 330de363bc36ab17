//! Lost answers and copies: which of the two it is, is told by whether anybody has the successor.

use futures_util::future::join_all;
use portcullis::rules::audit::Origin;
use portcullis::service::authenticate::{Authentication, authenticate};
use portcullis::service::cleanup::cleanup;
use portcullis::service::receipts::write_receipts;
use reqwest::Method;
use serde_json::{Value, json};

use super::{assert_ended, audited, live_tokens, tokens, with_session};
use crate::support::{Answer, PASSWORD, Server, Tokens};

/// A server whose sessions live long enough to lose an answer for an hour.
async fn patient() -> (Server, Tokens) {
    let limits = [("PORTCULLIS_SESSION_IDLE_SECS", "7200")];
    let server = Server::start_with(&limits).await;
    let user = server.user("ada@test.example", &[]).await;
    let first = server.sign_in(&user).await;
    (server, first)
}

#[tokio::test]
async fn a_client_that_lost_an_answer_an_hour_ago_goes_on() {
    let (server, first) = patient().await;
    let lost = tokens(&server.refresh(&first.refresh).await);
    for pause in [3600, 29, 31, 3600] {
        server.advance(pause);
        let again = tokens(&server.refresh(&first.refresh).await);
        assert_eq!(again.refresh, lost.refresh);
        assert_eq!(again.session_id, first.session_id);
        assert_eq!(live_tokens(&server).await, 1);
    }
    let arrived = tokens(&server.refresh(&first.refresh).await);
    assert_eq!(server.verify(&arrived.access).await.status, 200);
    let next = tokens(&server.refresh(&arrived.refresh).await);
    assert_eq!(server.verify(&next.access).await.status, 200);
    assert_eq!(audited(&server, "refresh-reuse", None).await, 0);
    // Not for longer than the session may be idle.
    server.advance(7200);
    assert_ended(&server.refresh(&next.refresh).await, "idle");
}

#[tokio::test]
async fn twenty_tabs_that_come_back_after_a_lost_answer_all_go_on() {
    let (server, first) = patient().await;
    let lost = tokens(&server.refresh(&first.refresh).await);
    server.advance(3600);
    let early = tokens(&server.refresh(&first.refresh).await);
    // One tab works already, and the others are still on their way.
    assert_eq!(server.verify(&early.access).await.status, 200);
    server.advance(20);
    let all = join_all((0..19).map(|_| server.refresh(&first.refresh))).await;
    for one in all.iter().map(tokens) {
        assert_eq!(one.refresh, lost.refresh);
        assert_eq!(server.verify(&one.access).await.status, 200);
    }
    assert_eq!(live_tokens(&server).await, 1);
    assert_eq!(audited(&server, "refresh-reuse", None).await, 0);
    // They shared thirty seconds, which began when the successor was last given to nobody known.
    server.advance(10);
    assert_ended(&server.refresh(&first.refresh).await, "refresh-reuse");
}

#[tokio::test]
async fn asvs_10_4_5_once_its_access_token_was_seen_a_copy_is_found_out() {
    let (server, first) = patient().await;
    for use_it in ["/api/auth/verify", "/api/auth/session", "/api/sessions"] {
        let again = server.sign_in_again().await;
        let next = tokens(&server.refresh(&again.refresh).await);
        assert_eq!(server.get(use_it, Some(&next.access)).await.status, 200);
        server.advance(29);
        let tab = tokens(&server.refresh(&again.refresh).await);
        assert_eq!(tab.refresh, next.refresh);
        server.advance(1);
        assert_ended(&server.refresh(&again.refresh).await, "refresh-reuse");
        assert_ended(&server.verify(&tab.access).await, "refresh-reuse");
        assert_ended(&server.refresh(&next.refresh).await, "refresh-reuse");
    }
    assert_eq!(audited(&server, "refresh-reuse", None).await, 3);
    // Nobody else's session has come to harm.
    assert_eq!(server.refresh(&first.refresh).await.status, 200);
}

#[tokio::test]
async fn any_access_token_of_a_successor_tells_that_it_arrived_and_no_other() {
    let (server, first) = patient().await;
    let lost = tokens(&server.refresh(&first.refresh).await);
    // Younger than the answer that got lost, but obtained with the cookies of before.
    server.advance(100);
    let answer = server.token_by_cookies(&first).await;
    let younger = answer.json()["access_token"].as_str().unwrap().to_owned();
    for access in [&first.access, &younger] {
        assert_eq!(server.verify(access).await.status, 200);
    }
    server.advance(100);
    let second = tokens(&server.refresh(&first.refresh).await);
    let third = tokens(&server.refresh(&first.refresh).await);
    for again in [&second, &third] {
        assert_eq!(again.refresh, lost.refresh);
        assert_ne!(jti(&again.access), jti(&lost.access));
    }
    assert_eq!(server.verify(&second.access).await.status, 200);
    server.advance(30);
    assert_ended(&server.refresh(&first.refresh).await, "refresh-reuse");
}

#[tokio::test]
async fn asvs_10_4_5_a_copy_that_was_used_first_is_found_out_when_its_owner_comes() {
    let (server, first) = patient().await;
    // The thief is first; the owner's next use tells.
    let stolen = tokens(&server.refresh(&first.refresh).await);
    assert_eq!(server.verify(&stolen.access).await.status, 200);
    server.advance(600);
    assert_ended(&server.refresh(&first.refresh).await, "refresh-reuse");
    assert_ended(&server.refresh(&stolen.refresh).await, "refresh-reuse");
    // The thief takes an answer for lost that was not used yet; the owner's successor tells.
    let again = server.sign_in_again().await;
    let owner = tokens(&server.refresh(&again.refresh).await);
    server.advance(60);
    let thief = tokens(&server.refresh(&again.refresh).await);
    assert_eq!(thief.refresh, owner.refresh);
    let onwards = tokens(&server.refresh(&owner.refresh).await);
    assert_ended(&server.refresh(&again.refresh).await, "refresh-reuse");
    assert_ended(&server.verify(&onwards.access).await, "refresh-reuse");
}

#[tokio::test]
async fn what_another_node_has_seen_and_not_written_signs_nobody_out_and_is_late() {
    let (server, first) = patient().await;
    let beside = server.beside().await;
    let next = tokens(&server.refresh(&first.refresh).await);
    let seen = authenticate(&beside, &next.access).await.unwrap();
    assert!(matches!(seen, Authentication::SignedIn(_)));
    server.advance(60);
    let again = tokens(&server.refresh(&first.refresh).await);
    assert_eq!(
        again.refresh, next.refresh,
        "as if the answer had been lost"
    );
    write_receipts(&beside).await.unwrap();
    assert_eq!(
        tokens(&server.refresh(&first.refresh).await).refresh,
        next.refresh,
        "still another tab"
    );
    server.advance(30);
    assert_ended(&server.refresh(&first.refresh).await, "refresh-reuse");
}

#[tokio::test]
async fn a_fresh_proof_ends_a_lineage_and_begins_another() {
    let (server, first) = patient().await;
    let lost = tokens(&server.refresh(&first.refresh).await);
    let proof = json!({ "password": PASSWORD });
    let answer = server.post("/api/auth/step-up", Some(&first.access), proof);
    let proven = tokens(&answer.await);
    for old in [&first.refresh, &lost.refresh] {
        assert_eq!(server.refresh(old).await.code(), "invalid-token");
    }
    let next = tokens(&server.refresh(&proven.refresh).await);
    server.advance(3600);
    let again = tokens(&server.refresh(&proven.refresh).await);
    assert_eq!(again.refresh, next.refresh);
    assert_eq!(server.verify(&again.access).await.status, 200);
    server.advance(31);
    assert_ended(&server.refresh(&proven.refresh).await, "refresh-reuse");
}

async fn refresh_from(server: &Server, ip: &str, refresh: &str) -> Answer {
    let request = server
        .request(Method::POST, "/api/auth/refresh")
        .header("x-forwarded-for", ip)
        .json(&json!({ "refresh_token": refresh }));
    Answer::read(request.send().await.unwrap()).await
}

#[tokio::test]
async fn the_audit_of_a_theft_names_both_addresses() {
    let server = Server::start_with(&[("PORTCULLIS_TRUSTED_PROXIES", "127.0.0.1")]).await;
    let admin = server.admin().await;
    server.user("ada@test.example", &[]).await;
    const HOME: &str = "192.0.2.1";
    const TRAIN: &str = "2001:db8::2";
    const THIEF: &str = "203.0.113.66";
    for (onwards, last) in [(&[][..], HOME), (&[HOME, TRAIN], TRAIN)] {
        let first = server.sign_in_again().await;
        let mut current = tokens(&refresh_from(&server, HOME, &first.refresh).await);
        assert_eq!(server.verify(&current.access).await.status, 200);
        for ip in onwards {
            current = tokens(&refresh_from(&server, ip, &current.refresh).await);
        }
        server.advance(60);
        let answer = refresh_from(&server, THIEF, &first.refresh).await;
        assert_ended(&answer, "refresh-reuse");
        let access = server.sign_in(&admin).await.access;
        let path = "/api/admin/audit?action=refresh-reuse";
        let audit: Value = server.get(path, Some(&access)).await.json();
        let event = &audit["events"][0];
        assert_eq!(event["ip"], THIEF, "{event}");
        assert_eq!(event["session_id"], first.session_id, "{event}");
        let detail = event["detail"].as_str().unwrap();
        let expected = format!("the session had last been renewed from {last} at 20");
        assert!(detail.starts_with(&expected), "{detail}");
        assert!(detail.ends_with(" UTC"), "{detail}");
    }
    // The other way round: it was the thief who had the last answer.
    let first = server.sign_in_again().await;
    let lost = tokens(&refresh_from(&server, HOME, &first.refresh).await);
    let stolen = tokens(&refresh_from(&server, THIEF, &first.refresh).await);
    assert_eq!(stolen.refresh, lost.refresh);
    assert_eq!(server.verify(&stolen.access).await.status, 200);
    server.advance(60);
    assert_ended(
        &refresh_from(&server, HOME, &first.refresh).await,
        "refresh-reuse",
    );
    let sql = format!(
        "SELECT COUNT(*) FROM audit_events WHERE action = 'refresh-reuse' AND ip = '{HOME}' \
         AND detail LIKE 'the session had last been renewed from {THIEF} at %'"
    );
    assert_eq!(server.database.count(&sql).await, 1);
}

#[tokio::test]
async fn of_each_session_one_address_is_kept_and_that_for_the_set_time() {
    let variables = [
        ("PORTCULLIS_TRUSTED_PROXIES", "127.0.0.1"),
        ("PORTCULLIS_ADDRESS_RETENTION_DAYS", "1"),
    ];
    let server = Server::start_with(&variables).await;
    server.user("ada@test.example", &[]).await;
    let kept = async |ip: &str| {
        let sql = format!("SELECT COUNT(*) FROM refresh_tokens WHERE given_ip = '{ip}'");
        server.database.count(&sql).await
    };
    let stolen = server.sign_in_again().await;
    let mut current = stolen.clone();
    for ip in ["192.0.2.1", "192.0.2.2", "192.0.2.3"] {
        current = tokens(&refresh_from(&server, ip, &current.refresh).await);
        assert_eq!(kept(ip).await, 1);
    }
    assert_eq!(kept("192.0.2.1").await + kept("192.0.2.2").await, 0);
    let answer = refresh_from(&server, "203.0.113.66", &stolen.refresh).await;
    assert_ended(&answer, "refresh-reuse");
    for (seconds, left) in [(86_399, 1), (2, 0)] {
        server.advance(seconds);
        cleanup(&server.context, Origin::SYSTEM).await.unwrap();
        let told = "SELECT COUNT(*) FROM audit_events WHERE detail LIKE '%192.0.2.3%'";
        assert_eq!(server.database.count(told).await, left);
        assert_eq!(kept("192.0.2.3").await, left);
    }
    let noted = "SELECT COUNT(*) FROM audit_events WHERE detail = 'of 1 renewals'";
    assert_eq!(server.database.count(noted).await, 1);
}

/// Tokens that were rotated by a version that kept nothing of arrivals.
#[tokio::test]
async fn tokens_of_before_answer_for_thirty_seconds_and_no_longer() {
    let (server, _, first) = with_session().await;
    tokens(&server.refresh(&first.refresh).await);
    let forget =
        "UPDATE refresh_tokens SET awaited_receipt = NULL, given_at = NULL, given_ip = NULL";
    assert_eq!(server.database.execute(forget).await, 2);
    server.advance(29);
    tokens(&server.refresh(&first.refresh).await);
    server.advance(1);
    assert_ended(&server.refresh(&first.refresh).await, "refresh-reuse");
    let detail = "SELECT COUNT(*) FROM audit_events WHERE action = 'refresh-reuse' \
                  AND detail LIKE '%renewed from an address that is not known at %'";
    assert_eq!(server.database.count(detail).await, 1);
}

fn jti(access: &str) -> Value {
    super::claims(access)["jti"].clone()
}

impl Server {
    async fn sign_in_again(&self) -> Tokens {
        let answer = self.try_sign_in("ada@test.example", PASSWORD).await;
        tokens(&answer)
    }
}
