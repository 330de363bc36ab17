//! ASVS 7.5: what asks for the password again, and what people see and do with their sessions.

use reqwest::Method;
use serde_json::json;

use super::{House, step_up, tokens_of};
use crate::support::{Answer, PASSWORD, Tokens};

/// There is no change of e-mail address, telephone or second factor yet; the password is what can
/// be changed.
#[tokio::test]
async fn asvs_7_5_1_the_password_changes_only_with_the_current_one() {
    let house = House::open().await;
    let mut browser = house.server.signed_in_browser(&house.ada).await;
    let new = "another long and quiet one";
    let path = "/account/security";
    let fields = |current| {
        [
            ("current_password", current),
            ("new_password", new),
            ("new_password_again", new),
        ]
    };
    let answer = browser.submit(path, path, &fields("")[1..]).await;
    assert_eq!(answer.status, 400, "left out");
    let mut statuses = Vec::new();
    for _ in 0..7 {
        statuses.push(
            browser
                .submit(path, path, &fields("a wrong guess, that is"))
                .await
                .status
                .as_u16(),
        );
    }
    assert_eq!(
        statuses,
        [401, 401, 401, 401, 401, 401, 429],
        "guessing is slowed down"
    );
    house.server.advance(60);
    assert_eq!(
        house.server.try_sign_in(&house.ada.email, new).await.status,
        401
    );
    house.server.advance(60);
    let answer = browser.submit(path, path, &fields(PASSWORD)).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    assert_eq!(
        house.server.try_sign_in(&house.ada.email, new).await.status,
        200
    );
    // Neither by the API of administrators (ASVS 6.4.6).
    for name in ["password", "new_password", "email"] {
        let answer = house
            .patch(&house.ada, json!({name: "anything at all, but long"}))
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (400, "invalid-request")
        );
    }
}

#[tokio::test]
async fn asvs_7_5_2_people_see_all_their_sessions_and_end_any_after_a_fresh_proof() {
    let house = House::open().await;
    let server = &house.server;
    let mut browser = server.signed_in_browser(&house.ada).await;
    let other = tokens_of(&mut browser).await;
    let list = server
        .get("/api/sessions", Some(&house.tokens.access))
        .await
        .json();
    let sessions = list["sessions"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    for session in sessions {
        let own = session["id"] == house.tokens.session_id.as_str();
        assert_eq!(session["current"], own);
        assert_eq!(session["ip"], "127.0.0.1");
        assert_eq!(session["amr"], json!(["pwd"]));
        for name in [
            "created_at",
            "last_seen_at",
            "idle_expires_at",
            "expires_at",
        ] {
            chrono::DateTime::parse_from_rfc3339(session[name].as_str().unwrap()).unwrap();
        }
        assert!(session["ended_at"].is_null() && session["end_reason"].is_null());
        if !own {
            assert!(session["browser"].as_str().unwrap().starts_with("Firefox"));
            assert_eq!(session["os"], "Linux");
        }
    }
    // Ten minutes on, the proof is old.
    server.advance(601);
    let current = Tokens::from(server.refresh(&house.tokens.refresh).await.json());
    let path = format!("/api/sessions/{}", other.session_id);
    let answer = server.delete(&path, Some(&current.access)).await;
    assert_step_up(&answer);
    assert_eq!(
        browser.get("/account").await.status,
        200,
        "nothing has ended"
    );
    let others = server
        .delete("/api/sessions?others=true", Some(&current.access))
        .await;
    assert_step_up(&others);
    let proven = Tokens::from(step_up(server, &current.access).await.json());
    assert_eq!(server.delete(&path, Some(&proven.access)).await.status, 204);
    let other = Tokens {
        refresh: browser.cookies["portcullis_refresh"].clone(),
        ..other
    };
    let answer = server.refresh(&other.refresh).await;
    assert_eq!(answer.json()["reason"], "ended-by-user");
    let answer = browser.get("/account").await;
    assert_eq!(answer.status, 303);
    let why = browser.get(answer.location()).await;
    assert!(
        why.text
            .contains("you ended this session from another device"),
        "{}",
        why.text
    );
    let list = server
        .get("/api/sessions", Some(&proven.access))
        .await
        .json();
    let ended = list["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|s| s["current"] == false);
    assert_eq!(ended.unwrap()["end_reason"], "ended-by-user");
}

#[tokio::test]
async fn asvs_7_5_2_nobody_ends_or_sees_anothers_session() {
    let house = House::open().await;
    let server = &house.server;
    let ben = server.user("ben@test.example", &[]).await;
    let bens = server.sign_in(&ben).await;
    let path = format!("/api/sessions/{}", house.tokens.session_id);
    let answer = server.delete(&path, Some(&bens.access)).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (404, "not-found")
    );
    let unknown = server
        .delete(
            "/api/sessions/00000000-0000-7000-8000-000000000000",
            Some(&bens.access),
        )
        .await;
    assert_eq!(
        answer.json(),
        unknown.json(),
        "whether there is one is not told"
    );
    let mut browser = server.signed_in_browser(&ben).await;
    let path = format!("/account/sessions/{}/end", house.tokens.session_id);
    assert_eq!(
        browser.submit("/account/sessions", &path, &[]).await.status,
        404
    );
    assert!(house.is_live(&house.tokens).await);
    let list = server.get("/api/sessions", Some(&bens.access)).await;
    assert!(!list.text.contains(&house.tokens.session_id));
    let page = browser.get("/account/sessions").await;
    assert!(!page.text.contains(&house.tokens.session_id));
}

#[tokio::test]
async fn asvs_7_5_3_dangerous_acts_ask_for_a_recent_proof() {
    let house = House::open().await;
    let server = &house.server;
    let victim = server.sign_in(&house.ada).await;
    // One second before the proof is too old, it is not.
    server.advance(598);
    let fresh = Tokens::from(server.refresh(&house.console.refresh).await.json());
    let path = format!("/api/admin/users/{}", house.ada.id);
    let name = json!({"name": "Ada"});
    let answer = server
        .call(Method::PATCH, &path, Some(&fresh.access), Some(name))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    server.advance(2);
    let user = path.as_str();
    let invitation = format!("{path}/invitation");
    let acts: [(Method, &str, Option<serde_json::Value>); 7] = [
        (Method::DELETE, "/api/admin/sessions", None),
        (
            Method::DELETE,
            "/api/admin/sessions?include_self=true",
            None,
        ),
        (
            Method::POST,
            "/api/admin/users",
            Some(json!({"email": "new@test.example"})),
        ),
        (Method::PATCH, user, Some(json!({"roles": ["admin"]}))),
        (Method::PATCH, user, Some(json!({"enabled": false}))),
        (Method::DELETE, user, None),
        (Method::POST, &invitation, None),
    ];
    for (method, path, document) in acts {
        let answer = server
            .call(method.clone(), path, Some(&fresh.access), document)
            .await;
        assert_eq!(answer.status, 403, "{method} {path}: {}", answer.text);
        assert_step_up(&answer);
    }
    let renewed = server.refresh(&victim.refresh).await;
    assert_eq!(renewed.status, 200, "nobody was signed out");
    let ada = server.get(user, Some(&fresh.access)).await.json();
    assert_eq!((&ada["roles"], &ada["enabled"]), (&json!([]), &json!(true)));
    // Looking on, and ending a session of somebody in a hurry, need none.
    let path = format!("{user}/sessions");
    assert_eq!(server.delete(&path, Some(&fresh.access)).await.status, 200);
    // With the proof renewed, the same token's successor may.
    let proven = Tokens::from(step_up(server, &fresh.access).await.json());
    let answer = server
        .delete("/api/admin/sessions", Some(&proven.access))
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}

fn assert_step_up(answer: &Answer) {
    assert_eq!(answer.code(), "step-up-required");
    assert_eq!(answer.json()["max_age"], 600);
    let challenge = answer.header("www-authenticate");
    assert_eq!(
        challenge,
        "Bearer error=\"insufficient_user_authentication\", max_age=\"600\""
    );
}
