//! The main story, as people live it, with scripts switched off.

use serde_json::{Value, json};

use crate::binary::Portcullis;
use crate::chromium::{Chromium, Options};
use crate::driver::Driver;
use crate::support::{Answer, PASSWORD, client};

const ADA: &str = "ada@example.org";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

#[tokio::test]
async fn from_first_start_to_being_signed_out_from_the_console_without_any_script() {
    let mut server = Portcullis::start();
    let driver = Driver::start();
    let admin = without_scripts(&driver, None).await;
    set_up(&mut server, &admin).await;
    let invitation = invite(&server, &admin).await;

    let laptop = without_scripts(&driver, None).await;
    choose_password(&server, &laptop, &invitation).await;
    sign_in(&server, &laptop).await;
    let phone = without_scripts(&driver, Some(FIREFOX)).await;
    phone.go(&server.base).await;
    sign_in(&server, &phone).await;
    let token = sign_in_with_the_api(&server).await;

    end_in_the_console(&server, &admin).await;

    // The very next thing this browser asks for ...
    phone.go(&format!("{}/account/sessions", server.base)).await;
    phone.arrives_at(&format!("{}/sign-in", server.base)).await;
    let words = phone.read("[role=status]").await;
    assert!(
        words.contains("You were signed out because an administrator ended this session on "),
        "{words}"
    );
    assert!(
        phone
            .cookies()
            .await
            .iter()
            .all(|cookie| cookie["name"] != "portcullis_refresh")
    );
    // ... and nobody else is touched.
    laptop
        .go(&format!("{}/account/sessions", server.base))
        .await;
    assert_eq!(laptop.read("h1").await, "Your sessions");
    assert!(
        laptop
            .read("#ended ~ table")
            .await
            .contains("an administrator ended this session")
    );
    assert_eq!(verify(&server, &token).await.status, 200);
    admin.reload().await;
    assert!(admin.url().await.contains("/admin/sessions"));
    // Signing in again leads to where the phone wanted to go.
    phone.fill_in_sign_in(ADA, PASSWORD).await;
    phone
        .arrives_at(&format!("{}/account/sessions", server.base))
        .await;
    assert_eq!(
        phone.count(".session").await,
        3,
        "laptop, program and the new one"
    );
}

/// A browser that runs no script, which is seen by trying.
async fn without_scripts(driver: &Driver, user_agent: Option<&'static str>) -> Chromium {
    let browser = Chromium::open(
        driver,
        Options {
            without_scripts: true,
            user_agent,
            ..Options::default()
        },
    )
    .await;
    browser
        .go("data:text/html,<title>off</title><script>document.title='on'</script>")
        .await;
    assert_eq!(browser.title().await, "off");
    browser
}

async fn set_up(server: &mut Portcullis, browser: &Chromium) {
    let link = server.set_up_link();
    browser.go(&link).await;
    browser.fill("#email", "grace@example.org").await;
    browser.fill("#name", "Grace Hopper").await;
    browser.fill("#password", PASSWORD).await;
    browser.fill("#password_again", PASSWORD).await;
    browser.click("main form button").await;
    browser.arrives_at(&format!("{}/admin", server.base)).await;
    assert_eq!(browser.read("h1").await, "Overview");
    // The link was good once.
    browser.go(&link).await;
    assert_eq!(
        browser.count("input[name=code]").await,
        0,
        "the set-up page is still there"
    );
}

/// The one-time link for Ada.
async fn invite(server: &Portcullis, browser: &Chromium) -> String {
    browser.go(&format!("{}/admin", server.base)).await;
    browser.click("//nav//a[.='Users']").await;
    browser
        .arrives_at(&format!("{}/admin/users", server.base))
        .await;
    browser.click("//a[.='New user']").await;
    browser
        .arrives_at(&format!("{}/admin/users/new", server.base))
        .await;
    browser.fill("#email", ADA).await;
    browser.fill("#name", "Ada Lovelace").await;
    browser.click("main form button").await;
    browser
        .arrives_at(&format!("{}/admin/users", server.base))
        .await;
    browser.read(".link-once").await
}

async fn choose_password(server: &Portcullis, browser: &Chromium, invitation: &str) {
    browser.go(invitation).await;
    assert_eq!(browser.read("h1").await, "Welcome, Ada Lovelace");
    browser.fill("#password", PASSWORD).await;
    browser.fill("#password_again", PASSWORD).await;
    browser.click("main form button").await;
    browser
        .arrives_at(&format!("{}/sign-in", server.base))
        .await;
    assert!(
        browser
            .read("[role=status]")
            .await
            .contains("Your password is set.")
    );
}

async fn sign_in(server: &Portcullis, browser: &Chromium) {
    browser.fill_in_sign_in(ADA, PASSWORD).await;
    browser
        .arrives_at(&format!("{}/account", server.base))
        .await;
    assert!(browser.read("main").await.contains(ADA));
}

async fn sign_in_with_the_api(server: &Portcullis) -> String {
    let url = format!("{}/api/auth/sign-in", server.base);
    let document = json!({ "email": ADA, "password": PASSWORD });
    let answer = Answer::read(client().post(url).json(&document).send().await.unwrap()).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let document: Value = answer.json();
    document["access_token"].as_str().unwrap().to_owned()
}

async fn verify(server: &Portcullis, token: &str) -> Answer {
    let url = format!("{}/api/auth/verify", server.base);
    Answer::read(client().get(url).bearer_auth(token).send().await.unwrap()).await
}

/// The administrator looks for Ada's sessions and ends the one in Firefox.
async fn end_in_the_console(server: &Portcullis, browser: &Chromium) {
    browser.go(&format!("{}/admin/sessions", server.base)).await;
    browser.fill("#q", "ada").await;
    browser.click("main form[role=search] button").await;
    browser
        .arrives_at(&format!("{}/admin/sessions", server.base))
        .await;
    assert_eq!(browser.count("table.list tbody tr").await, 3);
    browser.click("//tr[contains(., 'Firefox')]//button").await;
    browser
        .arrives_at(&format!("{}/admin/sessions", server.base))
        .await;
    assert!(
        browser
            .read("[role=status]")
            .await
            .contains("The session was ended.")
    );
    assert_eq!(browser.count("table.list tbody tr").await, 2);
}
