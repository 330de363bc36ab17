//! Every page of the contract, as a user and as an administrator.

use portcullis::http::guards::is_api;
use portcullis::http::routes::routes;

use super::title;
use crate::support::browser::form_token;
use crate::support::{Browser, Server};

/// Pages of somebody signed in, and how their titles begin.
const OWN: &[(&str, &str)] = &[
    ("/account", "Your account"),
    ("/account/sessions", "Your sessions"),
    ("/account/security", "Password"),
    ("/account/email", "Change your e-mail address"),
    ("/step-up", "Confirm that it is you"),
];

/// Pages of administrators.
const CONSOLE: &[(&str, &str)] = &[
    ("/admin", "Overview"),
    ("/admin/sessions", "Sessions"),
    ("/admin/sessions/end-all", "End everyone"),
    ("/admin/sessions/end-where", "End many"),
    ("/admin/users", "Users"),
    ("/admin/users/new", "New user"),
    ("/admin/users/{id}", "ada"),
    ("/admin/users/{id}/delete", "Delete a user"),
    ("/admin/policies", "Policies"),
    ("/admin/policies/new", "New policy"),
    ("/admin/policies/{kind}/{name}", "Policy of role admin"),
    ("/admin/audit", "Audit"),
    ("/admin/outbox", "Outbox"),
];

/// Pages that need no sign-in.
const OPEN: &[&str] = &[
    "/",
    "/sign-in",
    "/set-up",
    "/invitation",
    "/reset-password",
    "/new-password",
    "/not-me",
    "/confirm-email",
    "/verify-email",
    "/static/{file}",
];

#[test]
fn every_page_of_the_table_is_walked_below() {
    let walked: Vec<&str> = OWN
        .iter()
        .chain(CONSOLE)
        .map(|(path, _)| *path)
        .chain(OPEN.iter().copied())
        .collect();
    for route in routes() {
        if route.method == "GET" && !is_api(route.path) {
            assert!(walked.contains(&route.path), "{} is not walked", route.path);
        }
    }
}

/// The path of a page about this user, or about the policy of administrators.
fn named(path: &str, id: &str) -> String {
    path.replace("{id}", id)
        .replace("{kind}", "role")
        .replace("{name}", "admin")
}

/// Each page is there, and from each one can sign out (the form is tried on the last).
async fn walk(browser: &mut Browser, pages: &[(&str, &str)], id: &str) {
    for (path, expected) in pages {
        let path = named(path, id);
        let page = browser.get(&path).await;
        assert_eq!(page.status, 200, "{path}: {}", page.text);
        assert_eq!(
            page.header("content-type"),
            "text/html; charset=utf-8",
            "{path}"
        );
        assert!(
            title(&page).starts_with(expected),
            "{path}: {}",
            title(&page)
        );
        assert!(
            page.text
                .contains("<form method=\"post\" action=\"/sign-out\">"),
            "{path}"
        );
        assert!(!form_token(&page.text).is_empty(), "{path}");
    }
}

#[tokio::test]
async fn asvs_7_4_4_every_page_that_needs_a_sign_in_offers_to_sign_out() {
    let server = Server::start().await;
    let (admin, ada) = (
        server.admin().await,
        server.user("ada@test.example", &[]).await,
    );
    let policy = serde_json::json!({ "idle_secs": 600 });
    let access = server.sign_in(&admin).await.access;
    let path = "/api/admin/policies/role/admin";
    let set = server
        .call(reqwest::Method::PUT, path, Some(&access), Some(policy))
        .await;
    assert_eq!(set.status, 200, "{}", set.text);
    let mut browser = server.signed_in_browser(&ada).await;
    walk(&mut browser, OWN, "").await;
    for (path, _) in CONSOLE {
        let path = named(path, &ada.id.to_string());
        let page = browser.get(&path).await;
        assert_eq!(page.status, 403, "{path}");
        assert!(page.text.contains("action=\"/sign-out\""), "{path}");
    }
    let mut console = server.signed_in_browser(&admin).await;
    walk(&mut console, OWN, "").await;
    walk(&mut console, CONSOLE, &ada.id.to_string()).await;

    let out = console.submit("/admin/audit", "/sign-out", &[]).await;
    assert_eq!(
        (out.status.as_u16(), out.location()),
        (303, "/sign-in?done=signed-out")
    );
    assert!(console.cookies.is_empty());
    let page = console.get(out.location()).await;
    assert!(page.text.contains("You are signed out."), "{}", page.text);
    let page = console.get("/admin").await;
    assert_eq!(
        (page.status.as_u16(), page.location()),
        (303, "/sign-in?next=%2Fadmin")
    );
}

#[tokio::test]
async fn a_users_pages_show_nothing_of_anybody_else() {
    let server = Server::start().await;
    let (ada, bob) = (
        server.user("ada@test.example", &[]).await,
        server.user("bob@test.example", &[]).await,
    );
    let foreign = server.sign_in(&bob).await;
    let own = server.sign_in(&ada).await;
    let mut browser = server.signed_in_browser(&ada).await;
    for (path, _) in OWN {
        let page = browser.get(path).await.text;
        for secret in [foreign.session_id.as_str(), "bob@", &bob.id.to_string()] {
            assert!(!page.contains(secret), "{path} shows {secret}");
        }
    }
    assert!(
        browser
            .get("/account/sessions")
            .await
            .text
            .contains(&own.session_id)
    );

    let action = format!("/account/sessions/{}/end", foreign.session_id);
    assert_eq!(
        browser
            .submit("/account/sessions", &action, &[])
            .await
            .status,
        404
    );
    assert_eq!(server.verify(&foreign.access).await.status, 200);
}

#[tokio::test]
async fn one_ends_ones_other_sessions_and_sees_why_they_ended() {
    let server = Server::start().await;
    let ada = server.user("ada@test.example", &[]).await;
    let (one, other) = (server.sign_in(&ada).await, server.sign_in(&ada).await);
    let mut browser = server.signed_in_browser(&ada).await;

    let page = browser.get("/account/sessions").await.text;
    assert_eq!(page.matches(">This device<").count(), 1);
    assert!(
        page.contains("Firefox") && page.contains("127.0.0.1"),
        "{page}"
    );
    let action = format!("/account/sessions/{}/end", one.session_id);
    let done = browser.submit("/account/sessions", &action, &[]).await;
    assert_eq!(done.location(), "/account/sessions?done=session-ended");
    assert_eq!(
        server.verify(&one.access).await.json()["reason"],
        "ended-by-user"
    );
    assert_eq!(server.verify(&other.access).await.status, 200);

    let done = browser
        .submit("/account/sessions", "/account/sessions/end-others", &[])
        .await;
    assert_eq!(done.location(), "/account/sessions?done=others-ended");
    assert_eq!(
        server.verify(&other.access).await.json()["reason"],
        "ended-by-user"
    );
    let page = browser.get("/account/sessions").await;
    assert_eq!(page.status, 200);
    assert_eq!(
        page.text
            .matches("you ended this session from another device")
            .count(),
        2
    );
}

#[tokio::test]
async fn the_start_leads_where_one_can_go_on() {
    let server = Server::start().await;
    assert_eq!(server.browser().get("/").await.location(), "/set-up");
    let admin = server.admin().await;
    assert_eq!(server.browser().get("/").await.location(), "/sign-in");
    let mut browser = server.signed_in_browser(&admin).await;
    assert_eq!(browser.get("/").await.location(), "/account");
    assert_eq!(
        browser.get("/sign-in?next=/admin").await.location(),
        "/admin"
    );
    assert_eq!(browser.get("/set-up").await.location(), "/sign-in");
}
