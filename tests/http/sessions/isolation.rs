//! Sessions are isolated: nothing that one user or device does changes another's session.

use reqwest::Method;
use serde_json::json;

use super::{House, sign_out, tokens_of};
use crate::support::Answer;

#[tokio::test]
async fn what_one_device_does_changes_no_other_session() {
    let house = House::open().await;
    let server = &house.server;
    let (a, b) = (
        server.sign_in(&house.ada).await,
        server.sign_in(&house.ada).await,
    );
    assert_eq!(server.refresh(&a.refresh).await.status, 200);
    assert_eq!(super::step_up(server, &a.access).await.status, 200);
    assert_eq!(server.verify("garbage").await.status, 401);
    assert_eq!(sign_out(server, &b).await.status, 204);
    for tokens in [&house.tokens, &house.console] {
        assert!(house.is_live(tokens).await);
        assert_eq!(server.refresh(&tokens.refresh).await.status, 200);
    }
    assert_eq!(house.ended_rows("signed-out").await, 1);
}

#[tokio::test]
async fn ending_twice_is_harmless_and_the_first_reason_stays() {
    let house = House::open().await;
    assert_eq!(sign_out(&house.server, &house.tokens).await.status, 204);
    let answer = sign_out(&house.server, &house.tokens).await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (401, "session-ended")
    );
    let path = format!("/api/admin/sessions/{}", house.tokens.session_id);
    for _ in 0..3 {
        assert_eq!(house.admin(Method::DELETE, &path, None).await.status, 204);
    }
    house
        .assert_refused(&house.tokens, "session-ended", Some("signed-out"))
        .await;
    assert_eq!(house.audited_ends("ended-by-admin").await, 0);
    assert_eq!(house.audited_ends("signed-out").await, 1);
    for sid in [
        "00000000-0000-7000-8000-000000000000",
        "x",
        "%00",
        "..%2F..",
    ] {
        let answer = house
            .admin(Method::DELETE, &format!("/api/admin/sessions/{sid}"), None)
            .await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (404, "not-found"),
            "{sid}"
        );
    }
}

#[tokio::test]
async fn clear_session_says_the_same_with_and_without_a_session() {
    let house = House::open().await;
    let said = json!({"success": true, "message": "Session cleared successfully"});
    let path = "/api/auth/clear-session";
    for access in [
        None,
        Some("garbage"),
        Some(house.tokens.access.as_str()),
        Some(&house.tokens.access),
    ] {
        let answer = house.server.call(Method::POST, path, access, None).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (200, said.clone()));
    }
    house
        .assert_refused(&house.tokens, "session-ended", Some("signed-out"))
        .await;

    let mut browser = house.server.signed_in_browser(&house.ada).await;
    let tokens = tokens_of(&mut browser).await;
    let request = browser.request(Method::POST, path);
    assert_eq!(browser.send(request).await.code(), "cross-site");
    assert!(house.is_live(&tokens).await);
    let request = browser
        .request(Method::POST, path)
        .header("sec-fetch-site", "same-origin");
    let answer = browser.send(request).await;
    assert_eq!((answer.status.as_u16(), answer.json()), (200, said.clone()));
    assert!(browser.cookies.is_empty());
    house
        .assert_refused(&tokens, "session-ended", Some("signed-out"))
        .await;
    // Dead cookies are cleared all the same.
    for (name, value) in [
        ("portcullis", tokens.access),
        ("portcullis_refresh", tokens.refresh),
    ] {
        browser.cookies.insert(name.to_owned(), value);
    }
    let request = browser
        .request(Method::POST, path)
        .header("sec-fetch-site", "same-origin");
    assert_eq!(browser.send(request).await.json(), said);
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn ensure_says_that_the_callers_session_is_stored_and_live() {
    let house = House::open().await;
    let ensure = async || {
        let access = Some(house.tokens.access.as_str());
        house
            .server
            .call(Method::POST, "/api/sessions/ensure", access, None)
            .await
    };
    assert_eq!(ensure().await.json(), json!({ "exists": true }));
    sign_out(&house.server, &house.tokens).await;
    assert_eq!(ensure().await.code(), "session-ended");
    // Told by hand instead of by the server, it is noticed when the facts have aged.
    let tokens = house.server.sign_in(&house.ada).await;
    house.server.database.execute("DELETE FROM sessions").await;
    house.server.advance(60);
    let answer = house
        .server
        .call(
            Method::POST,
            "/api/sessions/ensure",
            Some(&tokens.access),
            None,
        )
        .await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (401, "session-ended")
    );
}

#[tokio::test]
async fn all_ones_other_sessions_end_at_once_and_nobody_elses() {
    let house = House::open().await;
    let server = &house.server;
    let (second, third) = (
        server.sign_in(&house.ada).await,
        server.sign_in(&house.ada).await,
    );
    let access = Some(house.tokens.access.as_str());
    for path in [
        "/api/sessions",
        "/api/sessions?others=false",
        "/api/sessions?others=x",
        "/api/sessions?all=true",
    ] {
        assert_eq!(
            server.delete(path, access).await.code(),
            "invalid-request",
            "{path}"
        );
    }
    assert!(house.is_live(&second).await);
    let answer = server.delete("/api/sessions?others=true", access).await;
    assert_eq!(answer.json(), json!({ "ended": 2 }));
    for tokens in [&second, &third] {
        house
            .assert_refused(tokens, "session-ended", Some("ended-by-user"))
            .await;
    }
    assert!(house.is_live(&house.tokens).await && house.is_live(&house.console).await);
    let answer = server.delete("/api/sessions?others=true", access).await;
    assert_eq!(answer.json(), json!({ "ended": 0 }));

    let mut browser = server.signed_in_browser(&house.ada).await;
    let path = "/account/sessions";
    let answer = browser
        .submit(path, "/account/sessions/end-others", &[])
        .await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    house
        .assert_refused(&house.tokens, "session-ended", Some("ended-by-user"))
        .await;
    assert_eq!(browser.get(path).await.status, 200);
}

/// Facts, not the token: what an administrator changes counts at the very next request.
#[tokio::test]
async fn changed_roles_count_at_the_next_request_with_the_old_token() {
    let house = House::open().await;
    let server = &house.server;
    let access = house.tokens.access.as_str();
    assert_eq!(
        server.get("/api/admin/stats", Some(access)).await.code(),
        "forbidden"
    );
    assert_eq!(
        house
            .patch(&house.ada, json!({"roles": ["admin", "editor"]}))
            .await
            .status,
        200
    );
    assert_eq!(
        server.get("/api/admin/stats", Some(access)).await.status,
        200
    );
    let answer = server.verify(access).await;
    assert_eq!(answer.header("x-user-roles"), "admin,editor");
    assert_eq!(
        server
            .get("/api/auth/verify?role=editor", Some(access))
            .await
            .status,
        200
    );
    assert_eq!(
        house.patch(&house.ada, json!({"roles": []})).await.status,
        200
    );
    assert_eq!(
        server.get("/api/admin/stats", Some(access)).await.code(),
        "forbidden"
    );
    assert_eq!(
        server
            .get("/api/auth/verify?role=editor", Some(access))
            .await
            .code(),
        "forbidden"
    );
    assert_eq!(server.verify(access).await.header("x-user-roles"), "");
    // By hand in the database, when the facts have aged.
    let taken = server.database.execute("DELETE FROM user_roles").await;
    assert_eq!(taken, 1);
    server.advance(60);
    let answer = house.admin(Method::GET, "/api/admin/stats", None).await;
    assert_eq!(answer.code(), "forbidden");
}

#[tokio::test]
async fn the_last_administrator_stays_one() {
    let house = House::open().await;
    let second = house.server.user("second@test.example", &["admin"]).await;
    let theirs = house.server.sign_in(&second).await;
    assert_eq!(
        house.patch(&second, json!({"enabled": false})).await.status,
        200
    );
    let path = format!("/api/admin/users/{}", house.admin.id);
    let own: [(Method, Option<serde_json::Value>); 4] = [
        (Method::DELETE, None),
        (Method::PATCH, Some(json!({"enabled": false}))),
        (Method::PATCH, Some(json!({"roles": []}))),
        (
            Method::PATCH,
            Some(json!({"roles": ["editor"], "name": "changed"})),
        ),
    ];
    for (method, document) in own {
        let answer = house.admin(method, &path, document.clone()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (409, "conflict"),
            "{document:?}"
        );
    }
    let user = house.admin(Method::GET, &path, None).await.json();
    assert_eq!(
        (&user["roles"], &user["enabled"], &user["name"]),
        (&json!(["admin"]), &json!(true), &json!("admin"))
    );
    assert!(house.is_live(&house.console).await);

    // Two who take each other's power at the same moment: one of them is left.
    assert_eq!(
        house.patch(&second, json!({"enabled": true})).await.status,
        200
    );
    assert!(!house.is_live(&theirs).await);
    let theirs = house.server.sign_in(&second).await;
    let other = format!("/api/admin/users/{}", second.id);
    let none = || Some(json!({"roles": []}));
    let (a, b): (Answer, Answer) = futures_util::future::join(
        house.admin(Method::PATCH, &other, none()),
        house
            .server
            .call(Method::PATCH, &path, Some(&theirs.access), none()),
    )
    .await;
    let mut statuses = [a.status.as_u16(), b.status.as_u16()];
    statuses.sort_unstable();
    assert!(matches!(statuses, [200, 403 | 409]), "{statuses:?}");
    let sql = "SELECT COUNT(*) FROM user_roles WHERE role = 'admin'";
    assert_eq!(house.server.database.count(sql).await, 1);
}
