//! What policies do to sessions: at sign-in, and to those that are live.

use serde_json::json;

use super::Policed;
use crate::support::{PASSWORD, Server, Tokens};
use portcullis::service::cleanup::cleanup;
use portcullis::service::touches::write_touches;

#[tokio::test]
async fn asvs_7_1_1_of_settings_role_and_organisation_the_strictest_counts_at_sign_in() {
    let house = Policed::open().await;
    let server = &house.server;
    let ada = server.user("ada@test.example", &["editor"]).await;
    let bob = server.user("bob@test.example", &[]).await;
    house.join(&ada).await;
    house
        .set(
            "role/editor",
            json!({ "idle_secs": 900, "lifetime_secs": 99999 }),
        )
        .await;
    house
        .set(
            "organization/acme",
            json!({ "idle_secs": 1200, "lifetime_secs": 7200, "remembered_idle_secs": 3600 }),
        )
        .await;
    assert_eq!(house.limits(&server.sign_in(&ada).await).await, (900, 7200));
    assert_eq!(
        house.limits(&server.sign_in(&bob).await).await,
        (3600, 28_800),
        "nobody else"
    );
    let remember = json!({ "email": ada.email, "password": PASSWORD, "remember": true });
    let answer = server.post("/api/auth/sign-in", None, remember).await;
    let remembered = Tokens::from(answer.json());
    assert_eq!(house.limits(&remembered).await, (3600, 2_592_000));
}

#[tokio::test]
async fn asvs_7_3_2_no_token_outlives_a_session_that_a_policy_cut_short() {
    let house = Policed::open().await;
    let server = &house.server;
    let ada = server.user("ada@test.example", &["editor"]).await;
    let tokens = server.sign_in(&ada).await;
    assert_eq!(
        house
            .set("role/editor", json!({ "lifetime_secs": 120 }))
            .await,
        1
    );
    let renewed = server.refresh(&tokens.refresh).await.json();
    let life = renewed["expires_in"].as_i64().unwrap();
    assert!((100..=120).contains(&life), "{life}");
    let until = renewed["refresh_expires_in"].as_i64().unwrap();
    assert!((100..=120).contains(&until), "{until}");
    let renewed = Tokens::from(renewed);
    server.advance(120);
    // The token from before the policy is no better: the facts count.
    let refused = server.verify(&tokens.access).await;
    assert_eq!(
        refused.json()["reason"],
        "absolute-lifetime",
        "{}",
        refused.text
    );
    assert_eq!(server.verify(&renewed.access).await.code(), "token-expired");
}

#[tokio::test]
async fn asvs_7_3_1_a_stricter_policy_counts_for_live_sessions_at_once() {
    let house = Policed::open().await;
    let server = &house.server;
    let ada = server.user("ada@test.example", &["editor"]).await;
    let bob = server.user("bob@test.example", &[]).await;
    let (used, unused) = (server.sign_in(&ada).await, server.sign_in(&ada).await);
    let of_bob = server.sign_in(&bob).await;
    assert_eq!(
        house.set("role/editor", json!({ "idle_secs": 300 })).await,
        2
    );
    assert_eq!(house.limits(&used).await, (300, 28_800));
    assert_eq!(house.limits(&of_bob).await, (3600, 28_800));
    server.advance(200);
    assert_eq!(server.verify(&used.access).await.status, 200);
    write_touches(&server.context).await.unwrap();
    server.advance(99);
    assert_eq!(server.verify(&used.access).await.status, 200);
    server.advance(1);
    let used = Tokens::from(server.refresh(&used.refresh).await.json());
    assert_eq!(
        server.verify(&used.access).await.status,
        200,
        "real use counts"
    );
    let refused = server.refresh(&unused.refresh).await;
    assert_eq!(refused.json()["reason"], "idle", "{}", refused.text);
    // Loosening it, or setting it anew, raises nothing.
    assert_eq!(
        house.set("role/editor", json!({ "idle_secs": 3000 })).await,
        0
    );
    assert_eq!(house.limits(&used).await, (300, 28_800));
    assert_eq!(
        house.limits(&server.sign_in(&ada).await).await,
        (3000, 28_800)
    );
    assert_eq!(house.audited("limits-lowered").await, 1);
}

#[tokio::test]
async fn a_use_reckoned_by_the_timeout_of_before_does_not_prolong_a_session() {
    let house = Policed::open().await;
    let server = &house.server;
    let ada = server.user("ada@test.example", &["editor"]).await;
    let tokens = server.sign_in(&ada).await;
    server.advance(30);
    assert_eq!(server.verify(&tokens.access).await.status, 200);
    // Noted by the hour it had then, and written after the policy.
    house.set("role/editor", json!({ "idle_secs": 300 })).await;
    write_touches(&server.context).await.unwrap();
    let session = tokens.session_id.parse().unwrap();
    let now = server.context.now();
    let row = server.context.store.find_session(session, now).await;
    let row = row.unwrap().unwrap();
    let unused = row.idle_expires_at - row.last_seen_at;
    assert!(
        (299_999..=300_000).contains(&unused.num_milliseconds()),
        "{unused}"
    );
    assert!(
        (now - row.last_seen_at).num_seconds() < 5,
        "the use itself counts"
    );
}

#[tokio::test]
async fn who_comes_under_a_policy_is_held_to_it_in_the_sessions_that_are_live() {
    let house = Policed::open().await;
    let server = &house.server;
    let ada = server.user("ada@test.example", &["editor"]).await;
    let eve = server.user("eve@test.example", &["editor", "staff"]).await;
    house.set("role/staff", json!({ "idle_secs": 600 })).await;
    house
        .set("organization/acme", json!({ "lifetime_secs": 3600 }))
        .await;
    let tokens = server.sign_in(&ada).await;
    assert_eq!(house.limits(&tokens).await, (3600, 28_800));
    house.roles(&ada, &["editor", "staff"]).await;
    assert_eq!(house.limits(&tokens).await, (600, 28_800));
    house.join(&ada).await;
    assert_eq!(house.limits(&tokens).await, (600, 3600));
    // Losing it again raises nothing, and ends nothing unless a policy says so.
    house.roles(&ada, &["editor"]).await;
    assert_eq!(house.leave(&ada).await, 0);
    assert_eq!(house.limits(&tokens).await, (600, 3600));
    let verified = server.verify(&tokens.access).await;
    assert_eq!(
        (verified.status.as_u16(), verified.header("x-user-roles")),
        (200, "editor")
    );
    drop(eve);
}

#[tokio::test]
async fn a_role_or_membership_taken_away_ends_the_sessions_where_a_policy_says_so() {
    let house = Policed::open().await;
    let server = &house.server;
    let ends = json!({ "end_on_role_change": true });
    let ada = server.user("ada@test.example", &["editor", "staff"]).await;
    let bob = server.user("bob@test.example", &["staff"]).await;
    house.set("role/editor", ends.clone()).await;
    house.set("organization/acme", ends).await;
    let cases: [(&str, &[&str]); 2] = [("the role itself", &["staff"]), ("another", &["editor"])];
    for (what, roles) in cases {
        house.roles(&ada, &["editor", "staff"]).await;
        let tokens = server.sign_in(&ada).await;
        let mut browser = server.signed_in_browser(&ada).await;
        house.roles(&ada, roles).await;
        let refused = server.verify(&tokens.access).await;
        assert_eq!(refused.code(), "session-ended", "{what}");
        assert_eq!(refused.json()["reason"], "role-taken", "{what}");
        let page = browser.get("/account").await;
        let why = browser.get(page.location()).await.text;
        assert!(
            why.contains("because a role or membership of your account was taken away on "),
            "{why}"
        );
    }
    let tokens = server.sign_in(&bob).await;
    house.roles(&bob, &[]).await;
    assert_eq!(
        server.verify(&tokens.access).await.status,
        200,
        "no policy asks for it"
    );
    house.join(&bob).await;
    assert_eq!(house.leave(&bob).await, 1);
    let refused = server.verify(&tokens.access).await;
    assert_eq!(refused.json()["reason"], "role-taken");
    // Giving a role ends nothing.
    let tokens = server.sign_in(&ada).await;
    house.roles(&ada, &["editor", "staff", "more"]).await;
    assert_eq!(server.verify(&tokens.access).await.status, 200);
}

#[tokio::test]
async fn what_a_crash_or_a_race_left_beyond_a_policy_is_brought_within_it_later() {
    let house = Policed::open().await;
    let server = &house.server;
    let ada = server.user("ada@test.example", &["editor"]).await;
    let context = &server.context;
    let host = portcullis::rules::audit::Origin::HOST;
    house.set("role/editor", json!({ "idle_secs": 600 })).await;
    // A sign-in at the same moment, that had read the policy before.
    let tokens = server.sign_in(&ada).await;
    let loose = "UPDATE sessions SET idle_timeout_secs = 3600";
    server.database.execute(loose).await;
    cleanup(context, host).await.unwrap();
    assert_eq!(house.limits(&tokens).await, (600, 28_800));
    server.database.execute(loose).await;
    server.advance(60);
    cleanup(context, host).await.unwrap();
    assert_eq!(house.limits(&tokens).await, (600, 28_800));
    let settled = "SELECT COUNT(*) FROM session_policies WHERE applied_at IS NOT NULL";
    assert_eq!(server.database.count(settled).await, 1);
    // From then on all is as it should be, and nothing more is looked at.
    server.database.execute(loose).await;
    cleanup(context, host).await.unwrap();
    assert_eq!(house.limits(&tokens).await, (3600, 28_800));
}

#[tokio::test]
async fn a_policy_set_beside_a_running_server_counts_in_it() {
    let server = Server::start().await;
    server.admin().await;
    let ada = server.user("ada@test.example", &["editor"]).await;
    let tokens = server.sign_in(&ada).await;
    assert_eq!(server.verify(&tokens.access).await.status, 200);
    let beside = server.beside().await;
    let draft = portcullis::rules::policy::PolicyDraft {
        lifetime_secs: Some(60),
        ..Default::default()
    };
    let scope = portcullis::service::policies::scope("role", "editor").unwrap();
    let host = portcullis::rules::audit::Origin::HOST;
    let lowered = portcullis::service::policies::set_policy(&beside, scope, &draft, host).await;
    assert_eq!(lowered.unwrap(), 1);
    server.advance(60);
    // Past the bound the list has been read, or the table is asked.
    let refused = server.verify(&tokens.access).await;
    assert_eq!(
        refused.json()["reason"],
        "absolute-lifetime",
        "{}",
        refused.text
    );
}
