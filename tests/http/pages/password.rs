//! Changing one's password, and proving again who one is.

use crate::support::{Answer, Browser, PASSWORD, Server};

const NEW: &str = "another long and quiet one";
const PAGE: &str = "/account/security";

async fn change(browser: &mut Browser, current: &str, new: &str, end_others: bool) -> Answer {
    let mut fields = vec![
        ("current_password", current),
        ("new_password", new),
        ("new_password_again", new),
    ];
    if end_others {
        fields.push(("end_others", "true"));
    }
    browser.submit(PAGE, PAGE, &fields).await
}

#[tokio::test]
async fn asvs_6_2_2_and_7_4_3_a_change_ends_the_other_sessions_and_renews_ones_own() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let other = server.sign_in(&ada).await;
    let mut browser = server.signed_in_browser(&ada).await;
    let page = browser.get(PAGE).await.text;
    assert!(
        page.contains("name=\"end_others\" value=\"true\" checked"),
        "offered, and by default"
    );

    let before = browser.cookies.clone();
    let done = change(&mut browser, PASSWORD, NEW, true).await;
    assert_eq!(
        done.location(),
        "/account/security?done=password-changed",
        "{}",
        done.text
    );
    assert_ne!(browser.cookies["portcullis"], before["portcullis"]);
    assert_ne!(
        browser.cookies["portcullis_refresh"],
        before["portcullis_refresh"]
    );
    assert_eq!(
        server.verify(&before["portcullis"]).await.code(),
        "invalid-token",
        "at once"
    );
    assert_eq!(
        server.refresh(&before["portcullis_refresh"]).await.status,
        401
    );
    assert_eq!(browser.get(PAGE).await.status, 200);
    assert_eq!(
        server.verify(&other.access).await.json()["reason"],
        "password-changed"
    );
    assert_eq!(server.try_sign_in(&ada.email, PASSWORD).await.status, 401);
    assert_eq!(server.try_sign_in(&ada.email, NEW).await.status, 200);
}

#[tokio::test]
async fn asvs_7_4_3_the_others_stay_where_that_is_chosen() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let other = server.sign_in(&ada).await;
    let mut browser = server.signed_in_browser(&ada).await;
    assert_eq!(change(&mut browser, PASSWORD, NEW, false).await.status, 303);
    assert_eq!(server.verify(&other.access).await.status, 200);
}

#[tokio::test]
async fn asvs_6_2_3_a_wrong_current_password_changes_nothing_and_is_counted() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let mut browser = server.signed_in_browser(&ada).await;
    for _ in 0..6 {
        let refused = change(&mut browser, "not the password", NEW, true).await;
        assert_eq!(refused.status, 401, "{}", refused.text);
        assert!(
            refused
                .text
                .contains("The current password is wrong. Nothing was changed.")
        );
        assert!(!refused.text.contains("not the password") && !refused.text.contains(NEW));
    }
    let mut statuses = Vec::new();
    for _ in 0..6 {
        statuses.push(
            change(&mut browser, "not the password", NEW, true)
                .await
                .status
                .as_u16(),
        );
    }
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(
        browser.get("/account").await.status,
        200,
        "the session goes on"
    );
    server.advance(60);
    for fields in [
        &[("new_password", NEW), ("new_password_again", NEW)][..],
        &[],
    ] {
        assert_eq!(browser.submit(PAGE, PAGE, fields).await.status, 400);
    }
    let mismatch = [
        ("current_password", PASSWORD),
        ("new_password", NEW),
        ("new_password_again", PASSWORD),
    ];
    assert_eq!(browser.submit(PAGE, PAGE, &mismatch).await.status, 422);
    assert_eq!(server.try_sign_in(&ada.email, PASSWORD).await.status, 200);
    assert_eq!(change(&mut browser, PASSWORD, NEW, true).await.status, 303);
}

#[tokio::test]
async fn asvs_7_5_2_ending_another_session_asks_for_a_recent_proof() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let other = server.sign_in(&ada).await;
    let mut browser = server.signed_in_browser(&ada).await;
    server.advance(601);
    let action = format!("/account/sessions/{}/end", other.session_id);
    for action in [action.as_str(), "/account/sessions/end-others"] {
        let answer = browser.submit("/account/sessions", action, &[]).await;
        assert_eq!(answer.status, 403, "{}", answer.text);
        assert!(answer.text.contains("enter your password once more"));
    }
    assert_eq!(
        server.refresh(&other.refresh).await.status,
        200,
        "it was not ended"
    );
}
