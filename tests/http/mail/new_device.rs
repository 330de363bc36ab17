//! A sign-in from a device or network that was not seen before (ASVS 6.3.5).

use super::{NEW, choose, scan, token, windows};
use crate::support::{PASSWORD, Server};

#[tokio::test]
async fn asvs_6_3_5_a_sign_in_from_a_new_device_is_told_and_can_be_reported() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let ben = server.user("ben@test.example", &[]).await;
    let mut mine = server.signed_in_browser(&ada).await;
    let mut bens = server.signed_in_browser(&ben).await;
    assert_eq!(server.mails().await.len(), 0, "of the first nobody is told");
    server.signed_in_browser(&ada).await;
    assert_eq!(server.mails().await.len(), 0, "nor of what is known");

    let mut thief = windows(&server);
    assert_eq!(thief.sign_in(&ada.email, PASSWORD).await.status, 303);
    let mails = server.mails().await;
    assert_eq!(mails.len(), 1);
    let mail = &mails[0];
    assert_eq!(mail.to, "ada@test.example");
    assert_eq!(mail.subject, "A new sign-in to your account");
    for told in ["Firefox 140", "Windows", "127.0.0.1", "UTC"] {
        assert!(mail.text.contains(told), "{told}: {}", mail.text);
    }
    let link = mail.link("/not-me?token=");

    // Whoever only looks changes nothing.
    let page = scan(&server, &link).await;
    assert!(page.text.contains("Windows"), "{}", page.text);
    for browser in [&mut mine, &mut thief, &mut bens] {
        assert_eq!(browser.get("/account").await.status, 200);
    }
    // Nor does a form that is not from our page.
    let fields = [("token", token(&link))];
    let fields: Vec<_> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let forged = server.browser().post("/not-me", "wrong", &fields).await;
    assert_eq!(forged.status, 403);
    assert_eq!(thief.get("/account").await.status, 200);

    let mut browser = server.browser();
    let done = browser.submit(&link, "/not-me", &fields).await;
    assert_eq!(done.status, 303, "{}", done.text);
    for browser in [&mut mine, &mut thief] {
        let answer = browser.get("/account").await;
        assert_eq!(answer.status, 303);
        let told = browser.get(answer.location()).await.text;
        assert!(told.contains("reported as somebody else"), "{told}");
    }
    assert_eq!(bens.get("/account").await.status, 200);
    let next = done.location().to_owned();
    assert!(next.starts_with("/new-password?token="), "{next}");
    let page = browser.get(&next).await;
    assert!(page.text.contains("ada@test.example"), "{}", page.text);
    let next = next.split('&').next().unwrap();

    // Used twice, it is refused.
    assert_eq!(browser.get(&link).await.status, 404);
    let again = browser.submit("/sign-in", "/not-me", &fields).await;
    assert_eq!(again.status, 404);
    // Whoever it was knows the password.
    assert_eq!(server.try_sign_in(&ada.email, PASSWORD).await.status, 401);
    assert_eq!(choose(&server, next, true).await.status, 303);
    assert_eq!(server.try_sign_in(&ada.email, PASSWORD).await.status, 401);
    assert_eq!(server.try_sign_in(&ada.email, NEW).await.status, 200);
    let audited = "SELECT COUNT(*) FROM audit_events WHERE action = 'sign-in-reported' AND subject_id IS NOT NULL AND session_id IS NOT NULL";
    assert_eq!(server.database.count(audited).await, 1);
}

#[tokio::test]
async fn a_new_network_is_told_too_and_the_link_is_good_for_three_days() {
    let variables = [("PORTCULLIS_TRUSTED_PROXIES", "127.0.0.1")];
    let server = Server::start_with(&variables).await;
    let ada = server.user("ada@test.example", &[]).await;
    let from = async |address: &str| {
        let document = serde_json::json!({ "email": ada.email, "password": PASSWORD });
        let request = server
            .request(reqwest::Method::POST, "/api/auth/sign-in")
            .header("x-forwarded-for", address)
            .json(&document);
        assert_eq!(request.send().await.unwrap().status(), 200);
        server.mails().await
    };
    assert_eq!(from("192.0.2.7").await.len(), 0);
    assert_eq!(from("192.0.2.99").await.len(), 0, "a neighbour");
    let mails = from("198.51.100.7").await;
    assert_eq!(mails.len(), 1);
    let link = mails[0].link("/not-me?token=");
    assert_eq!(from("198.51.100.8").await.len(), 0);
    server.advance(3 * 86_400 - 60);
    assert_eq!(server.browser().get(&link).await.status, 200);
    server.advance(60);
    assert_eq!(server.browser().get(&link).await.status, 404);
}

#[tokio::test]
async fn a_mail_from_before_a_new_password_ends_sessions_and_chooses_none() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let mut mine = server.signed_in_browser(&ada).await;
    let mut thief = windows(&server);
    assert_eq!(thief.sign_in(&ada.email, PASSWORD).await.status, 303);
    let link = server.mails().await[0].link("/not-me?token=");
    server.advance(1);
    let fields = [
        ("current_password", PASSWORD),
        ("new_password", NEW),
        ("new_password_again", NEW),
        ("end_others", "true"),
    ];
    let path = "/account/security";
    assert_eq!(mine.submit(path, path, &fields).await.status, 303);

    let mut reader = server.browser();
    let fields = [("token", token(&link))];
    let fields: Vec<_> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let done = reader.submit(&link, "/not-me", &fields).await;
    assert_eq!(done.status, 303, "{}", done.text);
    assert!(
        done.location().starts_with("/sign-in"),
        "{}",
        done.location()
    );
    let page = reader.get(done.location()).await;
    assert!(page.text.contains("Forgot your password?"), "{}", page.text);
    assert!(
        page.text.contains("was changed since that mail"),
        "{}",
        page.text
    );
    assert_eq!(mine.get("/account").await.status, 303, "it stops all");
    assert_eq!(server.try_sign_in(&ada.email, NEW).await.status, 401);
    // Whose the mailbox is now goes on.
    let fields = [("email", "ada@test.example")];
    reader
        .submit("/reset-password", "/reset-password", &fields)
        .await;
    let mails = server.mails().await;
    let next = mails.last().unwrap().link("/new-password?token=");
    assert_eq!(choose(&server, &next, true).await.status, 303);
}
