//! The API's answers and challenges, to the letter of the contract.

use reqwest::Method;
use serde_json::{Value, json};

use crate::problems::is_problem;
use crate::support::{PASSWORD, Server};

#[tokio::test]
async fn each_401_names_its_reason_and_a_challenge() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let (tokens, ended) = (server.sign_in(&ada).await, server.sign_in(&ada).await);
    server
        .post("/api/auth/sign-out", Some(&ended.access), json!({}))
        .await;
    is_problem(
        "none",
        &server.get("/api/auth/verify", None).await,
        401,
        "no-credential",
    );
    is_problem(
        "garbage",
        &server.verify("garbage").await,
        401,
        "invalid-token",
    );
    let answer = server.verify(&ended.access).await;
    is_problem("ended", &answer, 401, "session-ended");
    assert_eq!(answer.json()["reason"], "signed-out");
    assert_eq!(
        answer.header("www-authenticate"),
        "Bearer error=\"invalid_token\", error_description=\"The session has ended\""
    );
    is_problem(
        "refresh",
        &server.refresh("garbage").await,
        401,
        "invalid-token",
    );
    is_problem(
        "password",
        &server.try_sign_in(&ada.email, "wrong").await,
        401,
        "invalid-credentials",
    );
    is_problem(
        "role",
        &server.get("/api/admin/stats", Some(&tokens.access)).await,
        403,
        "forbidden",
    );
    server.advance(301);
    is_problem(
        "expired",
        &server.verify(&tokens.access).await,
        401,
        "token-expired",
    );
    let fresh = server.refresh(&tokens.refresh).await.json()["access_token"]
        .as_str()
        .unwrap()
        .to_owned();
    // The clock runs on while it is moved: the exact edge stands in the rules' own tests.
    server.advance(300 - 100);
    assert_eq!(server.verify(&fresh).await.status, 200);
    server.advance(100);
    is_problem(
        "expired",
        &server.verify(&fresh).await,
        401,
        "token-expired",
    );
}

#[tokio::test]
async fn asvs_7_5_3_an_old_proof_is_answered_with_a_challenge_for_a_new_one() {
    let server = Server::start_with(&[("PORTCULLIS_ACCESS_TOKEN_SECS", "3600")]).await;
    let admin = server.admin().await;
    let access = server.sign_in(&admin).await.access;
    server.advance(601);
    let answer = server.delete("/api/admin/sessions", Some(&access)).await;
    is_problem("stale", &answer, 403, "step-up-required");
    assert_eq!(answer.json()["max_age"], 600);
    assert_eq!(
        answer.header("www-authenticate"),
        "Bearer error=\"insufficient_user_authentication\", max_age=\"600\""
    );
    let wrong = server
        .post(
            "/api/auth/step-up",
            Some(&access),
            json!({ "password": "wrong" }),
        )
        .await;
    is_problem("wrong", &wrong, 401, "invalid-credentials");
    let proven = server
        .post(
            "/api/auth/step-up",
            Some(&access),
            json!({ "password": PASSWORD }),
        )
        .await;
    assert_eq!(proven.status, 200, "{}", proven.text);
    is_problem(
        "older token",
        &server.verify(&access).await,
        401,
        "invalid-token",
    );
    let access = proven.json()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(
        server
            .delete("/api/admin/sessions", Some(&access))
            .await
            .json(),
        json!({ "ended": 0 })
    );
}

#[tokio::test]
async fn answers_have_the_members_of_the_contract_and_no_others() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let members =
        |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
    let signed_in = server.sign_in(&admin).await;
    let expected = [
        "access_token",
        "expires_in",
        "refresh_expires_in",
        "refresh_token",
        "session",
        "token_type",
        "user",
    ];
    assert_eq!(members(&signed_in.document), expected);
    assert_eq!(
        (
            &signed_in.document["token_type"],
            &signed_in.document["expires_in"]
        ),
        (&json!("Bearer"), &json!(300))
    );
    let refreshed = server.refresh(&signed_in.refresh).await.json();
    assert_eq!(members(&refreshed), expected);
    assert_ne!(refreshed["refresh_token"], signed_in.refresh);
    let access = refreshed["access_token"].as_str().unwrap();
    let who = server.get("/api/auth/session", Some(access)).await.json();
    assert_eq!(members(&who), ["session", "user"]);
    assert_eq!(
        members(&who["user"]),
        ["email", "id", "name", "organization", "roles"]
    );
    let listed = server.get("/api/sessions", Some(access)).await.json();
    assert_eq!(
        members(&listed["sessions"][0]),
        [
            "amr",
            "browser",
            "created_at",
            "current",
            "device",
            "end_reason",
            "ended_at",
            "expires_at",
            "id",
            "idle_expires_at",
            "ip",
            "last_seen_at",
            "name",
            "opened_by",
            "os",
            "place",
        ]
    );
    assert_eq!(
        server
            .post("/api/sessions/ensure", Some(access), json!({}))
            .await
            .json(),
        json!({ "exists": true })
    );
    let all = server
        .get("/api/admin/sessions?limit=1", Some(access))
        .await
        .json();
    assert_eq!(members(&all), ["next_cursor", "sessions", "total"]);
    assert_eq!(
        server
            .post("/api/admin/cleanup", Some(access), json!({}))
            .await
            .json(),
        json!({ "cleaned": 0, "dry_run": false, "deleted": {
            "ended_sessions": 0, "rotated_refresh_tokens": 0, "one_time_links": 0,
            "audit_events": 0, "deliveries": 0, "throttles": 0, "hourly_figures": 0,
        } })
    );

    let mut browser = server.signed_in_browser(&admin).await;
    let token = browser.get("/api/auth/token").await.json();
    assert_eq!(
        members(&token),
        ["access_token", "expires_in", "token_type"]
    );
    assert_eq!(
        server
            .verify(token["access_token"].as_str().unwrap())
            .await
            .status,
        200
    );

    let out = server
        .post("/api/auth/sign-out", Some(access), json!({}))
        .await;
    assert_eq!((out.status.as_u16(), out.text.as_str()), (204, ""));
    let cleared = r#"{"message":"Session cleared successfully","success":true}"#;
    for access in [Some(signed_in.access.as_str()), Some("garbage"), None] {
        let answer = server
            .post("/api/auth/clear-session", access, json!({}))
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.json()),
            (200, serde_json::from_str(cleared).unwrap())
        );
    }
}

#[tokio::test]
async fn verify_answers_in_headers_to_get_and_head() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &["staff", "editor"]).await;
    let tokens = server.sign_in(&ada).await;
    for method in [Method::GET, Method::HEAD] {
        let answer = server
            .call(
                method.clone(),
                "/api/auth/verify",
                Some(&tokens.access),
                None,
            )
            .await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""));
        assert_eq!(answer.header("x-user-id"), ada.id.to_string());
        assert_eq!(answer.header("x-user-email"), ada.email);
        assert_eq!(answer.header("x-user-roles"), "editor,staff");
        assert_eq!(answer.header("x-session-id"), tokens.session_id);
        // Empty rather than absent: nothing that a client sent may stay in its place.
        assert_eq!(answer.headers["x-tenant-id"], "");
        assert_eq!(answer.headers["x-organization-id"], "");
        for (query, status) in [
            ("?role=staff", 200),
            ("?role=admin", 403),
            ("?role=", 403),
            ("?role=editor%2Cstaff", 403),
        ] {
            let path = format!("/api/auth/verify{query}");
            let answer = server
                .call(method.clone(), &path, Some(&tokens.access), None)
                .await;
            assert_eq!(answer.status, status, "{method} {query}");
            assert_eq!(
                answer.headers.contains_key("x-user-id"),
                status == 200,
                "{method} {query}"
            );
        }
        let answer = server
            .call(method.clone(), "/api/auth/verify?role=admin", None, None)
            .await;
        assert_eq!(answer.status, 401, "{method}");
    }
    server
        .database
        .execute("ALTER TABLE sessions RENAME TO away")
        .await;
    let other = server.get("/health/ready", None).await;
    assert!(other.status == 200 || other.status == 503);
    assert_eq!(
        server.verify(&tokens.access).await.status,
        200,
        "known, and still within the bound"
    );
    server.advance(61);
    is_problem(
        "unknown",
        &server.verify(&tokens.access).await,
        503,
        "store-unavailable",
    );
    server
        .database
        .execute("ALTER TABLE away RENAME TO sessions")
        .await;
    assert_eq!(
        server.verify(&tokens.access).await.status,
        200,
        "nobody was signed out"
    );
}
