//! Over TLS, through nginx, to Portcullis and to an application that knows no sign-in.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::chromium::{Chromium, Options, text};
use crate::driver::Driver;
use crate::proxy::Site;
use crate::support::PASSWORD;

#[tokio::test]
async fn over_tls_the_cookies_are_bound_to_the_host_and_https_stays() {
    let (site, _driver, browser) = signed_in("/account").await;
    let cookies = browser.cookies().await;
    assert_eq!(
        names(&browser).await,
        ["__Host-portcullis", "__Host-portcullis_refresh"]
    );
    for cookie in &cookies {
        assert_eq!(cookie["secure"], true, "{cookie}");
        assert_eq!(cookie["httpOnly"], true, "{cookie}");
        assert_eq!(cookie["sameSite"], "Lax", "{cookie}");
        assert_eq!(cookie["path"], "/", "{cookie}");
        assert_eq!(cookie["domain"], "localhost", "{cookie}");
    }
    let headers = headers_of(&browser, &format!("{}/account", site.base)).await;
    assert_eq!(
        headers["strict-transport-security"],
        "max-age=63072000; includeSubDomains"
    );
    assert_eq!(browser.console().await, Vec::<String>::new());
    // The address comes from the proxy, whatever the browser claims.
    claim(&browser, "X-Forwarded-For", "203.0.113.66").await;
    browser.go(&format!("{}/account/sessions", site.base)).await;
    assert_eq!(browser.read(".session .address").await, "127.0.0.1");
    browser.click("form[action='/sign-out'] button").await;
    browser.arrives_at(&format!("{}/sign-in", site.base)).await;
}

#[tokio::test]
async fn an_application_behind_the_proxy_knows_who_is_there_until_the_session_is_ended() {
    let (site, _driver, browser) = signed_in("/app/orders?page=2").await;
    let told = told(&browser).await;
    assert_eq!(told["uri"], "/app/orders?page=2");
    assert_eq!(told["email"], "ada@test.example");
    assert_eq!(told["roles"], "editor");
    assert_eq!(
        told["cookie"], "",
        "the application got Portcullis's cookies"
    );

    for (name, key) in [
        ("X-User-Email", "email"),
        ("X-User-Roles", "roles"),
        ("X-Tenant-ID", "tenant"),
        ("X-Impersonator-ID", "impersonator"),
        ("X-Read-Only", "read_only"),
    ] {
        claim(&browser, name, "admin").await;
        browser.reload().await;
        assert_eq!(
            self::told(&browser).await[key],
            if ["tenant", "impersonator"].contains(&key) {
                ""
            } else {
                &told[key]
            },
            "{name}"
        );
    }
    claim(&browser, "X-Nothing", "").await;

    // After the access token's life the browser is renewed on the way, and comes back.
    site.server.advance(301);
    browser.go(&format!("{}/app/", site.base)).await;
    browser.arrives_at(&format!("{}/app/", site.base)).await;
    assert_eq!(self::told(&browser).await["session"], told["session"]);

    let admin = site.server.admin().await;
    let console = site.server.sign_in(&admin).await.access;
    let path = format!("/api/admin/sessions/{}", told["session"]);
    assert_eq!(site.server.delete(&path, Some(&console)).await.status, 204);
    browser.go(&format!("{}/app/", site.base)).await;
    let url = browser.arrives_at(&format!("{}/sign-in", site.base)).await;
    assert!(url.ends_with("?next=/app/"), "{url}");
    let words = browser.read("[role=status]").await;
    assert!(
        words.contains("You were signed out because an administrator ended this session"),
        "{words}"
    );
}

#[tokio::test]
async fn when_nobody_can_say_who_it_is_the_application_is_not_asked_and_nobody_is_signed_out() {
    let (site, _driver, browser) = signed_in("/app/").await;
    let before = names(&browser).await;
    let _stopped = site.server.stop().await;
    browser.go(&format!("{}/app/", site.base)).await;
    assert!(
        browser.source().await.contains("503 Service"),
        "{}",
        browser.source().await
    );
    assert_eq!(names(&browser).await, before);
}

/// A browser that asked for this page, was led to sign-in, signed in, and was led back.
async fn signed_in(path: &str) -> (Site, Driver, Chromium) {
    let site = Site::start().await;
    site.server.user("ada@test.example", &["editor"]).await;
    let driver = Driver::start();
    let browser = Chromium::open(
        &driver,
        Options {
            any_certificate: true,
            ..Options::default()
        },
    )
    .await;
    browser.go(&format!("{}{path}", site.base)).await;
    let url = browser.arrives_at(&format!("{}/sign-in", site.base)).await;
    assert!(url.contains("?next="), "{url}");
    browser.fill_in_sign_in("ada@test.example", PASSWORD).await;
    let page = path.split('?').next().unwrap();
    browser.arrives_at(&format!("{}{page}", site.base)).await;
    (site, driver, browser)
}

/// The names of the cookies for the page that is shown.
async fn names(browser: &Chromium) -> Vec<String> {
    let mut names: Vec<String> = browser
        .cookies()
        .await
        .iter()
        .map(|cookie| text(&cookie["name"]))
        .collect();
    names.sort();
    names
}

/// Sends this header, of those that only the proxy may write, along with every request.
async fn claim(browser: &Chromium, name: &str, value: &str) {
    browser.session.devtools("Network.enable", json!({})).await;
    let headers = json!({ "headers": { name: value } });
    browser
        .session
        .devtools("Network.setExtraHTTPHeaders", headers)
        .await;
}

/// What the application says it was told.
async fn told(browser: &Chromium) -> BTreeMap<String, String> {
    let said = browser.read("body").await;
    let pairs = said.lines().filter_map(|line| line.split_once('='));
    pairs
        .map(|(key, value)| (key.to_owned(), value.to_owned()))
        .collect()
}

/// The headers that Chromium got with a page, by their names in small letters.
async fn headers_of(browser: &Chromium, url: &str) -> BTreeMap<String, String> {
    let entries = browser
        .session
        .post("se/log", json!({ "type": "performance" }))
        .await;
    let events = entries.as_array().unwrap().iter();
    let mut responses = events.filter_map(|entry| {
        let event: Value = serde_json::from_str(entry["message"].as_str()?).ok()?;
        let response = &event["message"]["params"]["response"];
        let found =
            event["message"]["method"] == "Network.responseReceived" && response["url"] == url;
        found.then(|| response["headers"].clone())
    });
    let headers = responses
        .next_back()
        .unwrap_or_else(|| panic!("no response for {url}"));
    let headers = headers.as_object().unwrap().iter();
    headers
        .map(|(name, value)| (name.to_ascii_lowercase(), text(value)))
        .collect()
}
