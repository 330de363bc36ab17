//! Changing one's own e-mail address (ASVS 6.3.7).

use super::{ask as ask_reset, reset_link, scan, token};
use crate::support::{Answer, Browser, PASSWORD, Server};

async fn ask(browser: &mut Browser, email: &str) -> Answer {
    let page = "/account/email";
    browser.submit(page, page, &[("email", email)]).await
}

async fn confirm(browser: &mut Browser, link: &str) -> Answer {
    let token = token(link);
    let fields = [("token", token.as_str())];
    browser.submit(link, "/confirm-email", &fields).await
}

#[tokio::test]
async fn asvs_6_3_7_a_new_address_counts_once_it_is_confirmed_and_both_are_told() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let other = server.sign_in(&ada).await;
    let mut browser = server.signed_in_browser(&ada).await;
    server.mails().await;
    let mailed_before = reset_link(&server, &ada).await;

    let asked = ask(&mut browser, "Ada@New.example").await;
    assert_eq!(asked.status, 200, "{}", asked.text);
    // The old address is told before anything has changed, with a way to stop it.
    let mut mails = server.mails().await;
    mails.sort_by(|one, other| one.to.cmp(&other.to));
    let to: Vec<&str> = mails.iter().map(|mail| mail.to.as_str()).collect();
    assert_eq!(to, ["ada@new.example", "ada@test.example"]);
    assert_eq!(mails[1].subject, "Your e-mail address is to be changed");
    assert!(!mails[1].raw.contains("/confirm-email"), "{}", mails[1].raw);
    mails[1].link("/not-me?token=");
    let link = mails[0].link("/confirm-email?token=");
    scan(&server, &link).await;
    assert_eq!(server.verify(&other.access).await.status, 200);
    assert_eq!(
        server.try_sign_in("ada@new.example", PASSWORD).await.status,
        401
    );

    let done = confirm(&mut browser, &link).await;
    assert_eq!(done.status, 303, "{}", done.text);
    let page = browser.get("/account").await;
    assert_eq!(page.status, 200, "this session goes on");
    assert!(page.text.contains("ada@new.example"), "{}", page.text);
    let refused = server.verify(&other.access).await;
    assert_eq!(refused.json()["reason"], "email-changed");
    assert_eq!(server.try_sign_in(&ada.email, PASSWORD).await.status, 401);
    assert_eq!(
        server.try_sign_in("ada@new.example", PASSWORD).await.status,
        200
    );
    let mails = server.mails().await;
    let mut notices: Vec<&str> = mails
        .iter()
        .filter(|mail| mail.subject == "Your e-mail address was changed")
        .map(|mail| mail.to.as_str())
        .collect();
    notices.sort_unstable();
    assert_eq!(notices, ["ada@new.example", "ada@test.example"]);
    // Used twice, it is refused; and what was mailed to the old address is good for nothing.
    assert_eq!(server.browser().get(&link).await.status, 404);
    let again = browser
        .submit("/account", "/confirm-email", &[("token", &token(&link))])
        .await;
    assert_eq!(again.status, 404);
    assert_eq!(server.browser().get(&mailed_before).await.status, 404);
    ask_reset(&server, &ada.email).await;
    assert_eq!(server.mails().await.len(), 0);
}

#[tokio::test]
async fn asking_needs_a_fresh_proof_and_tells_nothing_of_others() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    server.user("ben@test.example", &[]).await;
    let mut browser = server.signed_in_browser(&ada).await;
    let free = ask(&mut browser, "free@test.example").await;
    let link = server.mail_to("free@test.example").await;
    let link = link.link("/confirm-email?token=");
    let taken = ask(&mut browser, "ben@test.example").await;
    assert_eq!(
        taken.text.replace("ben@", ""),
        free.text.replace("free@", "")
    );
    // The asker's own mailbox gets the same either way, and the other address nothing.
    let mails = server.mails().await;
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, ada.email);
    // The newer wish has replaced the older.
    assert_eq!(server.browser().get(&link).await.status, 404);
    for (email, status) in [
        ("ada@test.example", 422),
        ("ada", 422),
        ("a@b\r\nBcc: c@d", 422),
    ] {
        assert_eq!(ask(&mut browser, email).await.status, status, "{email}");
    }
    // Somebody else was quicker.
    server.advance(60);
    ask(&mut browser, "late@test.example").await;
    let link = server.mail_to("late@test.example").await;
    let link = link.link("/confirm-email?token=");
    server.user("late@test.example", &[]).await;
    let refused = confirm(&mut browser, &link).await;
    assert_eq!(refused.status, 409, "{}", refused.text);
    server.advance(601);
    let stale = ask(&mut browser, "new@test.example").await;
    assert_eq!(stale.status, 403);
    let act = "change your e-mail address";
    assert!(stale.text.contains(act), "{}", stale.text);
    assert_eq!(server.mails().await.len(), 0);
}

#[tokio::test]
async fn a_link_is_dead_once_its_session_has_ended_or_the_password_has_changed() {
    for end in ["password-changed", "ended-by-user"] {
        let server = Server::start().await;
        let ada = server.user("ada@test.example", &[]).await;
        let mut thief = server.signed_in_browser(&ada).await;
        let mut own = server.signed_in_browser(&ada).await;
        ask(&mut thief, "thief@test.example").await;
        let mails = server.mails().await;
        let mail = mails.iter().find(|mail| mail.to == "thief@test.example");
        let link = mail.unwrap().link("/confirm-email?token=");
        let answer = if end == "ended-by-user" {
            let act = "/account/sessions/end-others";
            own.submit("/account/sessions", act, &[]).await
        } else {
            let new = "another long and quiet one";
            let fields = [
                ("current_password", PASSWORD),
                ("new_password", new),
                ("new_password_again", new),
            ];
            let page = "/account/security";
            own.submit(page, page, &fields).await
        };
        assert_eq!(answer.status, 303, "{end}: {}", answer.text);
        let mut nobody = server.browser();
        nobody.get("/sign-in").await;
        let form = token(&link);
        let refused = nobody
            .submit("/sign-in", "/confirm-email", &[("token", form.as_str())])
            .await;
        assert_eq!(refused.status, 404, "{end}: {}", refused.text);
        let addresses = "SELECT COUNT(*) FROM users WHERE email = 'ada@test.example'";
        assert_eq!(server.database.count(addresses).await, 1, "{end}");
    }
}

#[tokio::test]
async fn asvs_6_3_7_who_has_the_old_mailbox_can_stop_a_change_but_not_take_over_once_it_is_made() {
    for confirmed in [false, true] {
        let server = Server::start().await;
        let ada = server.user("ada@test.example", &[]).await;
        let mut browser = server.signed_in_browser(&ada).await;
        ask(&mut browser, "new@test.example").await;
        let mails = server.mails().await;
        let to = |address: &str| mails.iter().find(|mail| mail.to == address).unwrap();
        let stop = to("ada@test.example").link("/not-me?token=");
        let change = to("new@test.example").link("/confirm-email?token=");
        if confirmed {
            assert_eq!(confirm(&mut browser, &change).await.status, 303);
        }
        let token = token(&stop);
        let mut anybody = server.browser();
        // That mailbox is not told of the new address.
        let page = anybody.get(&stop).await;
        assert!(page.text.contains("ada@test.example"), "{}", page.text);
        assert!(!page.text.contains("new@test.example"), "{}", page.text);
        let fields = [("token", token.as_str())];
        let stopped = anybody.submit(&stop, "/not-me", &fields).await;
        assert_eq!(stopped.status, 303, "{}", stopped.text);
        assert_eq!(browser.get("/account").await.status, 303, "it is ended");
        for email in ["ada@test.example", "new@test.example"] {
            assert_eq!(server.try_sign_in(email, PASSWORD).await.status, 401);
        }
        let leads_on = stopped.location().starts_with("/new-password?token=");
        assert_eq!(leads_on, !confirmed, "{}", stopped.location());
        if confirmed {
            let page = anybody.get(stopped.location()).await;
            for told in ["the account is disabled", "tell your administrator"] {
                assert!(page.text.contains(told), "{}", page.text);
            }
            // Nor does whoever changed it come back by the new one.
            let fields = [("email", "new@test.example")];
            server.mails().await;
            let path = "/reset-password";
            anybody.submit(path, path, &fields).await;
            assert_eq!(server.mails().await.len(), 0);
            let disabled = "SELECT COUNT(*) FROM users WHERE disabled_at IS NOT NULL";
            assert_eq!(server.database.count(disabled).await, 1);
        } else {
            let refused = server.browser().get(&change).await;
            assert_eq!(refused.status, 404, "nothing is changed any more");
        }
    }
}
