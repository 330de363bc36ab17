//! Whether an address is known to be its user's: by a link that was mailed there, and by nothing else.

use serde_json::json;

use super::{NEW, choose, reset_link, scan, token};
use crate::cli::Host;
use crate::support::{Answer, Browser, Server, TestUser};

/// What the administrators' API says of a user's address.
async fn is_verified(server: &Server, console: &str, user: &TestUser) -> bool {
    let path = format!("/api/admin/users/{}", user.id);
    let shown = server.get(&path, Some(console)).await.json();
    let listed = server.get("/api/admin/users", Some(console)).await.json();
    let users = listed["users"].as_array().unwrap();
    let id = json!(user.id);
    let in_list = users.iter().find(|user| user["id"] == id).unwrap();
    assert_eq!(in_list["email_verified"], shown["email_verified"]);
    let is_known = shown["email_verified"].as_bool().unwrap();
    assert_eq!(shown["email_verified_at"].is_string(), is_known, "{shown}");
    is_known
}

async fn ask(browser: &mut Browser) -> Answer {
    browser
        .submit("/account", "/account/email/verify", &[])
        .await
}

async fn verify(browser: &mut Browser, link: &str) -> Answer {
    let token = token(link);
    let fields = [("token", token.as_str())];
    browser.submit("/sign-in", "/verify-email", &fields).await
}

#[tokio::test]
async fn a_mailed_link_verifies_the_address_once_and_is_harmless_to_scanners() {
    let server = Server::start().await;
    let (admin, ada) = (
        server.admin().await,
        server.user("ada@test.example", &[]).await,
    );
    let console = server.sign_in(&admin).await.access;
    let mut browser = server.signed_in_browser(&ada).await;
    let page = browser.get("/account").await.text;
    assert!(page.contains("Not verified"), "{page}");
    let asked = ask(&mut browser).await;
    assert_eq!(asked.status, 303, "{}", asked.text);
    let page = browser.get(asked.location()).await.text;
    assert!(page.contains("on its way to your address"), "{page}");
    let first = server
        .mail_to(&ada.email)
        .await
        .link("/verify-email?token=");
    // A newer one replaces it.
    server.advance(1);
    ask(&mut browser).await;
    let link = server
        .mail_to(&ada.email)
        .await
        .link("/verify-email?token=");
    assert_eq!(server.browser().get(&first).await.status, 404);
    let page = scan(&server, &link).await;
    assert!(page.text.contains(&ada.email), "{}", page.text);
    assert!(!is_verified(&server, &console, &ada).await);

    // In any browser: whoever has the mail has the link.
    let done = verify(&mut server.browser(), &link).await;
    assert_eq!(done.status, 303, "{}", done.text);
    assert!(is_verified(&server, &console, &ada).await);
    let page = browser.get("/account").await.text;
    assert!(page.contains(">Verified<") && !page.contains("/account/email/verify"));
    let path = format!("/admin/users/{}", ada.id);
    let mut desk = server.signed_in_browser(&admin).await;
    let page = desk.get(&path).await.text;
    assert!(page.contains(">Verified<"), "{page}");
    // It works once, and nobody needs another.
    assert_eq!(verify(&mut server.browser(), &link).await.status, 404);
    let again = browser
        .submit("/account/email", "/account/email/verify", &[])
        .await;
    assert_eq!(again.status, 409, "{}", again.text);
    let audited = "SELECT COUNT(*) FROM audit_events WHERE action = 'email-verified' AND subject_id = actor_id";
    assert_eq!(server.database.count(audited).await, 1);
}

#[tokio::test]
async fn a_link_past_its_time_or_for_an_address_of_before_is_dead() {
    let server = Server::start().await;
    let (admin, ada) = (
        server.admin().await,
        server.user("ada@test.example", &[]).await,
    );
    let mut browser = server.signed_in_browser(&ada).await;
    ask(&mut browser).await;
    let link = server
        .mail_to(&ada.email)
        .await
        .link("/verify-email?token=");
    server.advance(3_599);
    assert_eq!(server.browser().get(&link).await.status, 200);
    server.advance(1);
    assert_eq!(server.browser().get(&link).await.status, 404);
    assert_eq!(verify(&mut server.browser(), &link).await.status, 404);

    let mut browser = server.signed_in_browser(&ada).await;
    ask(&mut browser).await;
    let link = server
        .mail_to(&ada.email)
        .await
        .link("/verify-email?token=");
    let console = server.sign_in(&admin).await.access;
    let other = "UPDATE users SET email = 'other@test.example' WHERE email = 'ada@test.example'";
    server.database.execute(other).await;
    assert_eq!(server.browser().get(&link).await.status, 404);
    assert_eq!(verify(&mut server.browser(), &link).await.status, 404);
    assert!(!is_verified(&server, &console, &ada).await);
    // Asked too often, it is said on the page.
    let mut browser = server.browser();
    browser
        .sign_in("other@test.example", crate::support::PASSWORD)
        .await;
    let mut last = ask(&mut browser).await;
    for _ in 0..5 {
        last = ask(&mut browser).await;
    }
    assert_eq!(last.status, 429, "{}", last.text);
    assert!(last.text.contains("Your account"), "{}", last.text);
}

#[tokio::test]
async fn a_password_chosen_by_mail_verifies_the_address_and_one_shown_on_a_screen_does_not() {
    let server = Server::start().await;
    let admin = server.admin().await;
    let console = server.sign_in(&admin).await.access;
    for by_mail in [false, true] {
        let email = format!("new-{by_mail}@test.example");
        let document = json!({ "email": email });
        let made = server
            .post("/api/admin/users", Some(&console), document)
            .await;
        let id = made.json()["id"].as_str().unwrap().parse().unwrap();
        let user = TestUser {
            id: portcullis::rules::id::UserId(id),
            email: email.clone(),
        };
        let url = made.json()["invitation_url"].as_str().unwrap().to_owned();
        let shown = url.replace("http://localhost:8080", "");
        let mailed = server.mail_to(&email).await.link("/invitation?token=");
        assert!(mailed.starts_with(&shown) && mailed.len() > shown.len());
        let link = if by_mail { mailed } else { shown };
        let mut browser = server.browser();
        let page = browser.get(&link).await;
        assert_eq!(page.text.contains("name=\"mailed\""), by_mail);
        let (token, tag) = match token(&link).split_once("&mailed=") {
            Some((token, tag)) => (token.to_owned(), tag.to_owned()),
            // What an administrator could make up.
            None => (token(&link), "A".repeat(43)),
        };
        let fields = [
            ("token", token.as_str()),
            ("mailed", tag.as_str()),
            ("password", NEW),
            ("password_again", NEW),
        ];
        let chosen = browser.submit(&link, "/invitation", &fields).await;
        assert_eq!(chosen.status, 303, "{}", chosen.text);
        assert_eq!(is_verified(&server, &console, &user).await, by_mail);
        // A forgotten password comes by mail alone.
        server.mails().await;
        let link = reset_link(&server, &user).await;
        assert_eq!(is_verified(&server, &console, &user).await, by_mail);
        assert_eq!(choose(&server, &link, true).await.status, 303);
        assert!(is_verified(&server, &console, &user).await);
        server.mails().await;
    }
}

#[tokio::test]
async fn a_changed_address_is_verified_by_its_confirmation() {
    let server = Server::start().await;
    let (admin, ada) = (
        server.admin().await,
        server.user("ada@test.example", &[]).await,
    );
    let console = server.sign_in(&admin).await.access;
    let mut browser = server.signed_in_browser(&ada).await;
    let page = "/account/email";
    let fields = [("email", "new@test.example")];
    browser.submit(page, page, &fields).await;
    assert!(!is_verified(&server, &console, &ada).await);
    let link = server.mail_to("new@test.example").await;
    let link = link.link("/confirm-email?token=");
    let token = token(&link);
    let fields = [("token", token.as_str())];
    let done = browser.submit(&link, "/confirm-email", &fields).await;
    assert_eq!(done.status, 303, "{}", done.text);
    assert!(is_verified(&server, &console, &ada).await);
}

#[tokio::test]
async fn a_command_shows_whether_an_address_is_verified() {
    let host = Host::new().await;
    host.make_user();
    let shown = host.json(&["user", "show", crate::cli::EMAIL]);
    assert_eq!(shown["email_verified"], false);
    assert_eq!(shown["email_verified_at"], json!(null));
    let said = host.done(&["user", "show", crate::cli::EMAIL], "");
    let line = said.lines().find(|line| line.contains("e-mail verified"));
    assert!(line.is_some_and(|line| line.ends_with("never")), "{said}");
}
