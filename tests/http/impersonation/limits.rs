//! How long it lasts, and what is possible meanwhile.

use reqwest::Method;
use serde_json::json;

use super::{REASON, Scene};
use crate::support::{PASSWORD, Server, Tokens};

#[tokio::test]
async fn it_lasts_for_thirty_minutes_and_no_renewal_makes_it_longer() {
    let scene = Scene::open().await;
    let server = &scene.server;
    let mut tokens = scene.look_on().await;
    let until = |tokens: &Tokens| tokens.document["session"]["expires_at"].clone();
    let first = until(&tokens);
    assert!(tokens.document["refresh_expires_in"].as_i64().unwrap() <= 1800);
    for _ in 0..7 {
        server.advance(240);
        tokens = Tokens::from(server.refresh(&tokens.refresh).await.json());
        assert_eq!(until(&tokens), first);
    }
    // 1680 of 1800 seconds.
    assert!(tokens.document["expires_in"].as_i64().unwrap() <= 120);
    assert!(scene.is_live(&tokens).await);
    server.advance(121);
    let answer = server.verify(&tokens.access).await;
    assert_eq!(answer.code(), "token-expired");
    let answer = server.refresh(&tokens.refresh).await;
    assert_eq!(answer.code(), "session-ended");
    assert_eq!(answer.json()["reason"], "absolute-lifetime");
}

#[tokio::test]
async fn it_lasts_no_longer_than_the_session_it_was_opened_from_would_unused() {
    let idle = ("PORTCULLIS_SESSION_IDLE_SECS", "900");
    let absolute = ("PORTCULLIS_SESSION_LIFETIME_SECS", "900");
    for (name, variables, passed) in [
        ("idle", &[idle][..], 0),
        ("absolute", &[idle, absolute], 250),
    ] {
        let scene = Scene::on(Server::start_with(variables).await).await;
        scene.server.advance(passed);
        let tokens = scene.look_on().await;
        let instant = |name: &str| {
            let text = tokens.document["session"][name].as_str().unwrap();
            chrono::DateTime::parse_from_rfc3339(text).unwrap()
        };
        let life = (instant("expires_at") - instant("created_at")).num_seconds();
        assert!(
            (880 - passed..=900 - passed).contains(&life),
            "{name}: {life}"
        );
    }
}

/// Every door is tried by such callers in `doors`; here it is what people would notice.
#[tokio::test]
async fn whoever_looks_on_changes_nothing_that_is_the_persons_own() {
    let scene = Scene::open().await;
    let server = &scene.server;
    let own = server.sign_in(&scene.ada).await;
    let own_session = format!("/api/sessions/{}", own.session_id);
    let acts = [
        (Method::DELETE, "/api/sessions?others=true", json!(null)),
        (Method::DELETE, own_session.as_str(), json!(null)),
        (
            Method::POST,
            "/api/auth/step-up",
            json!({"password": PASSWORD}),
        ),
        (Method::POST, "/api/admin/cleanup", json!(null)),
        (Method::GET, "/api/admin/users", json!(null)),
    ];
    for read_only in [true, false] {
        let tokens = scene
            .look_on_with(json!({"reason": REASON, "read_only": read_only}))
            .await;
        for (method, path, document) in acts.clone() {
            let document = Some(document).filter(|document| !document.is_null());
            let access = Some(tokens.access.as_str());
            let answer = server.call(method, path, access, document).await;
            assert_eq!(answer.status, 403, "{path}: {}", answer.text);
            assert_eq!(answer.code(), "forbidden", "{path}");
            let told = answer.json()["detail"].as_str().unwrap().to_owned();
            assert!(
                told.contains("looking on") || path.contains("/admin"),
                "{told}"
            );
        }
        let answer = server
            .post("/api/sessions/ensure", Some(&tokens.access), json!({}))
            .await;
        assert_eq!(answer.status, if read_only { 403 } else { 200 });
        // To read is possible, and to be done with it.
        assert_eq!(
            server
                .get("/api/sessions", Some(&tokens.access))
                .await
                .status,
            200
        );
        let answer = server
            .post("/api/auth/sign-out", Some(&tokens.access), json!({}))
            .await;
        assert_eq!(answer.status, 204);
        scene
            .assert_ended(&tokens, "impersonation-stopped", "signed out")
            .await;
        // Whatever is done in it, the administrator has done.
        let path = format!("/api/admin/audit?user={}&limit=1", scene.ada.id);
        let audit = server.get(&path, Some(&scene.boss.access)).await.json();
        assert_eq!(audit["events"][0]["action"], "session-ended");
        assert_eq!(
            audit["events"][0]["actor"]["id"],
            scene.grace.id.to_string()
        );
        assert_eq!(
            audit["events"][0]["subject"]["id"],
            scene.ada.id.to_string()
        );
    }
    assert!(scene.is_live(&own).await);
    assert!(
        scene.is_live(&scene.console).await,
        "nor is the administrator"
    );
}
