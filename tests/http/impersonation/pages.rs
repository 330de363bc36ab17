//! On the pages: the banner, Stop, and being oneself again.

use serde_json::json;

use super::{REASON, Scene};
use crate::support::browser::form_token;
use crate::support::{Answer, Browser};

const STOP: &str = "<form method=\"post\" action=\"/impersonation/stop\">";

impl Scene {
    /// A browser in which Grace looks on as Ada.
    async fn browser(&self, more: &[(&str, &str)]) -> Browser {
        let mut browser = self.server.signed_in_browser(&self.grace).await;
        let answer = self.start(&mut browser, more).await;
        assert_eq!(answer.status, 303, "{}", answer.text);
        assert_eq!(answer.location(), "/account");
        browser
    }

    async fn start(&self, browser: &mut Browser, more: &[(&str, &str)]) -> Answer {
        let page = format!("/admin/users/{}", self.ada.id);
        let fields = [&[("reason", REASON)], more].concat();
        browser
            .submit(&page, &format!("{page}/impersonate"), &fields)
            .await
    }
}

#[tokio::test]
async fn a_banner_with_stop_is_on_every_page() {
    let scene = Scene::open().await;
    for (more, terms) in [
        (&[][..], "Nothing can be changed."),
        (
            &[("may_change", "true")],
            "Services may let you change things.",
        ),
    ] {
        let mut browser = scene.browser(more).await;
        for (path, status) in [
            ("/account", 200),
            ("/account/sessions", 200),
            ("/account/security", 200),
            ("/step-up", 200),
            ("/admin", 403),
            ("/nowhere", 404),
            ("/invitation?token=x", 404),
        ] {
            let page = browser.get(path).await;
            assert_eq!(page.status, status, "{path}");
            for words in [
                "You are looking at Portcullis as <strong>ada</strong>",
                REASON,
                terms,
                "Ends at",
                STOP,
            ] {
                assert!(
                    page.text.contains(words),
                    "{path} lacks {words}: {}",
                    page.text
                );
            }
            assert!(!page.text.contains("action=\"/sign-out\""), "{path}");
        }
        // What is refused says so, with the banner above it.
        let token = form_token(&browser.get("/account").await.text);
        let answer = browser
            .post("/account/sessions/end-others", &token, &[])
            .await;
        assert_eq!(answer.status, 403);
        assert!(answer.text.contains("looking on as somebody else"));
        assert!(answer.text.contains(STOP));
    }
    let mut ada = scene.server.signed_in_browser(&scene.ada).await;
    assert!(
        !ada.get("/account")
            .await
            .text
            .contains("You are looking at")
    );
}

#[tokio::test]
async fn stop_ends_it_and_gives_the_administrators_own_session_back() {
    let scene = Scene::open().await;
    let mut browser = scene.browser(&[]).await;
    let access = browser.access_cookie().unwrap().clone();
    assert_eq!(browser.cookies.len(), 3, "{:?}", browser.cookies.keys());
    let answer = browser.submit("/account", "/impersonation/stop", &[]).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    let back = format!("/admin/users/{}?done=impersonation-ended", scene.ada.id);
    assert_eq!(answer.location(), back);
    let page = browser.get(&back).await;
    assert_eq!(page.status, 200);
    assert!(
        page.text
            .contains("You are no longer looking on as somebody else.")
    );
    assert!(!page.text.contains(STOP));
    assert_eq!(browser.cookies.len(), 2, "{:?}", browser.cookies.keys());
    let answer = scene.server.verify(&access).await;
    assert_eq!(answer.json()["reason"], "impersonation-stopped");
    // Twice, or without looking on, is nothing that could be done.
    let answer = browser.submit("/account", "/impersonation/stop", &[]).await;
    assert_eq!(answer.status, 409);
    assert!(browser.get("/admin").await.status == 200);
}

#[tokio::test]
async fn what_was_laid_aside_is_the_newest_token_of_the_administrator() {
    let scene = Scene::open().await;
    let mut browser = scene.server.signed_in_browser(&scene.grace).await;
    let page = format!("/admin/users/{}", scene.ada.id);
    let token = form_token(&browser.get(&page).await.text);
    // The very request that starts it renews the administrator's tokens on the way.
    scene.server.advance(400);
    let action = format!("{page}/impersonate");
    let answer = browser.post(&action, &token, &[("reason", REASON)]).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    scene.server.advance(60);
    browser.submit("/account", "/impersonation/stop", &[]).await;
    scene.server.advance(400);
    assert_eq!(browser.get("/admin").await.status, 200);
}

#[tokio::test]
async fn whoever_has_only_what_it_gave_does_not_get_the_administrators_session_by_stopping() {
    let scene = Scene::open().await;
    let (grace, own) = ("portcullis_refresh", "portcullis_own");
    let thief = scene.server.signed_in_browser(&scene.ada).await;
    let of_ada = thief.cookies[grace].clone();
    for planted in [None, Some(of_ada), Some("nothing".to_owned())] {
        let mut browser = scene.browser(&[]).await;
        let laid_aside = browser.cookies.remove(own).unwrap();
        if let Some(planted) = planted {
            browser.cookies.insert(own.to_owned(), planted);
        }
        let answer = browser.submit("/account", "/impersonation/stop", &[]).await;
        assert_eq!(answer.location(), "/sign-in?done=impersonation-ended");
        let answer = browser.get("/account").await;
        assert!(answer.location().starts_with("/sign-in"), "{}", answer.text);
        // The administrator's session itself goes on.
        let answer = scene.server.refresh(&laid_aside).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
    }
}

#[tokio::test]
async fn when_it_ends_by_itself_the_administrator_is_themselves_again() {
    let scene = Scene::open().await;
    let mut browser = scene.browser(&[]).await;
    scene.server.advance(1_800);
    let before = browser.clone();
    for path in ["/account/sessions", "/sign-in?next=%2Fapp%2F"] {
        browser.cookies = before.cookies.clone();
        let answer = browser.get(path).await;
        assert_eq!(answer.location(), "/account?done=impersonation-ended");
    }
    let page = browser.get("/account?done=impersonation-ended").await;
    assert_eq!(page.status, 200, "{}", page.text);
    assert!(page.text.contains("grace@test.example"));
    assert!(!page.text.contains(STOP));
    assert_eq!(browser.cookies.len(), 2, "{:?}", browser.cookies.keys());
    assert_eq!(browser.get("/admin").await.status, 200);
}

#[tokio::test]
async fn programs_of_our_pages_lose_nothing_that_was_laid_aside() {
    let scene = Scene::open().await;
    let mut browser = scene.browser(&[]).await;
    let answer = browser
        .submit("/account", "/account/sessions/end-others", &[])
        .await;
    assert_eq!(answer.status, 403);
    scene
        .by_boss(
            reqwest::Method::DELETE,
            &format!("/api/admin/users/{}/sessions", scene.ada.id),
            None,
        )
        .await;
    let request = browser.request(reqwest::Method::GET, "/api/auth/session");
    assert_eq!(browser.send(request).await.code(), "session-ended");
    assert_eq!(browser.get("/admin").await.status, 200);
}

#[tokio::test]
async fn what_was_laid_aside_does_not_come_back_after_somebody_else_has_signed_in() {
    let scene = Scene::open().await;
    let mut browser = scene.browser(&[]).await;
    // As a browser that keeps only this.
    browser.cookies.retain(|name, _| name == "portcullis_own");
    let answer = browser
        .sign_in(&scene.ada.email, crate::support::PASSWORD)
        .await;
    assert_eq!(answer.status, 303);
    assert!(!browser.cookies.contains_key("portcullis_own"));
}

#[tokio::test]
async fn when_it_ends_with_the_administrators_session_nobody_is_signed_in() {
    let scene = Scene::open().await;
    let mut browser = scene.browser(&[]).await;
    let path = format!("/api/admin/users/{}/sessions", scene.grace.id);
    scene.by_boss(reqwest::Method::DELETE, &path, None).await;
    let mut answer = browser.get("/account").await;
    for _ in 0..3 {
        if answer.status == 303 {
            let next = answer.location().to_owned();
            answer = browser.get(&next).await;
        }
    }
    assert!(
        answer.text.contains("You were signed out because"),
        "{}",
        answer.text
    );
    assert!(!browser.cookies.contains_key("portcullis_own"));
}

#[tokio::test]
async fn the_form_is_shown_where_it_leads_somewhere_and_tells_what_is_wrong() {
    let scene = Scene::open().await;
    let mut browser = scene.server.signed_in_browser(&scene.grace).await;
    let offers = async |browser: &mut Browser, id: String| {
        let page = browser.get(&format!("/admin/users/{id}")).await;
        page.text.contains("Look on as this user")
    };
    assert!(offers(&mut browser, scene.ada.id.to_string()).await);
    assert!(!offers(&mut browser, scene.grace.id.to_string()).await);
    let boss = scene.server.user("boss@test.example", &["admin"]).await;
    assert!(!offers(&mut browser, boss.id.to_string()).await);
    let mut other = scene.server.signed_in_browser(&boss).await;
    assert!(!offers(&mut other, scene.ada.id.to_string()).await);
    let page = format!("/admin/users/{}", scene.ada.id);
    let action = format!("{page}/impersonate");
    let fields = [("reason", "too <short"), ("may_change", "true")];
    let fields = [(fields[0].0, "<short>"), fields[1]];
    let answer = browser.submit(&page, &action, &fields).await;
    assert_eq!(answer.status, 422);
    assert!(answer.text.contains("Say why, in 10 to 500 characters"));
    assert!(answer.text.contains("&lt;short&gt;"));
    assert_eq!(browser.cookies.len(), 2);
    // Without a fresh proof the password is asked for first.
    scene.server.advance(700);
    let answer = scene.start(&mut browser, &[]).await;
    assert_eq!(answer.status, 403);
    assert!(answer.text.contains("look on as ada@"), "{}", answer.text);
}

/// By whatever door: to sign out is to be nobody, and to stop is to be oneself again.
#[tokio::test]
async fn signing_out_while_looking_on_ends_both_sessions_and_leaves_nothing_in_the_browser() {
    let ended = "SELECT COUNT(*) FROM sessions WHERE end_reason = 'signed-out' \
                 AND impersonator_id IS NULL";
    let stopped = "SELECT COUNT(*) FROM sessions WHERE end_reason = 'impersonation-stopped'";
    for path in ["/sign-out", "/api/auth/sign-out", "/api/auth/clear-session"] {
        let scene = Scene::open().await;
        let mut browser = scene.browser(&[]).await;
        let own = browser.cookies["portcullis_own"].clone();
        let token = form_token(&browser.get("/account").await.text);
        let answer = browser.post(path, &token, &[]).await;
        assert!(
            !answer.status.is_client_error(),
            "{path}: {} {}",
            answer.status,
            answer.text
        );
        assert!(browser.cookies.is_empty(), "{:?}", browser.cookies.keys());
        let database = &scene.server.database;
        assert_eq!(database.count(ended).await, 1, "{path}: their own, too");
        assert_eq!(database.count(stopped).await, 1, "{path}");
        let answer = scene.server.refresh(&own).await;
        assert_eq!(answer.json()["reason"], "signed-out", "{path}");
        // The session by which she was signed in elsewhere goes on.
        assert!(scene.is_live(&scene.console).await, "{path}");
    }
}

/// A program that has only the tokens of the impersonation says nothing of other sessions.
#[tokio::test]
async fn signing_out_by_bearer_while_looking_on_leaves_the_administrators_own_session() {
    for path in ["/api/auth/sign-out", "/api/auth/clear-session"] {
        let scene = Scene::open().await;
        let tokens = scene.look_on().await;
        let answer = scene
            .server
            .post(path, Some(&tokens.access), json!({}))
            .await;
        assert!(answer.status.is_success(), "{path}: {}", answer.text);
        scene
            .assert_ended(&tokens, "impersonation-stopped", path)
            .await;
        assert!(scene.is_live(&scene.console).await, "{path}");
    }
}

/// `clear-session` leaves nobody signed in, whatever has become of the access token.
#[tokio::test]
async fn clearing_the_session_ends_what_the_cookies_would_renew() {
    let scene = Scene::open().await;
    let server = &scene.server;
    let path = "/api/auth/clear-session";
    // An access token that is past its time, beside a refresh token that is not.
    let mut browser = server.signed_in_browser(&scene.ada).await;
    let refresh = browser.cookies["portcullis_refresh"].clone();
    let other = server.sign_in(&scene.ada).await;
    server.advance(400);
    let answer = browser.post(path, "", &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert!(browser.cookies.is_empty());
    let answer = server.refresh(&refresh).await;
    assert_eq!(answer.json()["reason"], "signed-out", "{}", answer.text);
    assert_eq!(server.refresh(&other.refresh).await.status, 200);
    // An impersonation that is over, beside what was laid aside.
    let mut browser = scene.browser(&[]).await;
    let own = browser.cookies["portcullis_own"].clone();
    server.advance(1_800);
    assert_eq!(browser.post(path, "", &[]).await.status, 200);
    assert!(browser.cookies.is_empty());
    let answer = server.refresh(&own).await;
    assert_eq!(answer.json()["reason"], "signed-out", "{}", answer.text);
    // A bearer token counts before any cookie and says nothing of them.
    let mut browser = server.signed_in_browser(&scene.ada).await;
    let refresh = browser.cookies["portcullis_refresh"].clone();
    server.advance(400);
    let request = browser
        .request(reqwest::Method::POST, path)
        .bearer_auth("garbage");
    assert_eq!(browser.send(request).await.status, 200);
    assert_eq!(server.refresh(&refresh).await.status, 200);
}
