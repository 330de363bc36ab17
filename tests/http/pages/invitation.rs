//! The one-time link behind which a person chooses a password (ASVS 6.4.1).

use super::link_on;
use crate::support::{Answer, Browser, PASSWORD, Server, TestUser};

const NEW: &str = "another long and quiet one";

async fn choose(browser: &mut Browser, link: &str, one: &str, other: &str) -> Answer {
    let token = link.split_once("token=").unwrap().1;
    let fields = [
        ("token", token),
        ("password", one),
        ("password_again", other),
    ];
    browser.submit(link, "/invitation", &fields).await
}

async fn invite(console: &mut Browser, user: &TestUser) -> String {
    let page = format!("/admin/users/{}", user.id);
    link_on(
        &console
            .submit(&page, &format!("{page}/invitation"), &[])
            .await,
    )
}

#[tokio::test]
async fn asvs_6_4_1_the_link_is_random_serves_once_and_forces_choosing_a_password() {
    let server = Server::start().await;
    let mut console = server.signed_in_browser(&server.admin().await).await;
    let fields = [
        ("email", "new@test.example"),
        ("name", "New"),
        ("roles", "staff"),
    ];
    let made = console
        .submit("/admin/users/new", "/admin/users", &fields)
        .await;
    let link = link_on(&made);
    let token = link.strip_prefix("/invitation?token=").unwrap();
    assert!(token.len() >= 43, "256 bits");
    let hidden = "SELECT count(*) FROM verification_tokens WHERE CAST(token_hash AS TEXT) LIKE ";
    if !server.database.is_postgres() {
        assert_eq!(
            server
                .database
                .count(&format!("{hidden} '%{token}%'"))
                .await,
            0
        );
    }

    let mut browser = server.browser();
    let page = browser.get(&link).await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("Welcome, New") && page.text.contains("new@test.example"));
    assert_eq!(
        page.header("referrer-policy"),
        "strict-origin",
        "the link stays off other sites"
    );
    // The link admits to nothing but the choice.
    assert_eq!(browser.get("/account").await.status, 303);
    for guess in [token, "", PASSWORD] {
        assert_eq!(
            server.try_sign_in("new@test.example", guess).await.status,
            401
        );
    }
    assert_eq!(choose(&mut browser, &link, NEW, PASSWORD).await.status, 422);
    assert_eq!(
        choose(&mut browser, &link, "too short", "too short")
            .await
            .status,
        422
    );
    let done = choose(&mut browser, &link, NEW, NEW).await;
    assert_eq!(
        (done.status.as_u16(), done.location()),
        (303, "/sign-in?done=password-chosen")
    );
    assert_eq!(
        browser.get("/account").await.status,
        303,
        "still not signed in"
    );

    assert_eq!(browser.get(&link).await.status, 404);
    let mut page = browser.get("/sign-in").await;
    let fields = [
        ("token", token),
        ("password", PASSWORD),
        ("password_again", PASSWORD),
    ];
    page = browser
        .post(
            "/invitation",
            &crate::support::browser::form_token(&page.text),
            &fields,
        )
        .await;
    assert_eq!(page.status, 404);
    assert!(page.text.contains("<h1>"), "{}", page.text);
    assert_eq!(
        server
            .try_sign_in("new@test.example", PASSWORD)
            .await
            .status,
        401
    );
    assert_eq!(
        browser.sign_in("new@test.example", NEW).await.location(),
        "/account"
    );
}

#[tokio::test]
async fn asvs_6_4_1_a_newer_link_replaces_the_older_and_each_expires() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let mut console = server.signed_in_browser(&server.admin().await).await;
    let old = invite(&mut console, &ada).await;
    let new = invite(&mut console, &ada).await;
    let mut browser = server.browser();
    assert_eq!(browser.get(&old).await.status, 404);
    assert_eq!(browser.get(&new).await.status, 200);
    server.advance(72 * 3600 - 60);
    assert_eq!(browser.get(&new).await.status, 200);
    server.advance(60);
    assert_eq!(browser.get(&new).await.status, 404);
    assert_eq!(browser.get("/invitation?token=").await.status, 404);
    assert_eq!(browser.get("/invitation").await.status, 404);
    assert_eq!(
        server.try_sign_in(&ada.email, PASSWORD).await.status,
        200,
        "the old password stays"
    );
}

#[tokio::test]
async fn asvs_6_4_1_a_reset_ends_the_sessions_and_the_old_password() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let mut console = server.signed_in_browser(&server.admin().await).await;
    let tokens = server.sign_in(&ada).await;
    let link = invite(&mut console, &ada).await;
    assert_eq!(
        server.verify(&tokens.access).await.status,
        200,
        "making a link ends nothing"
    );
    let done = choose(&mut server.browser(), &link, NEW, NEW).await;
    assert_eq!(done.status, 303, "{}", done.text);
    assert_eq!(
        server.verify(&tokens.access).await.json()["reason"],
        "password-changed"
    );
    assert_eq!(
        server.refresh(&tokens.refresh).await.code(),
        "session-ended"
    );
    assert_eq!(server.try_sign_in(&ada.email, PASSWORD).await.status, 401);
    assert_eq!(server.try_sign_in(&ada.email, NEW).await.status, 200);
}

#[tokio::test]
async fn asvs_6_4_3_the_host_header_does_not_change_the_link() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let admin = server.sign_in(&server.admin().await).await;
    let path = format!("/api/admin/users/{}/invitation", ada.id);
    let request = server
        .request(reqwest::Method::POST, &path)
        .bearer_auth(&admin.access)
        .header("host", "evil.test")
        .header("x-forwarded-host", "evil.test")
        .header("forwarded", "host=evil.test;proto=https");
    let made = Answer::read(request.send().await.unwrap()).await;
    assert_eq!(made.status, 201);
    let url = made.json()["invitation_url"].as_str().unwrap().to_owned();
    assert!(
        url.starts_with("http://localhost:8080/invitation?token="),
        "{url}"
    );
}
