//! A dangerous act with an old proof of identity goes on after the password, without any script.

use serde_json::Value;

use crate::chromium::{Chromium, Options};
use crate::driver::Driver;
use crate::support::{PASSWORD, Server};

#[tokio::test]
async fn everyone_is_signed_out_in_one_go_though_the_proof_was_old() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let ada = server.user("ada@test.example", &[]).await;
    let driver = Driver::start();
    let options = Options {
        without_scripts: true,
        ..Options::default()
    };
    let browser = Chromium::open(&driver, options).await;
    browser.go(&format!("{}/sign-in", server.base)).await;
    browser.fill_in_sign_in(&admin.email, PASSWORD).await;
    browser
        .arrives_at(&format!("{}/account", server.base))
        .await;
    let path = format!("{}/admin/sessions/end-all", server.base);
    browser.go(&path).await;
    let victim = server.sign_in(&ada).await;
    // Over a long lunch the proof grows old, and the access cookie expires.
    server.advance(601);

    browser.click("main form button").await;
    assert_eq!(browser.read("h1").await, "Confirm it is you");
    let lead = browser.read("main .lead").await;
    let said = "To end everyone's sessions, enter your password once more. It is done as soon as \
                you confirm.";
    assert_eq!(lead, said);
    browser
        .fill("#step_up_password", "not this one, surely")
        .await;
    browser.click("main form button").await;
    assert!(browser.read("#problem").await.starts_with("Problem:"));
    assert_eq!(browser.read("main .lead").await, said);
    let ended = "SELECT count(*) FROM sessions WHERE ended_at IS NOT NULL";
    assert_eq!(server.database.count(ended).await, 0);

    let before = refresh_cookie(&browser).await;
    browser.fill("#step_up_password", PASSWORD).await;
    browser.click("main form button").await;
    browser
        .arrives_at(&format!("{}/admin/sessions", server.base))
        .await;
    let done = browser.read("[role=status]").await;
    assert!(done.contains("Everyone else was signed out."), "{done}");
    assert_eq!(server.database.count(ended).await, 1);
    let refused = server.refresh(&victim.refresh).await;
    assert_eq!(refused.json()["reason"], "everyone-out");
    assert_ne!(refresh_cookie(&browser).await, before);
    // Back and forth, nothing is done again by itself.
    browser.go(&format!("{}/account", server.base)).await;
    assert_eq!(browser.read("h1").await, "Your account");
}

async fn refresh_cookie(browser: &Chromium) -> Value {
    let cookies = browser.cookies().await;
    let refresh = cookies
        .into_iter()
        .find(|cookie| cookie["name"] == "portcullis_refresh");
    refresh.unwrap()["value"].clone()
}
