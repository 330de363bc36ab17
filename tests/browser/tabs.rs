//! Tabs of one browser that come back after the access token's life.

use serde_json::{Value, json};

use crate::chromium::{Chromium, Options, text};
use crate::driver::Driver;
use crate::support::{PASSWORD, Server};

/// Longer than an access token lives, shorter than a session may lie unused.
const LATER: i64 = 301;

/// Longer than a used refresh token is forgiven.
const TOO_LATE: i64 = 31;

#[tokio::test]
async fn two_tabs_that_renew_at_once_both_go_on() {
    let server = Server::start().await;
    server.user("ada@test.example", &[]).await;
    let driver = Driver::start();
    let browser = Chromium::open(&driver, Options::default()).await;
    browser.go(&format!("{}/sign-in", server.base)).await;
    browser.fill_in_sign_in("ada@test.example", PASSWORD).await;
    browser
        .arrives_at(&format!("{}/account", server.base))
        .await;
    let first = text(&browser.session.get("window").await);
    for round in 1..=3 {
        server.advance(LATER);
        browser
            .script("open('/account'); open('/account/sessions')")
            .await;
        let handles = browser.session.get("window/handles").await;
        let tabs: Vec<&Value> = handles
            .as_array()
            .unwrap()
            .iter()
            .filter(|tab| **tab != first)
            .collect();
        assert_eq!(tabs.len(), 2);
        let mut seen = Vec::new();
        for tab in tabs {
            browser
                .session
                .post("window", json!({ "handle": tab }))
                .await;
            browser.title().await;
            seen.push(browser.url().await.replace(&server.base, ""));
            assert!(
                browser.read("main").await.contains("evice"),
                "round {round}: {seen:?}"
            );
            browser
                .session
                .try_command(reqwest::Method::DELETE, "window", None)
                .await
                .unwrap();
        }
        seen.sort();
        assert_eq!(seen, ["/account", "/account/sessions"], "round {round}");
        browser
            .session
            .post("window", json!({ "handle": first }))
            .await;
    }
    assert_eq!(
        server
            .database
            .count("SELECT count(*) FROM sessions WHERE ended_at IS NULL")
            .await,
        1
    );
}

#[tokio::test]
async fn a_tab_that_comes_with_the_old_cookie_goes_on_for_a_moment_and_is_a_thief_after_it() {
    let server = Server::start().await;
    server.user("ada@test.example", &[]).await;
    let driver = Driver::start();
    let browser = Chromium::open(&driver, Options::default()).await;
    let sessions = format!("{}/account/sessions", server.base);
    browser.go(&format!("{}/sign-in", server.base)).await;
    browser.fill_in_sign_in("ada@test.example", PASSWORD).await;
    browser
        .arrives_at(&format!("{}/account", server.base))
        .await;
    let old = browser.cookies().await;

    server.advance(LATER);
    browser.go(&sessions).await;
    let renewed = browser.cookies().await;
    assert_ne!(value(&old, "portcullis"), value(&renewed, "portcullis"));
    assert_ne!(
        value(&old, "portcullis_refresh"),
        value(&renewed, "portcullis_refresh")
    );

    // What the other tab had sent before the answer to the first came.
    put_back(&browser, &old).await;
    browser.go(&sessions).await;
    assert_eq!(browser.read("h1").await, "Your sessions");
    let again = browser.cookies().await;
    assert_eq!(
        value(&again, "portcullis_refresh"),
        value(&renewed, "portcullis_refresh")
    );

    // The next page tells that the answer arrived.
    browser.go(&sessions).await;
    server.advance(TOO_LATE);
    put_back(&browser, &old).await;
    browser.go(&sessions).await;
    browser
        .arrives_at(&format!("{}/sign-in", server.base))
        .await;
    let words = browser.read("[role=status]").await;
    assert!(words.contains("You were signed out because"), "{words}");
    let reason = "SELECT count(*) FROM sessions WHERE end_reason = 'refresh-reuse'";
    assert_eq!(server.database.count(reason).await, 1);
}

#[tokio::test]
async fn an_api_call_with_an_expired_cookie_leaves_the_browser_signed_in() {
    let server = Server::start().await;
    server.user("ada@test.example", &[]).await;
    let driver = Driver::start();
    let browser = Chromium::open(&driver, Options::default()).await;
    browser.go(&format!("{}/sign-in", server.base)).await;
    browser.fill_in_sign_in("ada@test.example", PASSWORD).await;
    browser
        .arrives_at(&format!("{}/account", server.base))
        .await;
    server.advance(LATER);
    browser
        .go(&format!("{}/api/auth/session", server.base))
        .await;
    assert!(
        browser.source().await.contains("token-expired"),
        "{}",
        browser.source().await
    );
    browser
        .go(&format!("{}/account/sessions", server.base))
        .await;
    assert_eq!(browser.read("h1").await, "Your sessions");
}

fn value(cookies: &[Value], name: &str) -> String {
    let cookie = cookies.iter().find(|cookie| cookie["name"] == name);
    text(&cookie.unwrap_or_else(|| panic!("no cookie {name} in {cookies:?}"))["value"])
}

async fn put_back(browser: &Chromium, cookies: &[Value]) {
    for cookie in cookies {
        browser
            .session
            .post("cookie", json!({ "cookie": cookie }))
            .await;
    }
}
