//! A new password instead of a forgotten one (ASVS 6.3.8, 6.4.1, 6.4.3).

use super::{NEW, ask, choose, reset_link, scan};
use crate::support::{PASSWORD, Server};

/// A page without what differs by chance or by what was typed.
fn plain(text: &str, email: &str) -> String {
    let token = crate::support::browser::form_token(text);
    let text = if token.is_empty() {
        text.to_owned()
    } else {
        text.replace(&token, "")
    };
    text.replace(email, "")
}

#[tokio::test]
async fn asvs_6_3_8_nothing_tells_whether_there_is_such_a_user() {
    let server = Server::start().await;
    let (ada, eve) = (
        server.user("ada@test.example", &[]).await,
        server.user("eve@test.example", &["admin"]).await,
    );
    server.admin().await;
    let console = server.sign_in(&eve).await;
    let path = format!(
        "/api/admin/users/{}",
        server.user("dan@test.example", &[]).await.id
    );
    let disabled = serde_json::json!({"enabled": false});
    let answer = server
        .call(
            reqwest::Method::PATCH,
            &path,
            Some(&console.access),
            Some(disabled),
        )
        .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    let known = ask(&server, &ada.email).await;
    assert_eq!(known.status, 200, "{}", known.text);
    for (email, number) in [("nobody@test.example", 2), ("dan@test.example", 3)] {
        let unknown = ask(&server, email).await;
        assert_eq!(unknown.status, known.status);
        assert_eq!(plain(&unknown.text, email), plain(&known.text, &ada.email));
        // The same is written too, so that it takes as long.
        for table in ["outbox", "audit_events"] {
            let sql = format!("SELECT COUNT(*) FROM {table} WHERE action = 'reset-asked'");
            assert_eq!(server.database.count(&sql).await, number, "{table}");
        }
    }
    let mails = server.mails().await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0].to, ada.email);
    // Whoever asks too often is refused alike.
    for email in [&ada.email[..], "nobody@test.example"] {
        for _ in 0..2 {
            assert_eq!(ask(&server, email).await.status, 200, "{email}");
        }
        let refused = ask(&server, email).await;
        assert_eq!(refused.status, 200, "{email}: the third is still free");
        let refused = ask(&server, email).await;
        assert_eq!(refused.status, 429, "{email}");
        server.advance(0);
    }
}

#[tokio::test]
async fn asvs_6_4_3_a_mailed_link_sets_a_new_password_once_and_ends_all_sessions() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let session = server.sign_in(&ada).await;
    let link = reset_link(&server, &ada).await;
    scan(&server, &link).await;
    assert_eq!(server.verify(&session.access).await.status, 200);
    let chosen = choose(&server, &link, true).await;
    assert_eq!(chosen.status, 303, "{}", chosen.text);
    let refused = server.verify(&session.access).await;
    assert_eq!(refused.json()["reason"], "password-changed");
    assert_eq!(server.try_sign_in(&ada.email, PASSWORD).await.status, 401);
    assert_eq!(server.try_sign_in(&ada.email, NEW).await.status, 200);
    // Used twice, it is refused.
    assert_eq!(server.browser().get(&link).await.status, 404);
    assert_eq!(choose(&server, &link, true).await.status, 404);
    let mails = server.mails().await;
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0].subject, "Your password was changed");
    // The notice holds no link that does anything by itself.
    assert!(!mails[0].raw.contains("token"), "{}", mails[0].raw);

    // Twice at the same moment, it serves one of them.
    server.advance(3_600);
    let link = reset_link(&server, &ada).await;
    let (one, other) = tokio::join!(choose(&server, &link, true), choose(&server, &link, true));
    let mut both = [one.status.as_u16(), other.status.as_u16()];
    both.sort_unstable();
    assert_eq!(both, [303, 404]);
    server.mails().await;

    // Whoever wants to may stay signed in.
    server.advance(3_600);
    let session = server.sign_in_with(&ada, NEW).await;
    let link = reset_link(&server, &ada).await;
    assert_eq!(choose(&server, &link, false).await.status, 303);
    assert_eq!(server.verify(&session.access).await.status, 200);
}

#[tokio::test]
async fn asvs_6_4_1_an_older_link_and_one_past_its_time_are_dead() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let first = reset_link(&server, &ada).await;
    server.advance(1);
    let second = reset_link(&server, &ada).await;
    assert_ne!(first, second);
    assert_eq!(choose(&server, &first, true).await.status, 404);
    server.advance(3_599);
    assert_eq!(server.browser().get(&second).await.status, 200);
    server.advance(1);
    assert_eq!(server.browser().get(&second).await.status, 404);
    assert_eq!(choose(&server, &second, true).await.status, 404);
    assert_eq!(server.try_sign_in(&ada.email, PASSWORD).await.status, 200);

    // A mail that is late is not sent at all.
    assert_eq!(ask(&server, &ada.email).await.status, 200);
    server.advance(3_600);
    assert_eq!(server.mails().await.len(), 0);
    // Two that wait: only the newer one is of use.
    assert_eq!(ask(&server, &ada.email).await.status, 200);
    server.advance(100);
    assert_eq!(ask(&server, &ada.email).await.status, 200);
    let mails = server.mails().await;
    let good: Vec<_> = mails
        .iter()
        .map(|mail| mail.link("/new-password?token="))
        .collect();
    let newest = good.last().unwrap();
    assert_eq!(server.browser().get(newest).await.status, 200);
    for older in good.iter().filter(|link| *link != newest) {
        assert_eq!(server.browser().get(older).await.status, 404);
    }
    // A password that was changed meanwhile makes the link useless.
    let link = newest.clone();
    let mut browser = server.signed_in_browser(&ada).await;
    let fields = [
        ("current_password", PASSWORD),
        ("new_password", NEW),
        ("new_password_again", NEW),
    ];
    let page = "/account/security";
    assert_eq!(browser.submit(page, page, &fields).await.status, 303);
    assert_eq!(server.browser().get(&link).await.status, 404);
}

#[tokio::test]
async fn the_host_that_a_request_names_is_not_where_a_link_leads() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let mut browser = server.browser();
    let page = browser.get("/reset-password").await;
    let token = crate::support::browser::form_token(&page.text);
    let body = crate::support::browser::form(&[("email", &ada.email), ("csrf_token", &token)]);
    let request = browser
        .request(reqwest::Method::POST, "/reset-password")
        .header("host", "thief.example")
        .header("x-forwarded-host", "thief.example")
        .header("sec-fetch-site", "same-origin")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body);
    assert_eq!(browser.send(request).await.status, 200);
    let mails = server.mails().await;
    assert!(!mails[0].raw.contains("thief"), "{}", mails[0].raw);
    mails[0].link("/new-password?token=");
}

#[tokio::test]
async fn the_sign_in_page_leads_there_and_what_is_no_address_is_refused() {
    let server = Server::start().await;
    let page = server.browser().get("/sign-in").await.text;
    assert!(page.contains("href=\"/reset-password\""), "{page}");
    for email in ["", "ada", "a@b\r\nBcc: thief@test.example", "a@b, c@d"] {
        let refused = ask(&server, email).await;
        assert_eq!(refused.status, 422, "{email:?}");
    }
    assert_eq!(server.mails().await.len(), 0);
}
