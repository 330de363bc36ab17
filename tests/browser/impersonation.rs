//! Looking on as another user, as an administrator and the person live it, with scripts switched
//! off.

use serde_json::Value;

use crate::chromium::{Chromium, Options};
use crate::driver::Driver;
use crate::pages::{HOSTILE, WIDTHS};
use crate::proxy::Site;
use crate::support::{PASSWORD, Server, TestUser};

const REASON: &str = "her invoice of May does not show";

#[tokio::test]
async fn an_administrator_looks_on_sees_the_banner_everywhere_and_stops() {
    let server = Server::start().await;
    let roles = ["admin", "impersonator"];
    let grace = server.user("grace@test.example", &roles).await;
    let ada = server.user("ada@test.example", &["editor"]).await;
    let driver = Driver::start();
    let console = signed_in(&driver, &server, &grace).await;
    let person = signed_in(&driver, &server, &ada).await;

    look_on(&server, &console, &ada, REASON).await;
    for path in [
        "/account",
        "/account/sessions",
        "/account/security",
        "/admin",
    ] {
        console.go(&format!("{}{path}", server.base)).await;
        let banner = console.read(".looking-on").await;
        for words in [
            "You are looking at Portcullis as ada",
            REASON,
            "Ends at",
            "Stop",
        ] {
            assert!(banner.contains(words), "{path}: {banner}");
        }
        assert!(console.is_displayed(".looking-on button").await, "{path}");
    }

    person
        .go(&format!("{}/account/sessions", server.base))
        .await;
    let told = format!("Opened by an administrator, reason: {REASON}");
    let list = person.read("main").await;
    assert!(list.contains(&told), "{list}");

    console.click(".looking-on button").await;
    let user = format!("{}/admin/users/{}", server.base, ada.id);
    console.arrives_at(&user).await;
    assert_eq!(console.count(".looking-on").await, 0);
    let told = console.read("[role=status]").await;
    assert!(
        told.contains("You are no longer looking on as somebody else."),
        "{told}"
    );
    person.reload().await;
    let list = person.read("#ended ~ table").await;
    assert!(
        list.contains("administrator who had opened it is done with it"),
        "{list}"
    );

    // Once more, and now it is the person who ends it.
    look_on(&server, &console, &ada, REASON).await;
    person.reload().await;
    person
        .click("//li[contains(., 'Opened by')]//form[contains(@action, '/end')]//button")
        .await;
    person
        .arrives_at(&format!("{}/account/sessions", server.base))
        .await;
    console
        .go(&format!("{}/account/sessions", server.base))
        .await;
    console
        .arrives_at(&format!("{}/account", server.base))
        .await;
    assert!(console.read("main").await.contains("grace@test.example"));
    assert_eq!(console.count(".looking-on").await, 0);
}

/// One word without an end, and markup, for a reason and a name.
#[tokio::test]
async fn the_banner_fits_every_screen_whatever_the_reason() {
    let server = Server::start().await;
    let roles = ["admin", "impersonator"];
    let grace = server.user("grace@test.example", &roles).await;
    let ada = server.user("ada@test.example", &[]).await;
    let driver = Driver::start();
    let browser = Chromium::open(&driver, Options::default()).await;
    sign_in(&browser, &server, &grace).await;
    let reason = format!("{HOSTILE}{}", "x".repeat(300));
    look_on(&server, &browser, &ada, &reason).await;
    for width in WIDTHS {
        browser.set_width(width, 800).await;
        browser
            .go(&format!("{}/account/sessions", server.base))
            .await;
        let overflow = browser
            .script("return document.documentElement.scrollWidth - window.innerWidth")
            .await;
        assert!(overflow.as_i64().unwrap() <= 0, "{width}: {overflow}");
        assert!(
            browser.read(".looking-on").await.contains(HOSTILE),
            "{width}"
        );
    }
    assert_eq!(
        browser.script("return document.scripts.length").await,
        Value::from(0)
    );
}

/// The application behind the proxy is told, and is not asked to change anything.
#[tokio::test]
async fn an_application_behind_the_proxy_sees_who_looks_on() {
    let site = Site::start().await;
    let server = &site.server;
    let roles = ["admin", "impersonator"];
    let grace = server.user("grace@test.example", &roles).await;
    let ada = server.user("ada@test.example", &["editor"]).await;
    let driver = Driver::start();
    let options = Options {
        any_certificate: true,
        ..Options::default()
    };
    let browser = Chromium::open(&driver, options).await;
    browser.go(&format!("{}/sign-in", site.base)).await;
    browser.fill_in_sign_in(&grace.email, PASSWORD).await;
    let account = format!("{}/account", site.base);
    browser.arrives_at(&account).await;
    let user = format!("{}/admin/users/{}", site.base, ada.id);
    browser.go(&user).await;
    browser.fill("#reason", REASON).await;
    browser.click("form[action$='/impersonate'] button").await;
    browser.arrives_at(&account).await;
    browser.go(&format!("{}/app/", site.base)).await;
    let told = browser.read("body").await;
    for line in [
        format!("id={}", ada.id),
        "email=ada@test.example".to_owned(),
        format!("impersonator={}", grace.id),
        "read_only=true".to_owned(),
    ] {
        assert!(told.lines().any(|told| told == line), "{line}: {told}");
    }
    assert!(told.trim_end().ends_with("cookie="), "{told}");
    for (method, status) in [("GET", 200), ("POST", 403), ("DELETE", 403)] {
        let script = format!(
            "const r = new XMLHttpRequest(); r.open('{method}', '/app/', false); r.send(); return r.status"
        );
        assert_eq!(
            browser.script(&script).await,
            Value::from(status),
            "{method}"
        );
    }
}

async fn signed_in(driver: &Driver, server: &Server, user: &TestUser) -> Chromium {
    let options = Options {
        without_scripts: true,
        ..Options::default()
    };
    let browser = Chromium::open(driver, options).await;
    sign_in(&browser, server, user).await;
    browser
}

async fn sign_in(browser: &Chromium, server: &Server, user: &TestUser) {
    browser.go(&format!("{}/sign-in", server.base)).await;
    browser.fill_in_sign_in(&user.email, PASSWORD).await;
    browser
        .arrives_at(&format!("{}/account", server.base))
        .await;
}

async fn look_on(server: &Server, browser: &Chromium, user: &TestUser, reason: &str) {
    browser
        .go(&format!("{}/admin/users/{}", server.base, user.id))
        .await;
    browser.fill("#reason", reason).await;
    browser.click("form[action$='/impersonate'] button").await;
    browser
        .arrives_at(&format!("{}/account", server.base))
        .await;
}
