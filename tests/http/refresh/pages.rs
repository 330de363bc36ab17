//! Cookies: pages are renewed on their way, the API only where it is asked to.

use futures_util::future::{join, join_all};
use reqwest::Method;
use serde_json::json;

use super::{live_tokens, with_session};
use crate::support::{Answer, Browser, Server};

const ACCESS: &str = "portcullis";
const REFRESH: &str = "portcullis_refresh";

async fn api(browser: &mut Browser, method: Method, path: &str) -> Answer {
    let request = browser
        .request(method, path)
        .header("sec-fetch-site", "same-origin");
    browser.send(request).await
}

#[tokio::test]
async fn a_page_request_is_renewed_in_the_same_response() {
    let (server, user, _) = with_session().await;
    let mut browser = server.signed_in_browser(&user).await;
    let before = browser.cookies.clone();
    server.advance(301);
    let answer = browser.get("/account").await;
    assert_eq!(answer.status, 200, "no redirect: {}", answer.text);
    let set = answer.set_cookies();
    assert_eq!(set.len(), 2, "{set:?}");
    for name in [ACCESS, REFRESH] {
        let cookie = set
            .iter()
            .find(|cookie| cookie.starts_with(&format!("{name}=")))
            .unwrap();
        for attribute in ["HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(cookie.contains(attribute), "{cookie}");
        }
        assert_ne!(browser.cookies[name], before[name]);
    }
    // Renewed once, the new cookies serve.
    assert!(browser.get("/account").await.set_cookies().is_empty());
    // A form that was drawn before goes through after.
    let token = crate::support::browser::form_token(&answer.text);
    server.advance(301);
    let answer = browser.post("/sign-out", &token, &[]).await;
    assert_eq!(
        (answer.status.as_u16(), answer.location()),
        (303, "/sign-in?done=signed-out")
    );
    assert!(browser.cookies.is_empty());
}

#[tokio::test]
async fn two_tabs_at_once_both_go_on() {
    let (server, user, _) = with_session().await;
    let browser = server.signed_in_browser(&user).await;
    server.advance(301);
    let (mut one, mut other) = (browser.clone(), browser);
    let (a, b) = join(one.get("/account"), other.get("/account/sessions")).await;
    assert_eq!((a.status.as_u16(), b.status.as_u16()), (200, 200));
    assert_eq!(one.cookies[REFRESH], other.cookies[REFRESH], "one lineage");
    for tab in [&mut one, &mut other] {
        let answer = tab.get("/account").await;
        assert_eq!(answer.status, 200);
        assert!(answer.set_cookies().is_empty());
    }
    // Ten of them, and again.
    server.advance(301);
    let mut tabs = vec![one; 10];
    let answers = join_all(tabs.iter_mut().map(|tab| tab.get("/account"))).await;
    assert!(answers.iter().all(|answer| answer.status == 200));
    server.advance(301);
    assert_eq!(tabs[7].get("/account").await.status, 200);
    // One of the session over the API, which is not in use, one of this browser.
    assert_eq!(live_tokens(&server).await, 2);
}

#[tokio::test]
async fn a_tab_that_slept_through_a_rotation_is_served_while_the_window_is_open() {
    let (server, user, _) = with_session().await;
    let mut browser = server.signed_in_browser(&user).await;
    let mut asleep = browser.clone();
    server.advance(301);
    assert_eq!(browser.get("/account").await.status, 200);
    server.advance(29);
    assert_eq!(asleep.get("/account").await.status, 200);
    assert_eq!(asleep.cookies[REFRESH], browser.cookies[REFRESH]);
}

#[tokio::test]
async fn a_browser_that_lost_an_answer_overnight_goes_on_with_all_its_tabs() {
    let limits = [("PORTCULLIS_SESSION_IDLE_SECS", "28000")];
    let server = Server::start_with(&limits).await;
    let user = server.user("ada@test.example", &[]).await;
    let browser = server.signed_in_browser(&user).await;
    server.advance(301);
    // The lid is shut before the answer comes.
    let answer = browser.clone().get("/account").await;
    assert_eq!(
        (answer.status.as_u16(), answer.set_cookies().len()),
        (200, 2)
    );
    server.advance(27_000);
    let mut tabs = vec![browser; 10];
    let (early, late) = tabs.split_at_mut(5);
    for tabs in [early, late] {
        let answers = join_all(tabs.iter_mut().map(|tab| tab.get("/account"))).await;
        assert!(answers.iter().all(|answer| answer.status == 200));
        for tab in tabs {
            assert!(tab.get("/account").await.set_cookies().is_empty());
        }
        server.advance(25);
    }
    assert!(
        tabs.iter()
            .all(|tab| tab.cookies[REFRESH] == tabs[0].cookies[REFRESH])
    );
    assert_eq!(live_tokens(&server).await, 1);
}

#[tokio::test]
async fn an_api_request_is_not_renewed_and_loses_nothing() {
    let (server, user, _) = with_session().await;
    let mut browser = server.signed_in_browser(&user).await;
    server.advance(301);
    let before = browser.cookies.clone();
    for (method, path) in [
        (Method::GET, "/api/auth/session"),
        (Method::GET, "/api/auth/verify"),
        (Method::POST, "/api/sessions/ensure"),
    ] {
        let answer = api(&mut browser, method, path).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (401, "token-expired")
        );
        assert_eq!(answer.set_cookies(), Vec::<String>::new(), "{path}");
    }
    // The refresh cookie alone is no credential there either, and stays too.
    browser.cookies.remove(ACCESS);
    let answer = api(&mut browser, Method::GET, "/api/auth/session").await;
    assert_eq!(
        (answer.status.as_u16(), answer.code().as_str()),
        (401, "no-credential")
    );
    assert_eq!(answer.set_cookies(), Vec::<String>::new());
    browser.cookies = before;
    // A bearer token that is no good says nothing of the cookies.
    let request = browser
        .request(Method::GET, "/api/auth/session")
        .bearer_auth("garbage");
    assert_eq!(
        browser.send(request).await.set_cookies(),
        Vec::<String>::new()
    );
    assert_eq!(browser.get("/account").await.status, 200);
}

#[tokio::test]
async fn the_api_renews_cookies_where_it_is_asked_to() {
    let (server, user, _) = with_session().await;
    let mut browser = server.signed_in_browser(&user).await;
    let before = browser.cookies.clone();
    server.advance(301);
    for site in [None, Some("cross-site"), Some("same-site"), Some("none")] {
        let mut request = browser
            .request(Method::POST, "/api/auth/refresh")
            .json(&json!({}));
        if let Some(site) = site {
            request = request.header("sec-fetch-site", site);
        }
        let answer = browser.send(request).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code().as_str()),
            (403, "cross-site"),
            "{site:?}"
        );
    }
    let request = browser
        .request(Method::POST, "/api/auth/refresh")
        .header("sec-fetch-site", "same-origin")
        .json(&json!({}));
    let answer = browser.send(request).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.set_cookies().len(), 2);
    assert_eq!(answer.json()["user"]["id"], user.id.to_string());
    for name in ["access_token", "refresh_token"] {
        assert!(
            answer.json().get(name).is_none(),
            "scripts are not shown {name}"
        );
    }
    for name in [ACCESS, REFRESH] {
        assert_ne!(browser.cookies[name], before[name]);
        assert!(!answer.text.contains(&browser.cookies[name]));
    }
    assert_eq!(
        api(&mut browser, Method::GET, "/api/auth/session")
            .await
            .status,
        200
    );
}

#[tokio::test]
async fn a_page_request_by_a_stolen_token_ends_the_session_and_clears_the_cookies() {
    let (server, user, _) = with_session().await;
    let mut browser = server.signed_in_browser(&user).await;
    let mut thief = browser.clone();
    server.advance(301);
    for _ in 0..2 {
        assert_eq!(browser.get("/account").await.status, 200);
    }
    server.advance(301);
    let answer = thief.get("/account").await;
    assert_eq!(answer.status, 303);
    assert!(thief.cookies.is_empty());
    let session = answer.location().split_once("ended=").unwrap().1.to_owned();
    let why = thief.get(answer.location()).await;
    assert!(
        why.text
            .contains("a copy of this session, perhaps a stolen one, was used on "),
        "{}",
        why.text
    );
    let answer = browser.get("/account").await;
    assert_eq!(answer.status, 303);
    assert!(answer.location().ends_with(&session));
    let access = thief.access_cookie().cloned().unwrap_or_default();
    assert!(access.starts_with("pre."), "nothing of the session is left");
    let dead = browser.cookies.get(REFRESH).cloned().unwrap_or_default();
    assert_eq!(dead, "");
    let sessions = server.sign_in(&user).await;
    let list = server
        .get("/api/sessions", Some(&sessions.access))
        .await
        .json();
    let ended = list["sessions"]
        .as_array()
        .unwrap()
        .iter()
        .find(|s| s["id"] == session.as_str());
    assert_eq!(ended.unwrap()["end_reason"], "refresh-reuse");
}
