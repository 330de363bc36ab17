//! ASVS 7.4: after the end nothing works any more, on any path, at once.

use portcullis::http::routes::routes;
use reqwest::Method;
use serde_json::json;

use super::{House, sign_out, tokens_of};
use crate::support::PASSWORD;

#[tokio::test]
async fn asvs_7_4_1_after_signing_out_nothing_of_the_session_works() {
    let house = House::open().await;
    let answer = sign_out(&house.server, &house.tokens).await;
    assert_eq!(answer.status, 204, "{}", answer.text);
    assert_eq!(answer.header("clear-site-data"), "\"cache\", \"storage\"");
    house
        .assert_refused(&house.tokens, "session-ended", Some("signed-out"))
        .await;

    let mut browser = house.server.signed_in_browser(&house.ada).await;
    let tokens = tokens_of(&mut browser).await;
    let answer = browser.submit("/account", "/sign-out", &[]).await;
    assert_eq!(
        (answer.status.as_u16(), answer.location()),
        (303, "/sign-in?done=signed-out")
    );
    assert_eq!(answer.header("clear-site-data"), "\"cache\", \"storage\"");
    assert!(browser.cookies.is_empty());
    house
        .assert_refused(&tokens, "session-ended", Some("signed-out"))
        .await;
    // Nor by GET, which any image could send.
    let mut browser = house.server.signed_in_browser(&house.ada).await;
    assert_eq!(browser.get("/sign-out").await.status, 405);
    assert_eq!(browser.get("/account").await.status, 200);
    // What a refresh would have given is dead with it, and time revives nothing.
    house.server.advance(86_400);
    assert_eq!(
        house.server.refresh(&house.tokens.refresh).await.code(),
        "session-ended"
    );
}

#[tokio::test]
async fn asvs_7_4_2_a_disabled_users_sessions_end_and_enabling_revives_none() {
    let house = House::open().await;
    let (one, two) = (
        house.server.sign_in(&house.ada).await,
        house.server.sign_in(&house.ada).await,
    );
    let mut browser = house.server.signed_in_browser(&house.ada).await;
    let three = tokens_of(&mut browser).await;
    let all = [&house.tokens, &one, &two, &three];
    for tokens in all {
        assert!(house.is_live(tokens).await, "warm");
    }
    let answer = house.patch(&house.ada, json!({ "enabled": false })).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.json()["enabled"]),
        (200, &json!(false))
    );
    for tokens in all {
        house
            .assert_refused(tokens, "user-disabled", Some("user-disabled"))
            .await;
    }
    assert_eq!(house.audited_ends("user-disabled").await, 4);
    let answer = house.server.try_sign_in(&house.ada.email, PASSWORD).await;
    assert_eq!(answer.code(), "invalid-credentials");

    assert_eq!(
        house
            .patch(&house.ada, json!({ "enabled": true }))
            .await
            .status,
        200
    );
    for tokens in all {
        assert_eq!(house.server.verify(&tokens.access).await.status, 401);
        assert_eq!(house.server.refresh(&tokens.refresh).await.status, 401);
    }
    assert_eq!(house.ended_rows("user-disabled").await, 4);
    let anew = house.server.sign_in(&house.ada).await;
    assert!(house.is_live(&anew).await);
}

#[tokio::test]
async fn asvs_7_4_2_a_deleted_users_sessions_end() {
    let house = House::open().await;
    let mut browser = house.server.signed_in_browser(&house.ada).await;
    let other = tokens_of(&mut browser).await;
    let path = format!("/api/admin/users/{}", house.ada.id);
    assert_eq!(house.admin(Method::DELETE, &path, None).await.status, 204);
    for tokens in [&house.tokens, &other] {
        house.assert_refused(tokens, "user-gone", None).await;
    }
    let answer = browser.get("/account").await;
    assert_eq!(answer.status, 303);
    assert!(browser.cookies.is_empty());
    assert_eq!(browser.get(answer.location()).await.status, 200);
    assert_eq!(house.audited_ends("user-deleted").await, 2);
    assert_eq!(
        house.admin(Method::DELETE, &path, None).await.code(),
        "not-found"
    );
}

#[tokio::test]
async fn asvs_7_4_3_a_changed_password_offers_to_end_the_other_sessions() {
    const NEW: &str = "quite another quiet password";
    let house = House::open().await;
    let mut browser = house.server.signed_in_browser(&house.ada).await;
    let page = browser.get("/account/security").await.text;
    let tick = page
        .split("<input")
        .find(|input| input.contains("name=\"end_others\""))
        .unwrap();
    assert!(
        tick.split('>').next().unwrap().contains(" checked"),
        "on by default: {tick}"
    );
    let own = tokens_of(&mut browser).await;
    let change = |current: &'static str, new: &'static str| {
        [
            ("current_password", current),
            ("new_password", new),
            ("new_password_again", new),
        ]
    };
    let path = "/account/security";
    // Left out, as by somebody who took the tick away.
    let answer = browser.submit(path, path, &change(PASSWORD, NEW)).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    assert!(house.is_live(&house.tokens).await);
    house.assert_refused(&own, "invalid-token", None).await;
    let own = tokens_of(&mut browser).await;
    let mut fields = change(NEW, "a third long and quiet one").to_vec();
    fields.push(("end_others", "true"));
    let answer = browser.submit(path, path, &fields).await;
    assert_eq!(
        (answer.status.as_u16(), answer.location()),
        (303, "/account/security?done=password-changed")
    );
    house
        .assert_refused(&house.tokens, "session-ended", Some("password-changed"))
        .await;
    house.assert_refused(&own, "invalid-token", None).await;
    assert_eq!(
        browser.get("/account").await.status,
        200,
        "this one goes on, with new tokens"
    );
    assert_eq!(house.audited_ends("password-changed").await, 1);
}

#[tokio::test]
async fn asvs_7_4_3_a_reset_ends_every_session() {
    let house = House::open().await;
    let path = format!("/api/admin/users/{}/invitation", house.ada.id);
    let made = house.admin(Method::POST, &path, None).await;
    let url = made.json()["invitation_url"].as_str().unwrap().to_owned();
    let token = url.split_once("token=").unwrap().1.to_owned();
    assert!(
        house.is_live(&house.tokens).await,
        "the link alone ends nothing"
    );
    let mut browser = house.server.browser();
    let new = "chosen anew by its owner";
    let fields = [
        ("token", token.as_str()),
        ("password", new),
        ("password_again", new),
    ];
    let page = format!("/invitation?token={token}");
    let answer = browser.submit(&page, "/invitation", &fields).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    house
        .assert_refused(&house.tokens, "session-ended", Some("password-changed"))
        .await;
    assert_eq!(
        house.server.try_sign_in(&house.ada.email, new).await.status,
        200
    );
}

#[tokio::test]
async fn asvs_7_4_4_every_page_for_signed_in_people_has_a_way_out() {
    let house = House::open().await;
    let mut browser = house.server.signed_in_browser(&house.admin).await;
    let policy = Some(json!({ "idle_secs": 600 }));
    let set = house.admin(Method::PUT, "/api/admin/policies/role/admin", policy);
    assert_eq!(set.await.status, 200);
    let mut seen = 0;
    for route in routes() {
        let page = route.method == Method::GET.as_str() && !route.path.starts_with("/api/");
        if !page || matches!(route.guard, "Anyone" | "Perhaps") {
            continue;
        }
        let path = route
            .path
            .replace("{id}", &house.ada.id.to_string())
            .replace("{kind}", "role")
            .replace("{name}", "admin");
        let answer = browser.get(&path).await;
        assert_eq!(answer.status, 200, "{path}");
        let form = answer
            .text
            .split("<form")
            .find(|form| form.contains("action=\"/sign-out\""));
        let form = form.unwrap_or_else(|| panic!("{path} has no way out"));
        let form = form.split("</form>").next().unwrap();
        assert!(
            form.contains("method=\"post\"") && form.contains("<button"),
            "{path}: {form}"
        );
        assert!(form.contains("Sign out"), "{path}: {form}");
        seen += 1;
    }
    assert!(seen >= 12, "{seen} pages");
    // Those that refuse have one too.
    for path in ["/admin/users/none", "/admin/audit?cursor=x"] {
        let answer = browser.get(path).await;
        assert!(answer.status.is_client_error());
        assert!(answer.text.contains("action=\"/sign-out\""), "{path}");
    }
}
