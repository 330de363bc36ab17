//! What another process did to a session counts here at once when an act on it is acknowledged.

use portcullis::rules::audit::Origin;
use portcullis::rules::end_reason::EndReason;
use portcullis::service::end_session;
use portcullis::store::sessions::Which;
use reqwest::Method;
use serde_json::json;

use crate::support::Server;

#[tokio::test]
async fn an_end_acknowledged_here_holds_here_even_if_another_process_wrote_it() {
    let server = Server::start_unfollowed().await;
    let elsewhere = server.beside().await;
    let admin = server.sign_in(&server.admin().await).await;
    let acts = [
        (Method::DELETE, "/api/admin/sessions/{sid}", json!(null)),
        (
            Method::DELETE,
            "/api/admin/users/{id}/sessions",
            json!(null),
        ),
        (Method::DELETE, "/api/admin/sessions", json!(null)),
        (
            Method::PATCH,
            "/api/admin/users/{id}",
            json!({"enabled": false}),
        ),
        (Method::DELETE, "/api/admin/users/{id}", json!(null)),
    ];
    for (number, (method, path, document)) in acts.into_iter().enumerate() {
        let victim = server.user(&format!("v{number}@test.example"), &[]).await;
        let tokens = server.sign_in(&victim).await;
        assert_eq!(server.verify(&tokens.access).await.status, 200);
        let session_id = tokens.session_id.parse().unwrap();
        let which = Which::One(session_id);
        let ended =
            end_session::end(&elsewhere, which, EndReason::EndedByAdmin, Origin::HOST).await;
        assert_eq!(ended.unwrap(), 1);

        let path = path
            .replace("{sid}", &tokens.session_id)
            .replace("{id}", &victim.id.to_string());
        let document = Some(document).filter(|document| !document.is_null());
        let answer = server
            .call(method, &path, Some(&admin.access), document)
            .await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
        let refused = server.verify(&tokens.access).await;
        assert_eq!(refused.status, 401, "after {path}");
    }
}

#[tokio::test]
async fn signing_out_holds_even_if_another_process_ended_the_session_before() {
    let server = Server::start_unfollowed().await;
    let elsewhere = server.beside().await;
    let ada = server.user("ada@test.example", &[]).await;
    let (here, other) = (server.sign_in(&ada).await, server.sign_in(&ada).await);
    for tokens in [&here, &other] {
        assert_eq!(server.verify(&tokens.access).await.status, 200);
    }
    let which = Which::One(other.session_id.parse().unwrap());
    end_session::end(&elsewhere, which, EndReason::EndedByUser, Origin::HOST)
        .await
        .unwrap();
    let answer = server
        .delete("/api/sessions?others=true", Some(&here.access))
        .await;
    assert_eq!(answer.json(), json!({"ended": 0}));
    assert_eq!(server.verify(&other.access).await.code(), "session-ended");

    let here = server
        .sign_in(&server.user("ben@test.example", &[]).await)
        .await;
    assert_eq!(server.verify(&here.access).await.status, 200);
    let which = Which::One(here.session_id.parse().unwrap());
    end_session::end(&elsewhere, which, EndReason::EndedByUser, Origin::HOST)
        .await
        .unwrap();
    let answer = server
        .post("/api/auth/sign-out", Some(&here.access), json!({}))
        .await;
    assert_eq!(answer.status, 204);
    assert_eq!(server.verify(&here.access).await.code(), "session-ended");
}

#[tokio::test]
async fn a_fresh_proof_by_cookie_renews_the_cookies_and_shows_no_token() {
    let server = Server::start_unfollowed().await;
    let ada = server.user("ada@test.example", &[]).await;
    let mut browser = server.signed_in_browser(&ada).await;
    let before = browser.cookies.clone();
    let request = browser
        .request(Method::POST, "/api/auth/step-up")
        .header("sec-fetch-site", "same-origin")
        .json(&json!({"password": crate::support::PASSWORD}));
    let answer = browser.send(request).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(answer.json().get("access_token").is_none());
    assert!(answer.json().get("refresh_token").is_none());
    assert_eq!(answer.set_cookies().len(), 2);
    assert_ne!(browser.cookies, before);
    assert_eq!(browser.get("/account").await.status, 200);
}

#[tokio::test]
async fn a_verified_user_without_an_organisation_has_empty_headers_for_it() {
    let server = Server::start_unfollowed().await;
    let tokens = server
        .sign_in(&server.user("ada@test.example", &[]).await)
        .await;
    let answer = server.verify(&tokens.access).await;
    for name in ["x-tenant-id", "x-organization-id"] {
        assert_eq!(
            answer.headers.get(name).map(|value| value.len()),
            Some(0),
            "{name}"
        );
    }
}

#[tokio::test]
async fn a_link_for_choosing_a_password_leaves_the_cookies_of_a_signed_in_browser() {
    let server = Server::start_unfollowed().await;
    let ada = server.user("ada@test.example", &[]).await;
    let mut browser = server.signed_in_browser(&ada).await;
    let before = browser.cookies.clone();
    browser.get("/invitation?token=x").await;
    browser.get("/set-up?code=x").await;
    assert_eq!(browser.cookies, before);
}
